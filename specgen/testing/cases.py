"""From plan and model to what each operation's tests are about, as values.

The tests themselves are the template's; here is decided what may be asked of an operation: which of
the entity's constraints a record can break, and which numbers its spec promises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.sqltext import ident
from specgen.testing.describe import constant_name, identifier, subject_of, ways_of
from specgen.testing.step_cases import stepped_tests

if TYPE_CHECKING:
    from specgen.plan.planned import PlannedOperation
    from specgen.plan.project import Plan, PlannedEntity
    from specgen.spec.model import BatchOperation, Entity, Project
    from specgen.testing.step_cases import SteppedTests
    from specgen.testing.subject import Operation

_CALLS = re.compile(r"([A-Za-z_][\w.]*)\s*\(")
_UNDERSTOOD = frozenset(
    {"length", "char_length", "lower", "upper", "btrim", "trim", "now", "in", "and", "or", "not", "any"}
)


@dataclass(frozen=True, slots=True)
class OperationCase:
    """One operation's tests.

    Attributes:
        function: Starts the names of its test functions.
        constant: Names its description in the file.
        subject: Its description.
        origin: Where the spec says it.
        failures: The ways a record of it can fail, by name.
        invalid: The ways a record of it can be invalid, where invalid ones are skipped.
        notes: What a reader must know about its data.
        settings: What the spec says, as the operation's row must hold it.
    """

    function: str
    constant: str
    subject: Operation
    origin: str
    description: str
    failures: tuple[str, ...]
    invalid: tuple[str, ...]
    notes: tuple[str, ...]
    settings: dict[str, object]
    confirms: bool
    atomic: bool
    progress: bool

    @property
    def shared(self) -> bool:
        """Whether many records can share one call."""
        return self.subject.source != "single"

    @property
    def writes(self) -> bool:
        """Whether it changes the table."""
        return self.subject.type != "select"


@dataclass(frozen=True, slots=True)
class EntityCases:
    """One entity's test file."""

    name: str
    file: str
    source: str
    digest: str
    runtime: str
    operations: tuple[OperationCase, ...]
    stepped: tuple[SteppedTests, ...] = ()

    @property
    def imports(self) -> str:
        """The names that the descriptions in the file need."""
        subjects = [item.subject for item in self.operations]
        subjects += [item.step.does for operation in self.stepped for item in operation.steps]
        names = ["ItemField"] if any(item.fields for item in subjects) else []
        names.append("Operation")
        passed = any(item.parameters for item in subjects) or any(
            item.subject.parameters for item in self.stepped
        )
        names += ["Parameter"] if passed else []
        return ", ".join(names)

    @property
    def step_imports(self) -> str:
        """The names that the descriptions of steps need."""
        return ", ".join(sorted({name for item in self.stepped for name in item.names}))


def test_cases(plan: Plan, project: Project) -> tuple[EntityCases, ...]:
    """Decide the tests of every planned entity that has operations.

    Args:
        plan: The entities that get a file.
        project: All entities, since a row may be referred to from any of them.
    """
    return tuple(_entity(item, project) for item in plan.entities if item.operations)


def _entity(planned: PlannedEntity, project: Project) -> EntityCases:
    entity = project.entity(planned.name)
    names: list[str] = []
    for item in entity.operations:
        names.append(naming.free(identifier(item.name), names))
    taken = list(names)
    operations: list[OperationCase] = []
    stepped: list[SteppedTests] = []
    for name, item, plan in zip(names, entity.operations, planned.operations, strict=True):
        if item.steps:
            found = stepped_tests(item, plan, project, name, taken)
            taken += [step.function for step in found.steps]
            stepped.append(found)
        else:
            operations.append(_operation(item, plan, project, name))
    return EntityCases(
        name=entity.name,
        file=f"test_{identifier(naming.file_stem(entity.name))}.py",
        source=planned.source,
        digest=planned.digest,
        runtime=ident(planned.runtime),
        operations=tuple(operations),
        stepped=tuple(stepped),
    )


def _operation(
    operation: BatchOperation, planned: PlannedOperation, project: Project, name: str
) -> OperationCase:
    target = project.entity(operation.entity)
    failures, invalid = ways_of(operation, planned, target, project)
    return OperationCase(
        function=name,
        constant=constant_name(name),
        subject=subject_of(operation, planned, target, failures),
        origin=planned.origin,
        description=" ".join((operation.description or f"{planned.type} of {target.name}").split()),
        failures=failures,
        invalid=invalid,
        notes=tuple(_notes(planned, target)),
        settings=planned.settings,
        confirms=planned.requires_confirmation,
        atomic=planned.atomic,
        progress=planned.progress_tracking,
    )


def _notes(planned: PlannedOperation, target: Entity) -> list[str]:
    """What the search for data may not be able to settle by itself."""
    texts = [(planned.condition_origin, planned.condition or "")]
    texts += [(f"precondition, {item.origin}", item.condition) for item in planned.preconditions]
    texts += [
        (f"check, {field.check.span.file}:{field.check.span.start.line}", field.check.source)
        for field in target.fields
        if field.check
    ]
    notes = []
    for origin, text in texts:
        called = [name for name in _CALLS.findall(text) if name.lower() not in _UNDERSTOOD]
        aggregate = any(item.aggregate and item.condition == text for item in planned.preconditions)
        if (called and not aggregate) or re.search(r"(?<!!)~(?!~)|similar to", text, re.IGNORECASE):
            notes.append(f"{origin}: {' '.join(text.split())}")
    return notes
