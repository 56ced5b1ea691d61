"""Writes the rejected lines of an operation's file as a file that can be corrected and read again.

The lines stand there as they stood in the input, behind its header; why each was rejected stands in a
file of its own beside it, since no CSV knows comments.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import namedtuple_row

from specgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from specgen.database.connection import Connection

_FILE = """
SELECT o.input
  FROM {runtime}.batch_operations AS o
 WHERE o.operation_id = %s
"""
_LINES = """
SELECT e.line_number, e.raw_text, e.column_name, e.value, e.sqlstate, e.error_message, e.skipped::text
  FROM {runtime}.batch_operation_errors AS e
 WHERE e.operation_id = %s
   AND e.raw_text IS NOT NULL
 ORDER BY e.record_number, e.error_id
"""
_HEAD = ("reject_line", "input_line", "column", "value", "sqlstate", "reason", "skipped")


@dataclass(frozen=True, slots=True)
class Rejects:
    """What was written.

    Attributes:
        lines: Rejected records; nothing was written where there are none.
        file: Where they are; None where nobody asked for it.
        reasons: Where the reasons are.
    """

    lines: int
    file: Path | None = None
    reasons: Path | None = None


def write_rejects(
    connection: Connection, runtime: str, operation_id: UUID, chosen: Path | None
) -> Rejects | None:
    """Write an operation's rejected lines.

    Args:
        connection: Where the operation is.
        runtime: The schema of the ``batch_*`` tables.
        operation_id: Which.
        chosen: Where to; None for what was said when it was loaded.

    Returns:
        What was written, None if the operation has read no file.

    Raises:
        UsageError: A file cannot be written.
    """
    name = sql.Identifier(runtime.replace("%", "%%"))
    row = connection.execute(sql.SQL(_FILE).format(runtime=name), [operation_id]).fetchone()
    if row is None or row[0] is None:
        return None
    form: dict[str, Any] = row[0]
    target = chosen or (Path(form["reject_file"]) if form["reject_file"] else None)
    query = sql.SQL(_LINES).format(runtime=name)
    with connection.transaction(), connection.cursor("rejects", row_factory=namedtuple_row) as cursor:
        cursor.execute(query, [operation_id])
        first = cursor.fetchone()
        if first is None:
            return Rejects(0)
        if target is None:
            return Rejects(1 + sum(1 for _ in cursor))
        target = _beside(target, Path(form["file"]))
        reasons = target.with_name(f"{target.stem}.reasons.csv")
        try:
            return Rejects(_write(target, reasons, form, _chained(first, cursor)), target, reasons)
        except OSError as error:
            raise UsageError(
                f"{error.filename}: {error.strerror}", help="choose another --reject-file"
            ) from error


def _chained(first: Any, rest: Iterable[Any]) -> Iterable[Any]:
    yield first
    yield from rest


def _beside(target: Path, source: Path) -> Path:
    """Return the target, or a free name beside it where it is the very file that was read."""
    if not (target.exists() and source.exists() and target.samefile(source)):
        return target
    number = 2
    while (other := target.with_name(f"{target.stem}.{number}{target.suffix}")).exists():
        number += 1
    return other


def _write(target: Path, reasons: Path, form: dict[str, Any], rows: Iterable[Any]) -> int:
    """Write both files whole or not at all; returns how many lines there are."""
    parts = [path.with_name(f"{path.name}.part") for path in (target, reasons)]
    count = 0
    newline = form["newline"]
    array = form["kind"] == "json"
    with (
        parts[0].open("w", encoding=form["encoding"], errors="backslashreplace", newline="") as lines,
        parts[1].open("w", encoding="utf-8", newline="") as told,
    ):
        table = csv.writer(told)
        table.writerow(_HEAD)
        if form["bom"]:
            lines.write("\ufeff")
        number = 1
        if form["header"] is not None:
            lines.write(form["header"] + newline)
            number += form["header"].count("\n") + 1
        if array:
            lines.write("[" + newline)
            number += 1
        for row in rows:
            lines.write(
                ("," + newline if count and array else "") + row.raw_text + ("" if array else newline)
            )
            table.writerow([number, row.line_number, *row[2:]])
            number += row.raw_text.count("\n") + 1
            count += 1
        if array:
            lines.write(newline + "]" + newline)
    for part, path in zip(parts, (target, reasons), strict=True):
        os.replace(part, path)  # noqa: PTH105 - as said: whole or not at all
    return count
