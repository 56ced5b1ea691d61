"""What is checked one by one: every operation that does something by itself, and every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.checks.statement import Statement
from specgen.spec.model import RelationSource, StepRows

if TYPE_CHECKING:
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation, Entity, Project


@dataclass(frozen=True, slots=True)
class Part:
    """An operation or a step: what it says, what is planned of it, and what it works on.

    Attributes:
        step: The step's name; None for an operation that is none.
    """

    operation: BatchOperation
    planned: PlannedOperation
    target: Entity
    step: str | None = None

    @property
    def reads(self) -> str | None:
        """The step whose rows it goes through, if it does."""
        match self.operation.source:
            case RelationSource(relation=StepRows(step)):
                return step
            case _:
                return None

    def statement(self, text: str = "") -> Statement:
        """Return a statement that may name the part's parameters and fields."""
        return Statement(self._type_of, text)

    def _type_of(self, name: str, field: str | None) -> str:
        if field is None:
            return next((item.type for item in self.planned.parameters if item.name == name), "text")
        return next((item.type for item in self.planned.item_fields if item.name == field), "text")


@dataclass(frozen=True, slots=True)
class Parts:
    """An operation for what it says once, and what it does: its steps, or itself."""

    outer: Part
    inner: tuple[Part, ...]


def parts_of(planned: PlannedOperation, project: Project) -> Parts:
    """Return the parts of an operation."""
    whole = next(
        item for entity in project.entities for item in entity.operations if item.name == planned.name
    )
    outer = Part(whole, planned, project.entity(whole.entity))
    if not planned.steps:
        return Parts(outer, (outer,))
    said = {step.name: step.operation for step in whole.steps}
    inner = (
        Part(said[step.name], step.operation, project.entity(said[step.name].entity), step.name)
        for step in planned.steps
    )
    return Parts(outer, tuple(inner))
