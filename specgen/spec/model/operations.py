"""Operations and their steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from specgen.spec.model.policies import ErrorPolicy, Limits, Notifications, Reporting, Workers
from specgen.spec.model.sources import RelationSource, StepRows, Steps
from specgen.spec.patterns import BATCH_OPERATIONS

if TYPE_CHECKING:
    from specgen.diagnostics import Span
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.model.sources import Source
    from specgen.spec.model.values import FieldType, Value


class OperationType(StrEnum):
    """What an operation does to its target."""

    UPDATE = "update"
    INSERT = "insert"
    UPSERT = "upsert"
    DELETE = "delete"
    SELECT = "select"
    CUSTOM_FUNCTION = "custom_function"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Assignment:
    """One ``column: value`` of ``update_data``, ``insert_data`` or ``upsert_data``."""

    column: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a called function.

    Attributes:
        name: For ``name => value``; nothing where its place tells.
        collected: Whether the function gets one array of the batch's values, instead of a call each.
    """

    name: str | None
    value: Value
    collected: bool = False


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """What a ``custom_function`` calls."""

    schema: str | None
    name: str
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class OutputList:
    """A name that stands for one column of an earlier step's output, as an array."""

    name: str
    step: str
    column: str
    type: FieldType
    span: Span


@dataclass(frozen=True, slots=True)
class DeclaredParameter:
    """An entry of ``parameters``.

    Attributes:
        type: The declared type, or nothing when only a default or a description was given.
        default: A SQL expression without parameters or columns.
    """

    name: str
    type: FieldType | None
    default: SqlFragment | None
    description: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Precondition:
    """One entry of ``preconditions``.

    Attributes:
        aggregate: Whether it uses an aggregate and so is evaluated over the target table.
    """

    fragment: SqlFragment
    aggregate: bool


@dataclass(frozen=True, slots=True)
class Validation:
    """What records must be before they are written, and what becomes of those that are not.

    Attributes:
        rules: Conditions over the row as it will be written; one that is not true makes it invalid.
        skip_invalid: Invalid records are skipped; else they are errors.
        reject_file: Where ``specgen run`` writes rejected lines.
    """

    rules: tuple[SqlFragment, ...] = ()
    skip_invalid: bool = False
    reject_file: str | None = None

    @property
    def looks(self) -> bool:
        """Whether records are looked at before they are written."""
        return bool(self.rules) or self.skip_invalid


@dataclass(frozen=True, slots=True)
class BatchOperation:
    """One operation of an entity.

    Attributes:
        name: The SQL function's name.
        entity: The name of the target entity.
        data: What is written, column by column.
        where: The whole condition as written; for a :class:`KeySource` its remainder is what the
            batches repeat.
        returning: Columns kept of what was written, the key first; empty when nothing is kept.
        call: The function that a ``custom_function`` calls.
        lists: The names that stand for columns of earlier steps' outputs.
    """

    pattern: ClassVar[str] = BATCH_OPERATIONS
    """The pattern that it is read from."""

    name: str
    span: Span
    entity: str
    type: OperationType
    source: Source
    description: str | None = None
    data: tuple[Assignment, ...] = ()
    where: SqlFragment | None = None
    conflict_target: tuple[str, ...] = ()
    update_columns: tuple[str, ...] = ()
    select_fields: tuple[str, ...] = ()
    returning: tuple[str, ...] = ()
    parameters: tuple[DeclaredParameter, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    validation: Validation = field(default_factory=Validation)
    limits: Limits = field(default_factory=Limits)
    errors: ErrorPolicy = field(default_factory=ErrorPolicy)
    reporting: Reporting = field(default_factory=Reporting)
    notifications: Notifications = field(default_factory=Notifications)
    workers: Workers = field(default_factory=Workers)
    grants: tuple[str, ...] = ()
    call: FunctionCall | None = None
    lists: tuple[OutputList, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its steps, in the order in which they run; none for an operation that is one by itself."""
        return self.source.steps if isinstance(self.source, Steps) else ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The steps whose outputs it reads, for a step of an operation."""
        found = [item.step for item in self.lists]
        match self.source:
            case RelationSource(relation=StepRows(step)):
                found.append(step)
            case _:
                pass
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an operation: an operation of its own, and what must be done before it.

    Attributes:
        name: As the spec calls it.
        operation: What it does; its name is the operation's and the step's, joined.
        depends_on: The names of the steps that must be done before, those included whose output it reads.
        timeout_ms: How long this step may take; the operation's own limit holds besides.
        kept: Whether its output is kept.
    """

    name: str
    span: Span
    operation: BatchOperation
    depends_on: tuple[str, ...]
    timeout_ms: int | None = None
    kept: bool = False
