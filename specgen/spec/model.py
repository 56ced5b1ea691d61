"""The model: what a set of spec files means, independent of YAML and of SQL text.

Every value here is valid: names resolve, literals fit their columns, SQL fragments parse. The plan
builds on that and never checks again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from specgen.diagnostics import Span
    from specgen.spec.fragments import SqlFragment

Scalar: TypeAlias = str | int | float | bool | None
Data: TypeAlias = "Scalar | tuple[Data, ...] | dict[str, Data]"


class OperationType(StrEnum):
    """What an operation does to its target."""

    UPDATE = "update"
    INSERT = "insert"
    UPSERT = "upsert"
    DELETE = "delete"
    SELECT = "select"
    CUSTOM_FUNCTION = "custom_function"
    STEPS = "steps"


class ErrorHandling(StrEnum):
    """What happens after a record fails."""

    CONTINUE_ON_ERROR = "continue_on_error"
    STOP_ON_ERROR = "stop_on_error"
    COLLECT_ERRORS = "collect_errors"


class ErrorIsolation(StrEnum):
    """What a failure is blamed on."""

    RECORD = "record"
    BATCH = "batch"


class OnLimit(StrEnum):
    """What happens when more records match than ``max_records``."""

    STOP = "stop"
    FAIL = "fail"


class ParallelRuns(StrEnum):
    """Whether an operation may run twice at the same time."""

    ALLOW = "allow"
    EXCLUSIVE = "exclusive"


class LoggingLevel(StrEnum):
    """How much is written to the log table."""

    NONE = "none"
    BASIC = "basic"
    DETAILED = "detailed"


@dataclass(frozen=True, slots=True)
class FieldType:
    """A column's type.

    Attributes:
        sql: The type as PostgreSQL reads it, such as ``numeric(10,2)`` or ``text[]``.
        base: The element type without modifiers or brackets, such as ``numeric`` or ``text``.
        array: Whether the column holds an array of ``base``.
        enum: The allowed values of an ``enum(a, b)``; stored as text with a check.
    """

    sql: str
    base: str
    array: bool = False
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Literal:
    """A YAML value that was checked against the type it is assigned to.

    Attributes:
        value: The plain value; lists are tuples.
        span: Where it stands.
    """

    value: Data
    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """``:name`` or ``:name.field``: a parameter, or a field of the current item.

    Attributes:
        name: The first part, without the colon.
        field: The part after the dot, if there is one.
        span: Where it stands.
    """

    name: str
    field: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Expression:
    """A value given as SQL: ``NOW()``, a keyword, or ``{sql: ...}``."""

    fragment: SqlFragment


@dataclass(frozen=True, slots=True)
class Defaulted:
    """A field of the current item, and where it is NULL or missing the default of its column."""

    item: Reference


Value: TypeAlias = Literal | Reference | Expression | Defaulted


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``references: entity.column``, resolved."""

    entity: str
    column: str
    on_delete: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Field:
    """One column of an entity."""

    name: str
    type: FieldType
    span: Span
    nullable: bool = True
    default: Value | None = None
    unique: bool = False
    check: SqlFragment | None = None
    references: ForeignKey | None = None
    generated: SqlFragment | None = None
    description: str | None = None
    examples: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a managed entity."""

    columns: tuple[str, ...]
    span: Span
    unique: bool = False
    where: SqlFragment | None = None
    method: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One ``column: value`` of ``update_data``, ``insert_data`` or ``upsert_data``."""

    column: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class RowSource:
    """The target's rows that meet the operation's condition, in key order."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """An array of keys that the caller hands in: ``pk = ANY(:ids)`` or ``pk IN (:ids)``.

    Attributes:
        parameter: The array's parameter.
        column: The key column.
        remainder: What the condition says besides, or nothing.
        span: Where the parameter is named.
    """

    parameter: str
    column: str
    remainder: SqlFragment | None
    span: Span


@dataclass(frozen=True, slots=True)
class CsvColumn:
    """Where the value of an item field stands in a CSV file.

    Attributes:
        field: The item field.
        position: Counted from 1, when the spec names the column so.
        header: The name in the header otherwise.
        required: Whether a file without such a column cannot be imported.
    """

    field: str
    position: int | None
    header: str | None
    required: bool = True


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How the CSV files of an operation are written.

    Attributes:
        columns: What is read of them.
        mapped: Whether the spec names the columns; else a file may hold no others.
        quote: The quote character; empty when there is none.
        escape: What stands before a quote inside quotes.
        null: The unquoted text that means NULL.
    """

    columns: tuple[CsvColumn, ...]
    mapped: bool
    delimiter: str = ","
    has_header: bool = True
    quote: str = '"'
    escape: str = '"'
    encoding: str = "utf-8"
    null: str = ""


@dataclass(frozen=True, slots=True)
class RecordSource:
    """``data_source: :records``, a jsonb array of objects, or ``csv_file``.

    Attributes:
        parameter: The array's parameter.
        fields: The item fields that the operation reads, each with its column's type, in order of
            appearance; for an update or delete the match columns come first.
        match_on: The columns by which an update or delete finds its row (default: the primary key).
        span: Where the source is named.
        csv: The format of the files that it can be loaded from besides, for ``csv_file``.
    """

    parameter: str
    fields: tuple[ItemField, ...]
    match_on: tuple[str, ...]
    span: Span
    csv: CsvFormat | None = None


@dataclass(frozen=True, slots=True)
class ItemField:
    """A field of the current item and the type it is read as."""

    name: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class SingleSource:
    """No source: an insert or upsert of one record made from parameters and constants."""


@dataclass(frozen=True, slots=True)
class StepRows:
    """The output of an earlier step, by the step's name."""

    step: str


@dataclass(frozen=True, slots=True)
class TableRows:
    """``{table: staging.products}``; ``order_by`` is its key, where an entity tells it."""

    schema: str
    table: str
    order_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryRows:
    """``{query: "SELECT ..."}``."""

    query: SqlFragment


@dataclass(frozen=True, slots=True)
class ListRows:
    """The elements of an array that the caller hands in, or with ``records`` of a jsonb array."""

    parameter: str
    records: bool
    span: Span


Relation: TypeAlias = StepRows | TableRows | QueryRows | ListRows


@dataclass(frozen=True, slots=True)
class RelationSource:
    """The rows of a relation, taken once when the step is planned; each is a record.

    Attributes:
        names: What the current record is called: ``:item.price``, ``:usage.amount``; the last is one that the
            spec uses, if it uses any.
        fields: The fields that the step reads; a list's element is ``value``.
        match_on: The columns by which an update or delete finds its row.
    """

    relation: Relation
    names: tuple[str, ...]
    fields: tuple[ItemField, ...]
    match_on: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Steps:
    """An operation of several steps, in the order in which they run."""

    steps: tuple[Step, ...]


Source: TypeAlias = RowSource | KeySource | RecordSource | SingleSource | RelationSource | Steps


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
class MaxErrors:
    """``max_errors``: an absolute number, or a percentage judged after 100 records."""

    count: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """``retry`` for deadlock, serialization failure and lock timeout.

    Attributes:
        max_attempts: Attempts a batch gets in all, the first included.
        backoff_ms: Wait before the second attempt, in milliseconds; doubled for each further one.
    """

    max_attempts: int = 3
    backoff_ms: int = 100


@dataclass(frozen=True, slots=True)
class Precondition:
    """One entry of ``preconditions``.

    Attributes:
        aggregate: Whether it uses an aggregate and so is evaluated over the target table.
    """

    fragment: SqlFragment
    aggregate: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Section 4 of the language: limits and safety.

    Times are whole milliseconds.
    """

    batch_size: int = 1000
    max_records: int | None = None
    on_limit: OnLimit = OnLimit.STOP
    timeout_ms: int | None = None
    lock_timeout_ms: int | None = None
    statement_timeout_ms: int | None = None
    requires_confirmation: bool = False
    parallel_runs: ParallelRuns = ParallelRuns.ALLOW
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """Section 5 of the language: errors."""

    handling: ErrorHandling = ErrorHandling.CONTINUE_ON_ERROR
    isolation: ErrorIsolation = ErrorIsolation.RECORD
    max_errors: MaxErrors = field(default_factory=MaxErrors)
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True)
class Reporting:
    """Section 7 of the language: progress, logs, metrics."""

    progress_tracking: bool = False
    logging_level: LoggingLevel = LoggingLevel.BASIC
    log_table: str | None = None
    metrics_table: str | None = None
    collect_metrics: bool = False


@dataclass(frozen=True, slots=True)
class Notifications:
    """Section 7 of the language: who is told, and what.

    Attributes:
        interval: Records after which another progress notification is sent.
        message: The text with ``{field}``s of the result; the runtime's own when there is none.
        channels: The names under which ``specgen notify`` knows where to.
    """

    interval: int | None = None
    on_completion: bool = False
    message: str | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workers:
    """Who works on a submitted operation: section 8 of the language, and what 5 and 7 say of workers.

    Attributes:
        parallel: Whether it was said that several workers do it.
        max_workers: How many do batches of it at the same time; None for any number.
        batch_size: Records per batch of a submitted operation; None for ``batch_size``.
        max_errors: Failed records of one worker after which the operation stops.
        heartbeat_ms: How often a worker shows that it is alive.
    """

    parallel: bool = False
    max_workers: int | None = None
    batch_size: int | None = None
    max_errors: int | None = None
    heartbeat_ms: int | None = None


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


@dataclass(frozen=True, slots=True)
class BatchOperation:
    """One ``batch_operations`` pattern.

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


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity and the operations that its file declares.

    Attributes:
        name: The entity's name.
        file: The spec file as the user named it, with forward slashes.
        document: Which YAML document of the file this is, counted from 0.
        digest: SHA-256 of the file's bytes, in hex.
    """

    name: str
    span: Span
    file: str
    document: int
    digest: str
    schema: str
    table: str
    managed: bool
    fields: tuple[Field, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    operations: tuple[BatchOperation, ...] = ()
    description: str | None = None

    def field(self, name: str) -> Field:
        """Return the field of that name.

        Raises:
            KeyError: There is none.
        """
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of a project, relative to ``specgen.yaml``."""

    entities: Path = Path("entities")
    sql: Path = Path("generated")
    tests: Path = Path("tests/generated")
    migrations: Path = Path("migrations")


@dataclass(frozen=True, slots=True)
class Channel:
    """Where the messages of a channel go: a URL, or the environment variable that holds it."""

    name: str
    url: str | None = field(default=None, repr=False)
    env: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``specgen.yaml`` says, defaults filled in.

    Attributes:
        root: The folder that relative paths start from.
        postgres: The oldest server version the SQL must run on.
        setup_sql: Files loaded before anything generated, by ``test run`` and the demo.
        defaults: Operation keys given for all operations, as plain data.
    """

    root: Path = Path()
    schema: str = "public"
    runtime_schema: str = "public"
    search_path: tuple[str, ...] = ("public",)
    postgres: int = 15
    paths: Paths = field(default_factory=Paths)
    setup_sql: tuple[Path, ...] = ()
    notifications: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """All entities of a run, in the order of their files, and the settings they share."""

    settings: Settings
    entities: tuple[Entity, ...]

    def entity(self, name: str) -> Entity:
        """Return the entity of that name.

        Raises:
            KeyError: There is none.
        """
        for candidate in self.entities:
            if candidate.name == name:
                return candidate
        raise KeyError(name)
