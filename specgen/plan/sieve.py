"""What an entity's own constraints tell about a row before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident, literal, one_line_strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.plan.parts import PlannedAssignment
    from specgen.spec.model import Entity, Field


@dataclass(frozen=True, slots=True)
class Sieve:
    """What tells beforehand which records a batch will fail on.

    Attributes:
        conditions: Any of them means refusal.
        columns: The row as it would be written, and its place in the batch.
        place: The name of that last column.
    """

    conditions: tuple[str, ...] = ()
    columns: tuple[PlannedAssignment, ...] = ()
    place: str = ""


def refusals(entity: Entity, written: frozenset[str]) -> tuple[str, ...]:
    """Return the conditions under which a row would be refused.

    Args:
        entity: The target.
        written: The columns that the operation assigns; constraints on others cannot newly fail.
    """
    return tuple(
        condition for field in entity.fields for condition in _field_refusals(field, entity, written)
    )


def _field_refusals(field: Field, entity: Entity, written: frozenset[str]) -> Iterator[str]:
    column = f"{ident(entity.table)}.{ident(field.name)}"
    if field.name in written:
        if not field.nullable or field.name in entity.primary_key:
            yield f"{column} IS NULL"
        if field.type.enum:
            values = ", ".join(literal(value) for value in field.type.enum)
            yield f"NOT ({column} <@ ARRAY[{values}])" if field.type.array else f"{column} NOT IN ({values})"
    if field.check and written.intersection(item.name for item in field.check.columns):
        yield f"({one_line_strings(field.check.source.strip())}) IS FALSE"
