"""What a step goes through, batch by batch: a union, each kind with what only it has.

A kind's name is the name of its template in ``steps/driving``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from specgen.plan import naming
from specgen.plan.parts import FunctionArgument
from specgen.plan.sqltext import ident

if TYPE_CHECKING:
    from specgen.plan.parts import KeyColumn, Match, PlannedItemField, PlannedParameter, Routine
    from specgen.spec.model import CsvFormat

RECORDS = (FunctionArgument("p_records", "jsonb"),)
"""How a function takes the records of a batch."""


@dataclass(frozen=True, slots=True)
class WalkedKey:
    """The columns of the key in whose order batches are cut."""

    columns: tuple[KeyColumn, ...]

    @property
    def qualified(self) -> tuple[str, ...]:
        """The columns, qualified by their table."""
        return tuple(key.column_qualified for key in self.columns)

    def selected(self, runtime: str) -> tuple[str, ...]:
        """The same in the types that the spec has for them, which the table may only resemble.

        Args:
            runtime: The schema of what makes texts that every session reads alike.
        """
        return tuple(
            f"{ident(runtime)}.batch_text({key.column_qualified})"
            if key.is_opaque
            else f"{key.column_qualified}::{key.type}"
            for key in self.columns
        )

    @property
    def from_values(self) -> tuple[str, ...]:
        """Where a range goes on."""
        return tuple(key.from_value for key in self.columns)

    @property
    def upto_values(self) -> tuple[str, ...]:
        """Where a range ends."""
        return tuple(key.upto_value for key in self.columns)

    @property
    def returned(self) -> str:
        """What functions return that give keys."""
        if len(self.columns) == 1:
            return f"SETOF {self.columns[0].bound_type}"
        return f"TABLE ({', '.join(f'{ident(key.alias)} {key.bound_type}' for key in self.columns)})"

    @property
    def listed(self) -> tuple[FunctionArgument, ...]:
        """How a function takes a list of keys: an array for each column."""
        return tuple(FunctionArgument(key.array, f"{key.held_type}[]") for key in self.columns)

    @property
    def bounds(self) -> tuple[FunctionArgument, ...]:
        """How a function takes the keys between which a batch lies, and whether the second belongs to it."""
        return (
            *(FunctionArgument(key.from_, key.bound_type) for key in self.columns),
            *(FunctionArgument(key.upto, key.bound_type) for key in self.columns),
            FunctionArgument("p_last", "boolean"),
        )


@dataclass(frozen=True, slots=True)
class RecordShape:
    """How the records of a batch are read.

    Attributes:
        alias: What the current record is called.
        number_alias: What its place is called beside its fields.
        key_fields: The fields that tell a record.
        json_fields: The fields in which a null is JSON's; those of a relation's rows are NULL.
        matches: The columns by which a record finds its row; none where it makes one.
        meets_many: Whether nothing promises that it meets one row at most.
    """

    alias: str
    number_alias: str
    fields: tuple[PlannedItemField, ...]
    key_fields: tuple[str, ...]
    json_fields: tuple[str, ...]
    matches: tuple[Match, ...]
    meets_many: bool

    @property
    def number(self) -> str:
        """A record's place among those of its batch, counted from 1."""
        return f"{ident(self.alias)}.{ident(self.number_alias)}"

    @property
    def record_alias(self) -> str:
        """What a whole record is called beside its fields."""
        return naming.free("item_record", (self.number_alias, *(item.name for item in self.fields)))


@dataclass(frozen=True, slots=True)
class Rows:
    """The target's rows that meet the condition, in the order of their key.

    Attributes:
        listing: Gives the keys of all of them.
        between: Gives those from one key to another.
    """

    kind: ClassVar[str] = "rows"

    key: WalkedKey
    listing: Routine
    between: Routine


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of rows, in a parameter.

    Attributes:
        matching: Gives those of a list whose rows would be written, where a failing batch is recorded whole
            and that has to be told.
    """

    kind: ClassVar[str] = "keys"

    key: WalkedKey
    parameter: PlannedParameter
    matching: Routine | None


@dataclass(frozen=True, slots=True)
class Records:
    """Records that the caller hands in, or loads from a file.

    Attributes:
        csv: How its files are written, where the spec says so.
    """

    kind: ClassVar[str] = "records"

    shape: RecordShape
    parameter: PlannedParameter
    csv: CsvFormat | None


@dataclass(frozen=True, slots=True)
class Query:
    """A query, taken once when the step begins; ``routine`` gives its records.

    Attributes:
        same_columns: Whether all of them have the same.
    """

    kind: ClassVar[str] = "query"

    sql: str
    origin: str
    routine: Routine
    same_columns: bool


@dataclass(frozen=True, slots=True)
class Output:
    """What an earlier step yields; ``called`` is what the spec calls its current row."""

    kind: ClassVar[str] = "output"

    step: str
    step_number: int
    called: str


@dataclass(frozen=True, slots=True)
class Relation:
    """The rows of a relation, each of them a record."""

    kind: ClassVar[str] = "relation"

    shape: RecordShape
    reads: Query | Output


@dataclass(frozen=True, slots=True)
class Single:
    """One record, made from the parameters."""

    kind: ClassVar[str] = "single"

    shape: RecordShape


Driving: TypeAlias = Rows | Keys | Records | Relation | Single
