"""What an operation relies on of the columns by which it finds rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.plan.expressions import INSERTING
from specgen.spec.model import KeySource, OperationType, RecordSource, RelationSource, RowSource

if TYPE_CHECKING:
    from specgen.plan.records import Records
    from specgen.spec.model import FieldType


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """Columns that have to tell rows as the spec has them do it.

    Attributes:
        use: What for, as ``batch_key_problems`` calls it.
        types: Their types without modifiers.
        modifiers: The modifiers of each as PostgreSQL writes an array of them; nothing where there are none.
    """

    use: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    modifiers: tuple[str | None, ...]


def planned_key(records: Records) -> PlannedKey | None:
    """Return the columns by which an operation, or a step, tells rows, if it does."""
    operation, target = records.operation, records.target
    match operation.source:
        case _ if operation.call is not None:
            return None
        case RowSource():
            return _key(records, "rows", target.primary_key)
        case KeySource():
            return _key(records, "keys", target.primary_key)
        case RecordSource(match_on=match_on) | RelationSource(match_on=match_on) if match_on:
            return _key(records, "several" if records.meets_many() else "records", match_on)
        case RecordSource() | RelationSource() if operation.type in INSERTING and operation.returning:
            # What was written is joined to the records by them.
            return _key(records, "records", operation.conflict_target or target.primary_key)
        case _:
            return None


def identity_key(records: Records) -> PlannedKey | None:
    """Return the columns that tell the records of an operation apart, if any must not repeat."""
    columns = records.identity_columns()
    if records.operation.type is OperationType.UPSERT:
        given = {item.column for item in records.operation.data}
        columns = tuple(name for name in columns if name in given)
    return _key(records, "records", columns) if columns else None


def _key(records: Records, use: str, columns: tuple[str, ...]) -> PlannedKey:
    types = [records.target.field(name).type for name in columns]
    return PlannedKey(
        use=use,
        columns=columns,
        types=tuple(f"{item.base}[]" if item.array else item.base for item in types),
        modifiers=tuple(_modifiers(item) for item in types),
    )


def _modifiers(kind: FieldType) -> str | None:
    """Return a type's modifiers as an array that its input function takes."""
    found = re.match(r"\(([^()'\"]+)\)", kind.sql.removeprefix(kind.base))
    if found is None:
        # SQL has these as types of one character, or bit.
        return "{1}" if kind.base in ("character", "bit") else None
    return f"{{32767,{found[1]}}}" if kind.base == "interval" else f"{{{found[1]}}}"
