"""What an entity's own constraints tell about a row before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident, literal, one_line_strings
from specgen.spec.model import Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specgen.plan.parts import PlannedAssignment
    from specgen.spec.model import Entity, Field, Value


@dataclass(frozen=True, slots=True)
class Sieve:
    """What tells beforehand which records a batch will fail on.

    Attributes:
        conditions: Any of them means refusal.
        columns: The row as it would be written, as far as they look at it, and its place in the batch.
        place: The name of that last column.
    """

    conditions: tuple[str, ...]
    columns: tuple[PlannedAssignment, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A condition under which a row would be refused, and the columns that it looks at."""

    condition: str
    columns: frozenset[str]


def refusals(entity: Entity, written: Mapping[str, Value]) -> tuple[Refusal, ...]:
    """Return the conditions under which a row would be refused, as far as only the database can tell.

    Args:
        entity: The target.
        written: The columns that the operation assigns, and what; constraints on others cannot newly fail.
    """
    return tuple(found for field in entity.fields for found in _field_refusals(field, entity, written))


def _field_refusals(field: Field, entity: Entity, written: Mapping[str, Value]) -> Iterator[Refusal]:
    column, only = f"{ident(entity.table)}.{ident(field.name)}", frozenset({field.name})
    if field.name in written and not _is_kept(field, written[field.name]):
        if not field.nullable or field.name in entity.primary_key:
            yield Refusal(f"{column} IS NULL", only)
        if field.type.enum:
            values = ", ".join(literal(value) for value in field.type.enum)
            refused = (
                f"NOT ({column} <@ ARRAY[{values}])" if field.type.array else f"{column} NOT IN ({values})"
            )
            yield Refusal(refused, only)
    if field.check:
        named = frozenset(item.name for item in field.check.columns)
        if named & written.keys():
            yield Refusal(f"({one_line_strings(field.check.source.strip())}) IS FALSE", named)


def _is_kept(field: Field, value: Value) -> bool:
    """Whether a constant meets what the field says of single values, so that nobody need ask the database."""
    match value:
        case Literal(None):
            return False
        case Literal(data):
            return not field.type.enum or data in field.type.enum
        case _:
            return False
