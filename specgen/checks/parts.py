"""What is checked one by one: what an operation says once, and every one of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.checks.statement import Statement
from specgen.plan.operation import steps_of
from specgen.spec.model import RelationSource, StepRows

if TYPE_CHECKING:
    from specgen.plan.planned import PlannedOperation, PlannedStep
    from specgen.spec.model import BatchOperation, Entity, Project


@dataclass(frozen=True, slots=True)
class Whole:
    """An operation: what it says once, what is planned of it, and the entity it belongs to."""

    operation: BatchOperation
    planned: PlannedOperation
    target: Entity

    def statement(self, text: str = "") -> Statement:
        """Return a statement that may name the operation's parameters."""
        types = {item.name: item.type for item in self.planned.parameters}
        return Statement(lambda name, _field: types.get(name, "text"), text)


@dataclass(frozen=True, slots=True)
class Part:
    """A step: what it says, what is planned of it, and what it works on."""

    operation: BatchOperation
    planned: PlannedStep
    target: Entity

    @property
    def reads(self) -> str | None:
        """The step whose rows it goes through, if it does."""
        match self.operation.source:
            case RelationSource(relation=StepRows(step)):
                return step
            case _:
                return None

    def statement(self, text: str = "") -> Statement:
        """Return a statement that may name the step's parameters and fields."""
        return Statement(self._type_of, text)

    def _type_of(self, name: str, field: str | None) -> str:
        if field is None:
            return next((item.type for item in self.planned.parameters if item.name == name), "text")
        return next((item.type for item in self.planned.fields if item.name == field), "text")


@dataclass(frozen=True, slots=True)
class Parts:
    """An operation for what it says once, and its steps."""

    whole: Whole
    steps: tuple[Part, ...]


def parts_of(planned: PlannedOperation, project: Project) -> Parts:
    """Return the parts of an operation."""
    operation = next(
        item for entity in project.entities for item in entity.operations if item.name == planned.name
    )
    return Parts(
        Whole(operation, planned, project.entity(operation.entity)),
        tuple(
            Part(said.operation, step, project.entity(said.operation.entity))
            for said, step in zip(steps_of(operation), planned.steps, strict=True)
        ),
    )
