"""The steps of an operation as the description of its tests reads them: the spec and the plan, side by side.

The one place of this part that knows how a step's plan is put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from specgen.plan import naming
from specgen.plan.driving import Keys, Query, Records, Relation, Rows, Single
from specgen.plan.operation import steps_of
from specgen.plan.writes import Call, Insert, Update, Upsert, kept_columns

if TYPE_CHECKING:
    from specgen.plan.parts import Match, PlannedAssignment, PlannedParameter, PlannedRule, Routine
    from specgen.plan.planned import PlannedOperation, PlannedStep
    from specgen.spec.model import BatchOperation


@dataclass(frozen=True, slots=True)
class Part:
    """One step: what the spec says of it, and what was decided about it."""

    operation: BatchOperation
    planned: PlannedStep

    @property
    def source(self) -> str:
        """What it goes through, as generated tests call it."""
        match self.planned.driving:
            case Rows():
                return "rows"
            case Keys():
                return "keys"
            case Records() | Relation():
                return "records"
            case Single():
                return "single"
            case _:
                assert_never(self.planned.driving)

    @property
    def handed_in(self) -> PlannedParameter | None:
        """The parameter that holds its keys or records."""
        match self.planned.driving:
            case Keys(parameter=parameter) | Records(parameter=parameter):
                return parameter
            case _:
                return None

    @property
    def query(self) -> Query | None:
        """The query whose records it goes through."""
        match self.planned.driving:
            case Relation(reads=Query() as query):
                return query
            case _:
                return None

    @property
    def call(self) -> Call | None:
        """The function that it calls."""
        return self.planned.write if isinstance(self.planned.write, Call) else None

    @property
    def written(self) -> tuple[PlannedParameter, ...]:
        """The parameters that the function reads which writes a batch."""
        return self._taken_by(self.planned.routine)

    @property
    def judged(self) -> tuple[PlannedParameter, ...]:
        """The parameters that its rules for records read."""
        return self._taken_by(self.planned.rules.routine) if self.planned.rules else ()

    @property
    def queried(self) -> tuple[PlannedParameter, ...]:
        """The parameters that the query of its records reads."""
        return self._taken_by(self.query.routine) if self.query else ()

    @property
    def item(self) -> str:
        """What the current record is called."""
        shape = self.planned.shape
        return shape.alias if shape else naming.free("item", (self.planned.table.name,))

    @property
    def matches(self) -> tuple[Match, ...]:
        """The columns by which a record finds its row."""
        return self.planned.shape.matches if self.planned.shape else ()

    @property
    def condition(self) -> str | None:
        """What rows must meet."""
        return self.planned.condition.sql if self.planned.condition else None

    @property
    def assignments(self) -> tuple[PlannedAssignment, ...]:
        """What the spec assigns, column by column."""
        match self.planned.write:
            case Update(assignments=found) | Insert(assignments=found) | Upsert(assignments=found):
                return found
            case _:
                return ()

    @property
    def conflict_target(self) -> tuple[str, ...]:
        """The columns by which an upsert finds a row."""
        return self.planned.write.conflict_target if isinstance(self.planned.write, Upsert) else ()

    @property
    def update_columns(self) -> tuple[str, ...]:
        """What an upsert changes of it."""
        return self.planned.write.update_columns if isinstance(self.planned.write, Upsert) else ()

    @property
    def returning(self) -> tuple[str, ...]:
        """The columns that are kept."""
        return kept_columns(self.planned.write) or ()

    @property
    def rules(self) -> tuple[PlannedRule, ...]:
        """The spec's rules for its records."""
        return self.planned.rules.rules if self.planned.rules else ()

    def _taken_by(self, routine: Routine) -> tuple[PlannedParameter, ...]:
        names = {item.parameter for item in routine.arguments}
        return tuple(item for item in self.planned.parameters if item.name in names)


def parts_of(operation: BatchOperation, planned: PlannedOperation) -> tuple[Part, ...]:
    """Return the steps of an operation, in the order in which they run."""
    return tuple(
        Part(said.operation, found) for said, found in zip(steps_of(operation), planned.steps, strict=True)
    )


def is_nameless(operation: BatchOperation) -> bool:
    """Whether an operation has one step, and no name for it but its own."""
    return not operation.steps


def is_planned_at_once(planned: PlannedOperation) -> bool:
    """Whether what keeps its only step from beginning is raised, and nothing is stored; else a step fails."""
    return len(planned.steps) < 2
