"""What an operation or a step goes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from specgen.diagnostics import Span
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.model.operations import Step
    from specgen.spec.model.values import FieldType


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
        dates: How dates are written; None where PostgreSQL is to find out.
        timestamps: How dates with a time are.
    """

    columns: tuple[CsvColumn, ...]
    mapped: bool
    delimiter: str = ","
    has_header: bool = True
    quote: str = '"'
    escape: str = '"'
    encoding: str = "utf-8"
    null: str = ""
    dates: str | None = None
    timestamps: str | None = None


@dataclass(frozen=True, slots=True)
class ItemField:
    """A field of the current item and the type it is read as."""

    name: str
    type: FieldType


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
