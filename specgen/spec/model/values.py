"""What a column can hold: its type, literals, references and SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from specgen.diagnostics import Span
    from specgen.spec.fragments import SqlFragment


Scalar: TypeAlias = str | int | float | bool | None
Data: TypeAlias = "Scalar | tuple[Data, ...] | dict[str, Data]"


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
