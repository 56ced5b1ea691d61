"""One batch operation as named SQL functions: every name, type and expression decided.

Templates print what stands here and decide nothing. The SQL of expressions is ready, parameters
replaced by the variables that hold them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.sqltext import ident
from specgen.spec.types import is_own

if TYPE_CHECKING:
    from specgen.plan.keys import PlannedKey
    from specgen.plan.naming import OperationNames, QualifiedName
    from specgen.spec.model import CsvFormat

_CONSTANT = re.compile(r"\s*(?:[\w ]*'(?:[^']|'')*'(?:::[\w ]+)?|-?[\d.]+|true|false|null)\s*", re.IGNORECASE)
"""A default that is the same each time it is computed."""


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """A column of an earlier step's output; ``element`` is its type."""

    step: str
    step_number: int
    column: str
    element: str


@dataclass(frozen=True, slots=True)
class PlannedParameter:
    """A parameter of the operation, or a list that an earlier step yields.

    Attributes:
        name: As callers write it.
        variable: What holds it inside the functions that contain the user's SQL.
        reason: Where the type comes from.
        output: Where a list comes from that no caller passes.
    """

    name: str
    variable: str
    type: str
    reason: str
    default: str | None
    description: str | None
    output: PlannedOutput | None = None

    @property
    def kept_as_text(self) -> bool:
        """Whether its value would be another after a way through jsonb."""
        return self.is_own or self.type.removesuffix("[]") in ("json", "jsonb")

    @property
    def is_own(self) -> bool:
        """Whether its type is the user's own: of unknown shape, and perhaps one that is never NULL."""
        return is_own(self.type)

    @property
    def is_looked_up(self) -> bool:
        """Whether its type is one of those, and named without its schema."""
        return self.is_own and "." not in self.type


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of the key that the operation walks by, and the variables that go with it.

    Attributes:
        type: Its type without a length or precision: a key that is cut to fit would be another row's.
    """

    column: str
    column_qualified: str
    type: str
    alias: str
    array: str
    slice: str
    from_: str
    upto: str

    @property
    def arrow(self) -> str:
        """How its value is read out of a JSON array."""
        return "->" if self.type in ("json", "jsonb") else "->>"

    @property
    def is_array(self) -> bool:
        """Whether it is an array, and there are no arrays of arrays: lists hold the texts of its values."""
        return self.type.endswith("[]")

    @property
    def is_opaque(self) -> bool:
        """Whether only PostgreSQL knows the shape of its values: a row may be one, or what is never NULL."""
        return self.is_array or is_own(self.type)

    @property
    def held_type(self) -> str:
        """The type of the elements of a list of its values."""
        return "text" if self.is_array else self.type

    @property
    def to_held(self) -> str:
        """The cast of its value to an element of a list."""
        return "::text" if self.is_array else ""

    @property
    def from_held(self) -> str:
        """The cast of an element of a list to its value."""
        return f"::{self.type}" if self.is_array else ""

    @property
    def to_json(self) -> str:
        """The cast of its value to what JSON gives back as it was."""
        return "::text" if self.is_opaque else ""

    @property
    def bound_type(self) -> str:
        """The type of the variables that hold where a range goes on and ends."""
        return "text" if self.is_opaque else self.type

    @property
    def from_value(self) -> str:
        """Where a range goes on, as a value of its type."""
        return f"{ident(self.from_)}::{self.type}" if self.is_opaque else ident(self.from_)

    @property
    def upto_value(self) -> str:
        """Where a range ends, as a value of its type."""
        return f"{ident(self.upto)}::{self.type}" if self.is_opaque else ident(self.upto)


@dataclass(frozen=True, slots=True)
class PlannedItemField:
    """A field of the handed-in records; ``alias`` is its name where the target's columns are visible too."""

    name: str
    type: str
    alias: str


@dataclass(frozen=True, slots=True)
class PlannedAssignment:
    """A column and the SQL of its value."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Match:
    """A column by which a record finds its row, and the SQL of the record's value."""

    column: str
    column_qualified: str
    value: str


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """The function that a batch calls.

    Attributes:
        function: As SQL names it.
        arguments: As SQL writes them, the current record being ``item``.
        collected: Whether one call takes the values of a whole slice, each field as an array.
        origin: Where the spec names it.
    """

    function: str
    arguments: tuple[str, ...]
    collected: bool
    origin: str


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of an operation.

    Attributes:
        number: Its place in the order in which the steps run, counted from 1.
        depends_on: The numbers of the steps that must be done before.
        waits_for: Their names.
        kept: Whether its output is kept.
    """

    name: str
    number: int
    depends_on: tuple[int, ...]
    waits_for: tuple[str, ...]
    operation: PlannedOperation
    kept: bool


@dataclass(frozen=True, slots=True)
class PlannedPrecondition:
    """A precondition and how its failure reads."""

    condition: str
    aggregate: bool
    message: str
    origin: str


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A validation rule.

    Attributes:
        source: As the spec says it.
        column: The column that it is about, if it is about one.
        column_qualified: The same, as SQL reads its value.
    """

    condition: str
    source: str
    column: str | None
    column_qualified: str
    origin: str


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table that an operation has instead of the one all share, and that one."""

    name: QualifiedName
    like: QualifiedName


@dataclass(frozen=True, slots=True)
class PlannedFunction:
    """A function as the catalog knows it.

    Attributes:
        argument_types: As SQL writes them, in order.
        signature: A hash of all that CREATE OR REPLACE cannot change.
    """

    schema: str
    name: str
    argument_types: tuple[str, ...]
    signature: str
    comment: str


@dataclass(frozen=True, slots=True)
class PlannedOperation:
    """Everything the templates say about one operation.

    Attributes:
        quote: The dollar quote around the functions' bodies, which nothing in them contains.
        relation: A query whose rows are the records, each as jsonb in its column ``record``.
        reads_step: The step whose output that query reads, and what the spec calls its rows.
        source_parameters: What that query, or the list of keys of a step, needs.
        keeps_output: For a function's results, whether they are kept.
        reads_rows: Whether its records are rows, all with the same columns.
        contract: A digest of what its functions read of an operation's stored row.
        is_step: Whether it is a step, whose functions get everything from the operation's row.
        steps: The steps of an operation that does nothing by itself.
        handed_in_records: Parameters whose records its steps go through, and the fields that they read.
        key: The columns by which it tells rows, and what the table has to promise of them.
        identity_key: The columns that tell its records apart.
        sources: The pieces of SQL in its functions, as the spec has them.
    """

    name: str
    type: str
    entity: str
    origin: str
    description: str | None
    runtime: str
    search_path: tuple[str, ...]
    table: QualifiedName
    names: OperationNames
    parameters: tuple[PlannedParameter, ...]
    kept_parameters: tuple[PlannedParameter, ...]
    where_parameters: tuple[PlannedParameter, ...]
    write_parameters: tuple[PlannedParameter, ...]
    handed_in: PlannedParameter | None
    walks_rows: bool
    hands_in_keys: bool
    hands_in_records: bool
    keys: tuple[KeyColumn, ...]
    condition: str | None
    condition_origin: str
    assignments: tuple[PlannedAssignment, ...]
    assignments_kept: tuple[PlannedAssignment, ...]
    conflict_target: tuple[str, ...]
    update_columns: tuple[str, ...]
    returning: tuple[str, ...]
    returning_all: tuple[str, ...]
    tie_columns: tuple[str, ...]
    item_alias: str
    number_alias: str
    item_fields: tuple[PlannedItemField, ...]
    item_key_fields: tuple[str, ...]
    matches: tuple[Match, ...]
    meets_many: bool
    sieve: tuple[str, ...]
    sieve_columns: tuple[PlannedAssignment, ...]
    sieve_place: str
    identity: tuple[str, ...]
    identity_label: str
    identity_fields: tuple[PlannedItemField, ...]
    identity_parameters: tuple[PlannedParameter, ...]
    rules: tuple[PlannedRule, ...]
    rule_columns: tuple[PlannedAssignment, ...]
    rule_parameters: tuple[PlannedParameter, ...]
    validates: bool
    csv: CsvFormat | None
    reject_file: str | None
    preconditions: tuple[PlannedPrecondition, ...]
    settings: dict[str, object]
    requires_confirmation: bool
    atomic: bool
    progress_tracking: bool
    lock_timeout_ms: int | None
    own_tables: tuple[OwnTable, ...]
    clashes: bool
    grants: tuple[str, ...]
    functions: tuple[PlannedFunction, ...]
    quote: str = ""
    relation: str | None = None
    relation_origin: str = ""
    reads_step: str | None = None
    reads_as: str = ""
    reads_rows: bool = False
    source_parameters: tuple[PlannedParameter, ...] = ()
    call_function: PlannedCall | None = None
    keeps_output: bool = False
    is_step: bool = False
    contract: str = ""
    steps: tuple[PlannedStep, ...] = ()
    handed_in_records: tuple[tuple[PlannedParameter, tuple[str, ...]], ...] = ()
    key: PlannedKey | None = None
    identity_key: PlannedKey | None = None
    sources: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What it does, in a word: a lone step is what the spec calls the operation."""
        if len(self.steps) == 1 and self.steps[0].name == self.steps[0].operation.type:
            return self.steps[0].name
        return self.type

    @property
    def by_key(self) -> bool:
        """Whether a batch is a list of keys, not of records."""
        return self.walks_rows or self.hands_in_keys

    @property
    def by_record(self) -> bool:
        """Whether a batch is a list of records that were handed in or read from a relation."""
        return self.hands_in_records or self.relation is not None

    @property
    def json_fields(self) -> tuple[str, ...]:
        """The fields of handed-in records in which a null is JSON's; those of a relation's rows are NULL."""
        if not self.hands_in_records:
            return ()
        return tuple(item.name for item in self.item_fields if item.type in ("json", "jsonb"))

    @property
    def record_alias(self) -> str:
        """What a whole record is called beside its fields."""
        return naming.free("item_record", (self.number_alias, *(item.name for item in self.item_fields)))

    @property
    def moving(self) -> tuple[str, ...]:
        """The parameters whose defaults may be another value with every call."""
        return tuple(
            item.name for item in self.parameters if item.default and not _CONSTANT.fullmatch(item.default)
        )

    @property
    def fallible_fields(self) -> tuple[PlannedItemField, ...]:
        """The records' fields of which not every value can be read."""
        return tuple(field for field in self.item_fields if field.type not in ("text", "json", "jsonb"))

    @property
    def joins_records(self) -> bool:
        """Whether its statement finds rows by the records of a batch."""
        return self.by_record and self.call_function is None and self.type not in ("insert", "upsert")

    @property
    def lasting(self) -> tuple[PlannedParameter, ...]:
        """The parameters by which a call is told from another: those that do not move by themselves."""
        return tuple(item for item in self.parameters if item.output is None and item.name not in self.moving)

    @property
    def can_be_empty(self) -> bool:
        """Whether a batch of no records does nothing, and yet shows that its statement can be carried out."""
        return self.call_function is None and (self.by_key or self.by_record)

    @property
    def blames_batches(self) -> bool:
        """Whether a batch that fails is recorded whole."""
        return self.settings["error_isolation"] == "batch"

    @property
    def takes_keys(self) -> bool:
        """Whether its functions are passed the keys as an argument."""
        return self.hands_in_keys and not self.is_step

    @property
    def takes_records(self) -> bool:
        """Whether its functions are passed the records as an argument."""
        return self.hands_in_records and not self.is_step

    @property
    def plan_parameters(self) -> tuple[PlannedParameter, ...]:
        """What a step's planning reads: the names of its condition, its list, or its records' identity."""
        if self.walks_rows:
            return self.where_parameters
        return self.identity_parameters if self.relation else self.source_parameters

    @property
    def input(self) -> str:
        """The variable with the range as it is worked on; invalid records have left it."""
        return "v_input" if self.validates else "p_range"

    @property
    def count(self) -> str:
        """The variable with the number of records that are tried."""
        return "v_tried" if self.validates else "v_count"

    @property
    def loads(self) -> bool:
        """Whether records can be loaded into its ranges before it begins."""
        return self.takes_records and not self.atomic

    @property
    def number(self) -> str:
        """A record's place among the items, counted from 1."""
        return f"{ident(self.item_alias)}.{ident(self.number_alias)}"

    @property
    def draws_keys(self) -> bool:
        """Whether an insert that keeps its rows computes their keys, which a table may want to generate."""
        return len(self.assignments_kept) > len(self.assignments)

    @property
    def call(self) -> QualifiedName:
        """The operation in one call."""
        return self.names.call

    @property
    def submit(self) -> QualifiedName:
        """Plans it for workers."""
        return self.names.submit

    @property
    def plan(self) -> QualifiedName:
        """Checks, counts, decides."""
        return self.names.plan

    @property
    def start(self) -> QualifiedName:
        """Stores an operation of several steps."""
        return self.names.start

    @property
    def ranges(self) -> QualifiedName:
        """Cuts it into pieces."""
        return self.names.ranges

    @property
    def batch(self) -> QualifiedName:
        """Writes one batch."""
        return self.names.batch

    @property
    def validate(self) -> QualifiedName:
        """Tells the invalid records of a batch."""
        return self.names.validate

    @property
    def tells(self) -> QualifiedName:
        """Tells by what records are told apart."""
        return self.names.identity

    @property
    def repeated(self) -> QualifiedName:
        """Marks the loaded records that are the same as an earlier one."""
        return self.names.repeated

    @property
    def columns_qualified(self) -> tuple[str, ...]:
        """The key's columns, qualified by their table."""
        return tuple(key.column_qualified for key in self.keys)

    @property
    def columns_descending(self) -> tuple[str, ...]:
        """The key's columns for a descending order."""
        return tuple(f"{key.column_qualified} DESC" for key in self.keys)

    @property
    def from_variables(self) -> tuple[str, ...]:
        """The variables that hold where a range goes on."""
        return tuple(key.from_value for key in self.keys)

    @property
    def upto_variables(self) -> tuple[str, ...]:
        """The variables that hold where a range ends."""
        return tuple(key.upto_value for key in self.keys)
