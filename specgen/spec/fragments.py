"""SQL fragments: expressions with ``:name`` parameters, parsed by PostgreSQL's own grammar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.diagnostics import Span


@dataclass(frozen=True, slots=True)
class ParameterName:
    """``:name`` or ``:name.field`` as it stands in a fragment."""

    name: str
    field: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column as it stands in a fragment, with its qualifier if it has one."""

    name: str
    qualifier: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one use of a parameter tells about its type; at most one attribute is set.

    Attributes:
        column: It is compared with this column, or joined to it by a number's operator.
        array_of: It is the array of ``column = ANY(:x)`` or ``column IN (:x)`` over this column.
        sql_type: It is cast to, or compared with a constant of, this type.
    """

    parameter: ParameterName
    column: str | None = None
    array_of: str | None = None
    sql_type: str | None = None


@dataclass(frozen=True, slots=True)
class SqlFragment:
    """One SQL expression of a spec.

    Attributes:
        source: The text as the user wrote it.
        span: Where it stands.
        parts: The text cut at its parameters; rendering joins them again.
        columns: Columns it names at its own level (not inside a subquery).
        evidence: What its uses of parameters tell about their types.
        aggregate: Whether an aggregate function is called at its own level.
    """

    source: str
    span: Span
    parts: tuple[str | ParameterName, ...]
    columns: tuple[ColumnName, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    aggregate: bool = False

    @property
    def parameters(self) -> tuple[ParameterName, ...]:
        """The parameters in order of appearance, repetitions included."""
        return tuple(part for part in self.parts if isinstance(part, ParameterName))

    def render(self, substitute: Callable[[ParameterName], str]) -> str:
        """Return the SQL text with every parameter replaced."""
        return "".join(part if isinstance(part, str) else substitute(part) for part in self.parts)
