"""From plan and model to what the tests of an operation of steps are about, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.sqltext import ident
from specgen.spec.model import (
    ListRows,
    QueryRows,
    Reference,
    RelationSource,
    StepRows,
    TableRows,
)
from specgen.testing.describe import call_text, constant_name, identifier, subject_of, ways_of
from specgen.testing.stepped import Called, Column, ElementsOf, OutputOf, ResultOf, RowsOf, Step, Stepped
from specgen.testing.subject import Operation, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specgen.plan.parts import PlannedParameter
    from specgen.plan.planned import PlannedOperation, PlannedStep
    from specgen.spec.model import BatchOperation, Project
    from specgen.spec.model import Step as SpecStep

_SUBQUERY = re.compile(r"\bselect\b(?! unnest\()", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StepTests:
    """One step's tests.

    Attributes:
        function: Starts the names of its test functions.
        constant: Names what goes with it in the file.
        step: Its description.
        failures: The ways a record of it can fail, by name.
        invalid: The ways a record of it can be invalid, where invalid ones are skipped.
        settings: What the spec says, as the operation's row must hold it while the step is at work.
        waiting: The steps that have nothing to go on without it.
        behind: The steps that run after it.
    """

    function: str
    constant: str
    step: Step
    origin: str
    failures: tuple[str, ...]
    invalid: tuple[str, ...]
    settings: dict[str, object]
    waiting: tuple[str, ...]
    behind: tuple[str, ...]

    @property
    def shared(self) -> bool:
        """Whether it has many records."""
        return self.step.does.source != "single"

    @property
    def made(self) -> bool:
        """Whether its records can be made; not those that a query yields, or that read other tables."""
        does = self.step.does
        texts = (does.condition or "", *does.sets.values())
        reads = any(_SUBQUERY.search(text) for text in texts)
        return not isinstance(self.step.through, ResultOf) and not reads


@dataclass(frozen=True, slots=True)
class SteppedTests:
    """The tests of one operation of steps.

    Attributes:
        function: Starts the names of its test functions.
        constant: Names its description in the file.
        functions: The functions that its steps call, each once.
    """

    function: str
    constant: str
    subject: Stepped
    origin: str
    description: str
    steps: tuple[StepTests, ...]
    functions: tuple[str, ...]
    settings: dict[str, object]
    confirms: bool
    atomic: bool
    progress: bool

    @property
    def names(self) -> set[str]:
        """The names that its description needs."""
        found = {type(item.step.through).__name__ for item in self.steps if item.step.through}
        found |= {"Step", "Stepped"}
        if any(item.step.lists for item in self.steps):
            found.add("Column")
        if self.functions:
            found.add("Called")
        return found


def stepped_tests(
    operation: BatchOperation,
    planned: PlannedOperation,
    project: Project,
    name: str,
    taken: Sequence[str],
) -> SteppedTests:
    """Decide the tests of one operation of steps.

    Args:
        operation: What the spec says.
        planned: What was decided about it.
        project: All entities.
        name: A name of its own in the file.
        taken: Names that its steps cannot have.
    """
    runtime = ident(planned.runtime)
    names: list[str] = []
    for step in operation.steps:
        names.append(naming.free(identifier(f"{name}_{step.name}"), (*taken, *names)))
    steps = tuple(
        _step(step, found, planned, project, function)
        for step, found, function in zip(operation.steps, planned.steps, names, strict=True)
    )
    subject = Stepped(
        name=operation.name,
        call=call_text("* FROM", planned, planned.call, dry_run=True),
        submit=None if planned.atomic else call_text("", planned, planned.submit, dry_run=False),
        begin=_begin(planned),
        runtime=runtime,
        log_table=str(planned.settings.get("log_table", f"{runtime}.batch_operation_logs")),
        metrics_table=str(planned.settings.get("metrics_table", f"{runtime}.batch_performance_metrics")),
        parameters={item.name: Parameter(item.type, item.variable) for item in planned.parameters},
        preconditions=tuple(item.condition for item in planned.preconditions if not item.aggregate),
        steps=tuple(item.step for item in steps),
    )
    return SteppedTests(
        function=name,
        constant=constant_name(name),
        subject=subject,
        origin=planned.origin,
        description=" ".join((operation.description or f"steps of {planned.entity}").split()),
        steps=tuple(
            replace(item, waiting=subject.waiting_for(item.step.name), behind=subject.behind(item.step.name))
            for item in steps
        ),
        functions=tuple(dict.fromkeys(item.step.calls.name for item in steps if item.step.calls)),
        settings=planned.settings,
        confirms=planned.requires_confirmation,
        atomic=planned.atomic,
        progress=planned.progress_tracking,
    )


def _begin(planned: PlannedOperation) -> str:
    arguments = [f"%({item.name})s::{item.type}" for item in planned.parameters]
    listed = ",\n        ".join((*arguments, "%(options)s::jsonb", "false"))
    start, plan = (
        f"{ident(name.schema)}.{ident(name.name)}".replace("%", "%%")
        for name in (planned.start, planned.plan)
    )
    return f"\n    SELECT operation_id FROM {start}({plan}(\n        {listed}\n    ))\n"


def _step(
    step: SpecStep, found: PlannedStep, whole: PlannedOperation, project: Project, function: str
) -> StepTests:
    operation, planned = step.operation, found.operation
    target = project.entity(operation.entity)
    read = (*planned.where_parameters, *planned.write_parameters, planned.handed_in)
    lists = {
        ident(item.variable): Column(
            item.output.step, item.output.column, item.output.element, keys=item == planned.handed_in
        )
        for item in planned.parameters
        if item.output and item in read
    }
    through = _through(operation, planned)
    called = planned.call_function
    failures, invalid = ((), ()) if called else ways_of(operation, planned, target, project)
    subject = replace(
        subject_of(operation, planned, target, failures),
        name=f"{whole.name}, step {step.name}",
        call="",
        submit=None,
        runtime="",
        log_table="",
        metrics_table="",
        parameters=_read(planned, whole),
        preconditions=(),
        handed_in=_handed_in(operation, planned),
    )
    if isinstance(through, RowsOf | ElementsOf):
        # A typed column holds nothing that cannot be read, and a key no NULL.
        keys = through.order_by if isinstance(through, RowsOf) else ()
        full = [
            f"NOT NULL {item.column}"
            for item in operation.data
            if isinstance(item.value, Reference) and item.value.field in keys
        ]
        failures = tuple(item for item in failures if not item.startswith("unreadable ") and item not in full)
        invalid = tuple(item for item in invalid if not item.startswith("unreadable "))
    return StepTests(
        function=function,
        constant=constant_name(function),
        step=Step(
            name=step.name,
            number=found.number,
            does=_said(subject, called=called is not None),
            depends_on=found.waits_for,
            through=through,
            lists=lists,
            calls=Called(called.function, called.arguments, called.collected) if called else None,
            kept=found.kept,
        ),
        origin=planned.origin,
        failures=failures,
        invalid=invalid,
        settings=planned.settings,
        waiting=(),
        behind=(),
    )


def _said(subject: Operation, *, called: bool) -> Operation:
    """A step that calls a function reads no rows; its records keep the names of their fields."""
    if not called:
        return subject
    fields = tuple(
        replace(item, variable=f"{ident(subject.item)}.{ident(item.name)}") for item in subject.fields
    )
    return replace(subject, fields=fields, returning=())


def _read(planned: PlannedOperation, whole: PlannedOperation) -> dict[str, Parameter]:
    """The parameters that a step's expressions name, and those of the preconditions."""
    taken = (planned.handed_in, *(planned.source_parameters if planned.relation else ()))
    named = {item.name for item in (*planned.where_parameters, *planned.write_parameters)}
    conditions = " ".join(item.condition for item in whole.preconditions)
    named |= {item.name for item in whole.parameters if item.variable in conditions}
    read: list[PlannedParameter] = [
        item for item in planned.parameters if item.name in named and item.output is None
    ]
    return {item.name: Parameter(item.type, item.variable) for item in read if item not in taken}


def _handed_in(operation: BatchOperation, planned: PlannedOperation) -> str | None:
    match operation.source:
        case RelationSource(relation=ListRows(parameter, records=True)):
            return parameter
        case _:
            return planned.handed_in.name if planned.handed_in else None


def _through(
    operation: BatchOperation, planned: PlannedOperation
) -> OutputOf | RowsOf | ResultOf | ElementsOf | None:
    match operation.source:
        case RelationSource(relation=StepRows(step)):
            return OutputOf(step)
        case RelationSource(relation=TableRows(schema, table, order_by)):
            return RowsOf(f"{ident(schema)}.{ident(table)}", order_by)
        case RelationSource(relation=QueryRows()):
            return ResultOf(planned.relation or "")
        case RelationSource(relation=ListRows(parameter, records=False)):
            return ElementsOf(parameter)
        case _:
            return None
