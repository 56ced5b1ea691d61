"""From plan and model to what each operation's tests are about, as values.

The tests themselves are the template's; here is decided what may be asked of an operation: which of
the entity's constraints a record can break, and which numbers its spec promises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.settings import OF_STEPS, said_of
from specgen.plan.sqltext import ident
from specgen.testing.describe import step_of, ways_of
from specgen.testing.parts import is_nameless, is_planned_at_once, parts_of
from specgen.testing.subject import Operation, Parameter, ResultOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specgen.plan.planned import PlannedOperation
    from specgen.plan.project import Plan, PlannedEntity
    from specgen.spec.model import BatchOperation, Entity, Project
    from specgen.testing.parts import Part
    from specgen.testing.subject import Step

_SUBQUERY = re.compile(r"\bselect\b(?! unnest\()", re.IGNORECASE)
_CALLS = re.compile(r"([A-Za-z_][\w.]*)\s*\(")
_UNDERSTOOD = frozenset(
    {"length", "char_length", "lower", "upper", "btrim", "trim", "now", "in", "and", "or", "not", "any"}
)


@dataclass(frozen=True, slots=True)
class StepTests:
    """One step's tests.

    Attributes:
        function: Starts the names of its test functions.
        constant: Names what goes with it in the file.
        step: Its description.
        failures: The ways a record of it can fail, by name.
        invalid: The ways a record of it can be invalid, where invalid ones are skipped.
        made: Whether its records can be made up.
        settings: What the spec says, as the operation's row must hold it while the step is at work.
        waiting: The steps that have nothing to go on without it.
        behind: The steps that run after it.
    """

    function: str
    constant: str
    step: Step
    failures: tuple[str, ...]
    invalid: tuple[str, ...]
    made: bool
    settings: dict[str, object]
    waiting: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationTests:
    """One operation's tests.

    Attributes:
        function: Starts the names of its test functions.
        constant: Names its description in the file.
        subject: Its description.
        origin: Where the spec says it.
        steps: The tests of each of its steps.
        functions: The functions that its steps call, each once.
        notes: What a reader must know about its data.
        settings: What the spec says of the whole, as the operation's row must hold it.
        nameless: Whether its one step goes by the operation's name, and so do its tests.
        at_once: Whether what keeps its first step from beginning is raised.
    """

    function: str
    constant: str
    subject: Operation
    origin: str
    description: str
    steps: tuple[StepTests, ...]
    functions: tuple[str, ...]
    notes: tuple[str, ...]
    settings: dict[str, object]
    confirms: bool
    atomic: bool
    progress: bool
    nameless: bool
    at_once: bool


@dataclass(frozen=True, slots=True)
class EntityTests:
    """One entity's test file."""

    name: str
    file: str
    source: str
    digest: str
    runtime: str
    operations: tuple[OperationTests, ...]

    @property
    def imports(self) -> str:
        """The names that the descriptions in the file need."""
        names = {"Operation", "Step"}
        for operation in self.operations:
            for step in operation.subject.steps:
                names |= {type(item).__name__ for item in (step.through, step.calls) if item}
                names |= {"ItemField"} if step.fields else set()
                names |= {"Column"} if step.lists else set()
            names |= {"Parameter"} if operation.subject.parameters else set()
        return ", ".join(sorted(names))

    @property
    def named_steps(self) -> bool:
        """Whether any operation has steps of their own names."""
        return not all(item.nameless for item in self.operations)


def test_cases(plan: Plan, project: Project) -> tuple[EntityTests, ...]:
    """Decide the tests of every planned entity that has operations.

    Args:
        plan: The entities that get a file.
        project: All entities, since a row may be referred to from any of them.
    """
    return tuple(_entity(item, project) for item in plan.entities if item.operations)


def _entity(planned: PlannedEntity, project: Project) -> EntityTests:
    entity = project.entity(planned.name)
    names: list[str] = []
    for item in entity.operations:
        names.append(naming.free(identifier(item.name), names))
    taken = list(names)
    operations: list[OperationTests] = []
    for name, item, plan in zip(names, entity.operations, planned.operations, strict=True):
        found = _operation(item, plan, project, name, taken)
        taken += [step.function for step in found.steps]
        operations.append(found)
    return EntityTests(
        name=entity.name,
        file=f"test_{identifier(naming.file_stem(entity.name))}.py",
        source=planned.source,
        digest=planned.digest,
        runtime=ident(planned.runtime),
        operations=tuple(operations),
    )


def _operation(
    operation: BatchOperation, planned: PlannedOperation, project: Project, name: str, taken: Sequence[str]
) -> OperationTests:
    parts = parts_of(operation, planned)
    names: list[str] = []
    for part in parts:
        names.append(naming.free(identifier(f"{name}_{part.planned.name}"), (*taken, *names)))
    if is_nameless(operation):
        names = [name]
    found = [_step(part, operation, planned, project, name) for part, name in zip(parts, names, strict=True)]
    subject = _subject(operation, planned, tuple(item.step for item in found))
    targets = [(part, project.entity(part.operation.entity)) for part in parts]
    said = operation.description or _unsaid(operation, planned, project)
    return OperationTests(
        function=name,
        constant=constant_name(name),
        subject=subject,
        origin=planned.origin,
        description=" ".join(said.split()),
        steps=tuple(
            replace(item, waiting=subject.waiting_for(item.step.name), behind=subject.behind(item.step.name))
            for item in found
        ),
        functions=tuple(dict.fromkeys(item.calls.name for item in subject.steps if item.calls)),
        notes=tuple(
            dict.fromkeys(note for part, target in targets for note in _notes(part, planned, target))
        ),
        settings={
            name: value
            for name, value in said_of(planned.settings).items()
            if is_nameless(operation) or name not in OF_STEPS
        },
        confirms=planned.requires_confirmation,
        atomic=planned.atomic,
        progress=bool(planned.settings.get("progress_tracking")),
        nameless=is_nameless(operation),
        at_once=is_planned_at_once(planned),
    )


def _unsaid(operation: BatchOperation, planned: PlannedOperation, project: Project) -> str:
    """What stands in place of a description."""
    if is_nameless(operation):
        return f"{operation.type} of {project.entity(operation.entity).name}"
    return f"steps of {planned.entity}"


def _subject(operation: BatchOperation, planned: PlannedOperation, steps: tuple[Step, ...]) -> Operation:
    runtime = ident(planned.runtime)
    return Operation(
        name=operation.name,
        call=_call_text("* FROM", planned, planned.call, dry_run=True),
        submit=_call_text("", planned, planned.submit, dry_run=False) if planned.submit else None,
        runtime=runtime,
        log_table=str(planned.settings.get("log_table", f"{runtime}.batch_operation_logs")),
        metrics_table=str(planned.settings.get("metrics_table", f"{runtime}.batch_performance_metrics")),
        steps=steps,
        parameters={item.name: Parameter(item.type, item.variable) for item in planned.parameters},
        preconditions=tuple(item.condition for item in planned.preconditions if not item.aggregate),
        aggregate_preconditions=tuple(item.condition for item in planned.preconditions if item.aggregate),
    )


def _step(
    part: Part, said: BatchOperation, whole: PlannedOperation, project: Project, function: str
) -> StepTests:
    target = project.entity(part.operation.entity)
    failures, invalid = ways_of(part, target, project)
    step = step_of(part, whole, target, failures)
    return StepTests(
        function=function,
        constant=constant_name(function),
        step=step,
        failures=failures,
        invalid=invalid,
        made=is_nameless(said) or _can_be_made(step),
        settings={name: value for name, value in said_of(part.planned.settings).items() if name in OF_STEPS},
    )


def _can_be_made(step: Step) -> bool:
    """Whether records of it can be made up: not what a query yields, nor what other tables decide about.

    An operation without named steps is tried all the same: it has hardly any other tests.
    """
    texts = (step.condition or "", *step.sets.values())
    return not isinstance(step.through, ResultOf) and not any(map(_SUBQUERY.search, texts))


def _call_text(
    start: str, planned: PlannedOperation, function: naming.QualifiedName, *, dry_run: bool
) -> str:
    """The call of a function of an operation, with psycopg's placeholders for its arguments."""
    # psycopg reads a percent sign as the beginning of a placeholder.
    arguments = [f"{ident(item.name)} => %({item.name})s::{item.type}" for item in planned.parameters]
    if dry_run:
        arguments.append("dry_run => %(dry_run)s")
    if planned.requires_confirmation:
        arguments.append("confirm => %(confirm)s")
    arguments.append("options => %(options)s")
    listed = ",\n        ".join(arguments)
    name = f"{ident(function.schema)}.{ident(function.name)}".replace("%", "%%")
    return f"\n    SELECT {start + ' ' if start else ''}{name}(\n        {listed}\n    )\n"


def identifier(text: str) -> str:
    """A name as Python names things."""
    return re.sub(r"\W", "_", text).strip("_").lower() or "unnamed"


def constant_name(name: str) -> str:
    """The constant that goes with a name."""
    return name.upper() if name[0].isalpha() else f"OPERATION_{name.upper()}"


def _notes(part: Part, whole: PlannedOperation, target: Entity) -> list[str]:
    """What the search for data may not be able to settle by itself."""
    condition = part.planned.condition
    texts = [(condition.origin, condition.sql)] if condition else []
    texts += [(f"precondition, {item.origin}", item.condition) for item in whole.preconditions]
    texts += [
        (f"check, {field.check.span.file}:{field.check.span.start.line}", field.check.source)
        for field in target.fields
        if field.check
    ]
    notes = []
    for origin, text in texts:
        called = [name for name in _CALLS.findall(text) if name.lower() not in _UNDERSTOOD]
        aggregate = any(item.aggregate and item.condition == text for item in whole.preconditions)
        if (called and not aggregate) or re.search(r"(?<!!)~(?!~)|similar to", text, re.IGNORECASE):
            notes.append(f"{origin}: {' '.join(text.split())}")
    return notes
