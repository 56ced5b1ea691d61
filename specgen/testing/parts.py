"""The steps of an operation as its tests see them, whichever way the plan has of telling them.

The one place of this part that knows that an operation may be planned without steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation


@dataclass(frozen=True, slots=True)
class Part:
    """One step: what the spec says of it, and what was decided about it.

    Attributes:
        name: As the spec calls it; that of an operation without named steps is what it does.
        number: Its place in the order in which the steps run.
        depends_on: The steps that must be done before.
        kept: Whether its output is kept.
    """

    name: str
    number: int
    depends_on: tuple[str, ...]
    kept: bool
    operation: BatchOperation
    planned: PlannedOperation


def parts_of(operation: BatchOperation, planned: PlannedOperation) -> tuple[Part, ...]:
    """Return the steps of an operation, in the order in which they run."""
    if not planned.steps:
        return (Part(planned.type, 1, (), bool(planned.returning), operation, planned),)
    return tuple(
        Part(found.name, found.number, found.waits_for, found.kept, said.operation, found.operation)
        for said, found in zip(operation.steps, planned.steps, strict=True)
    )


def is_nameless(operation: BatchOperation) -> bool:
    """Whether an operation has one step, and no name for it but its own."""
    return not operation.steps


def is_planned_at_once(planned: PlannedOperation) -> bool:
    """Whether its first step is planned by whoever calls or submits it.

    What keeps that step from beginning is then raised, and nothing is stored; else the step fails.
    """
    return not planned.steps


def has_rows_of_steps(planned: PlannedOperation) -> bool:
    """Whether ``batch_steps`` has a row for each of its steps."""
    return bool(planned.steps)
