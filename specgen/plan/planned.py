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

if TYPE_CHECKING:
    from specgen.plan.keys import PlannedKey
    from specgen.plan.naming import OperationNames, QualifiedName
    from specgen.plan.parts import (
        KeyColumn,
        Match,
        OwnTable,
        PlannedAssignment,
        PlannedCall,
        PlannedFunction,
        PlannedItemField,
        PlannedParameter,
        PlannedPrecondition,
        PlannedRule,
    )
    from specgen.spec.model import CsvFormat

_CONSTANT = re.compile(r"\s*(?:[\w ]*'(?:[^']|'')*'(?:::[\w ]+)?|-?[\d.]+|true|false|null)\s*", re.IGNORECASE)
"""A default that is the same each time it is computed."""


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
    def reads_slice(self) -> bool:
        """Whether its statement reads the records that are tried; one without any has its values alone."""
        return not self.by_key and (self.by_record or self.call_function is not None or bool(self.returning))

    @property
    def tells_records(self) -> bool:
        """Whether rows that it inserts are kept, each as that of the record which it was made of."""
        return self.type in ("insert", "upsert") and bool(self.returning)

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
