"""What operations have kept, as it lies in ``batch_outputs``: read in its order, never held whole.

Values come as the text that PostgreSQL writes them as in JSON: no number passes through one of Python's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from specgen.database.connection import Connection

_PARTS = """
SELECT s.operation_id, s.step_number,
       CASE WHEN count(*) OVER () > 1 THEN s.step END AS step,
       s.kept AS columns,
       CASE WHEN s.strategy IS NULL THEN s.status END AS not_begun,
       coalesce(s.strategy = 'items', false) AS by_number,
       EXISTS (
           SELECT
             FROM {runtime}.batch_outputs AS k
            WHERE k.operation_id = s.operation_id
              AND k.step_number = s.step_number
       ) AS has_records
  FROM {runtime}.batch_steps AS s
 WHERE s.operation_id = %s
 ORDER BY s.step_number
"""
_FIELDS = """
SELECT field.name
  FROM (
           SELECT k.record
             FROM {runtime}.batch_outputs AS k
            WHERE k.operation_id = %s
              AND k.step_number = %s
            LIMIT 1
       ) AS first
 CROSS JOIN LATERAL jsonb_object_keys(first.record) WITH ORDINALITY AS field (name, place)
 ORDER BY field.place
"""
_COUNT = """
SELECT count(*)
  FROM {runtime}.batch_outputs AS k
 WHERE k.operation_id = %s
   AND k.step_number = %s
"""
_RECORDS = """
SELECT {values}
  FROM {runtime}.batch_outputs AS k
 WHERE k.operation_id = %s
   AND k.step_number = %s
 ORDER BY {order}
 LIMIT %s
"""
# As batch_output() has them: what was handed in has numbers of its own, rows are numbered within their batch.
_BY_NUMBER = sql.SQL("k.record_number, k.place")
_BY_BATCH = sql.SQL("k.batch_number, k.record_number, k.place")
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Part:
    """What an operation, or one of its steps, keeps.

    Attributes:
        step: None where the operation has no other.
        columns: In the order of the spec; none are named of what a function returned. None where nothing
            is kept.
        not_begun: The state of a step that has not begun, of which nobody knows what it keeps.
        by_number: Whether the numbers of its records are those of the whole input.
        has_records: Whether anything is there by now.
    """

    operation_id: UUID
    step_number: int
    step: str | None
    columns: list[str] | None
    not_begun: str | None
    by_number: bool
    has_records: bool


def parts_of(connection: Connection, runtime: str, operation_id: UUID) -> Sequence[Part]:
    """Return what an operation keeps, one part a step."""
    with connection.cursor(row_factory=class_row(Part), binary=True) as cursor:
        return cursor.execute(_composed(_PARTS, runtime), [operation_id]).fetchall()


def latest(parts: Sequence[Part]) -> Part | None:
    """Return the part that is meant where none is named: the last that has kept any, else that will."""
    keeping = [part for part in parts if part.columns is not None]
    filled = [part for part in keeping if part.has_records]
    return next(reversed(filled or keeping), None)


def columns_of(connection: Connection, runtime: str, part: Part) -> tuple[str, ...]:
    """Return the columns of a part's records; all rows of a function have the same."""
    if part.columns:
        return tuple(part.columns)
    cursor = connection.execute(_composed(_FIELDS, runtime), [part.operation_id, part.step_number])
    return tuple(row[0] for row in cursor)


def count_of(connection: Connection, runtime: str, part: Part) -> int:
    """Return how many records a part has kept."""
    row = connection.execute(_composed(_COUNT, runtime), [part.operation_id, part.step_number]).fetchone()
    assert row is not None
    return int(row[0])


def records_of(
    connection: Connection,
    runtime: str,
    part: Part,
    columns: Sequence[str],
    *,
    limit: int | None = None,
    as_json: bool = False,
) -> Iterator[tuple[str | None, ...]]:
    """Yield a part's records in their order, each as the texts of its values.

    Args:
        connection: Where they are.
        runtime: The schema of the ``batch_*`` tables.
        part: Whose they are.
        columns: Which of their columns.
        limit: How many at most.
        as_json: Whether a text is JSON; else NULL is None.
    """
    value = "(k.record -> {})::text" if as_json else "k.record ->> {}"
    values = sql.SQL(", ").join(
        sql.SQL(value).format(sql.Literal(name.replace("%", "%%"))) for name in columns
    )
    order = _BY_NUMBER if part.by_number else _BY_BATCH
    query = _composed(_RECORDS, runtime, values=values, order=order)
    with connection.transaction(), connection.cursor("output") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(query, [part.operation_id, part.step_number, limit])
        yield from cursor


def _composed(query: str, runtime: str, **pieces: Any) -> sql.Composed:
    return sql.SQL(query).format(runtime=sql.Identifier(runtime.replace("%", "%%")), **pieces)
