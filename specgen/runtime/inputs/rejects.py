"""Writes the rejected lines of an operation's file as a file that can be corrected and read again.

The lines stand there as they stood in the input, behind its header; why each was rejected stands in a
file of its own beside it, since no CSV knows comments. Where the file goes, and what it is like, is said by
whoever writes it: of the database come the lines and the reasons, nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import namedtuple_row

from specgen.drafts import Draft
from specgen.errors import UsageError
from specgen.runtime.inputs.records import kind_of
from specgen.visible import visible_lines

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from specgen.database.connection import Connection
    from specgen.runtime.inputs.records import FileForm, Reader

_HEAD_OF = """
SELECT o.input ->> 'head'
  FROM {runtime}.batch_operations AS o
 WHERE o.operation_id = %s
   AND o.input IS NOT NULL
"""
_COUNT = """
SELECT count(*)
  FROM {runtime}.batch_operation_errors AS e
 WHERE e.operation_id = %s
   AND e.raw_text IS NOT NULL
"""
_LINES = """
SELECT e.line_number, e.raw_text, e.column_name, e.value, e.sqlstate, e.error_message, e.skipped::text
  FROM {runtime}.batch_operation_errors AS e
 WHERE e.operation_id = %s
   AND e.raw_text IS NOT NULL
 ORDER BY e.record_number, e.error_id
"""
_COLUMNS = ("reject_line", "input_line", "column", "value", "sqlstate", "reason", "skipped")
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What makes a spreadsheet take a cell for a formula, or may stand before what does."""
_KIND_NAMES = {"csv": "CSV", "json": "a JSON array", "jsonl": "JSON, an object a line"}
_SUFFIXES = {"csv": ".csv", "json": ".json", "jsonl": ".jsonl"}
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What whoever writes rejected lines says of them.

    Attributes:
        source: The file that was read.
        reader: Reads it; tells its header and how its lines end.
        target: Where the lines are to go; None where nobody said so.
    """

    source: Path
    reader: Reader
    target: Path | None


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


def head_digest(form: FileForm) -> str:
    """Return what tells a file from one of another header, encoding or kind; kept with the operation."""
    return hashlib.sha256(json.dumps(form, ensure_ascii=True).encode()).hexdigest()


def refuse_other(connection: Connection, runtime: str, operation_id: UUID, wanted: Wanted) -> None:
    """Refuse a file that is not like the one that an operation has read.

    Raises:
        UsageError: It has read none, or one with another header.
    """
    row = _query(connection, _HEAD_OF, runtime, operation_id).fetchone()
    if row is None:
        raise UsageError(f"operation {operation_id} has read no file, so --input says nothing")
    if row[0] is not None and row[0] != head_digest(wanted.reader.read_form()):
        raise UsageError(
            f"{wanted.source} is not the file that operation {operation_id} has read: it begins otherwise",
            help="name that file, or one with the same header; of it, only the header is used",
        )


def write_rejects(
    connection: Connection, runtime: str, operation_id: UUID, wanted: Wanted | None
) -> Rejects | None:
    """Write an operation's rejected lines.

    Args:
        connection: Where the operation is.
        runtime: The schema of the ``batch_*`` tables.
        operation_id: Which.
        wanted: What they are to be like; None where that is not known, and then they are only counted.

    Returns:
        What was written, None if the operation has read no file.

    Raises:
        UsageError: A file cannot be written.
    """
    if _query(connection, _HEAD_OF, runtime, operation_id).fetchone() is None:
        return None
    ((count,),) = _query(connection, _COUNT, runtime, operation_id).fetchall()
    if count == 0 or wanted is None or wanted.target is None:
        return Rejects(count)
    target, reasons = _places(wanted.target, wanted.source)
    query = _composed(_LINES, runtime)
    with connection.transaction(), connection.cursor("rejects", row_factory=namedtuple_row) as cursor:
        cursor.execute(query, [operation_id])
        try:
            return Rejects(_write((target, reasons), wanted.reader.read_form(), cursor), target, reasons)
        except OSError as error:
            raise UsageError(f"{target}: {error.strerror}", help="choose another --reject-file") from error


def check_target(wanted: Wanted) -> None:
    """See, before anything is begun, that rejected lines can be written where they are to go.

    Raises:
        UsageError: They cannot.
    """
    if wanted.target is None:
        return
    kind = kind_of(wanted.source)
    if kind != kind_of(wanted.target):
        raise UsageError(
            f"rejected lines of {wanted.source} are {_KIND_NAMES[kind]}, and {wanted.target} would be read as"
            f" {_KIND_NAMES[kind_of(wanted.target)]}",
            help=f"--reject-file {wanted.target.with_suffix(_SUFFIXES[kind])}",
        )
    try:
        for place in _places(wanted.target, wanted.source):
            _refuse_special(place)
            Draft(place).discard()
    except OSError as error:
        raise UsageError(f"{wanted.target}: {error.strerror}", help="choose another --reject-file") from error


def _places(target: Path, source: Path) -> tuple[Path, Path]:
    """Return where the lines go, and the reasons."""
    lines = _beside(target.absolute(), source)
    return lines, lines.with_name(f"{lines.stem}.reasons.csv")


def _query(connection: Connection, query: str, runtime: str, operation_id: UUID) -> Any:
    return connection.execute(_composed(query, runtime), [operation_id])


def _composed(query: str, runtime: str) -> sql.Composed:
    return sql.SQL(query).format(runtime=sql.Identifier(runtime.replace("%", "%%")))


def _beside(target: Path, source: Path) -> Path:
    """Return the target, or a free name beside it where it is the very file that was read."""
    if not (target.exists() and source.exists() and target.samefile(source)):
        return target
    number = 2
    while os.path.lexists(other := target.with_name(f"{target.stem}.{number}{target.suffix}")):
        number += 1
    return other


def _write(places: Sequence[Path], form: FileForm, rows: Iterable[Any]) -> int:
    """Write the lines and the reasons, both whole or neither; returns how many lines there are."""
    for place in places:
        _refuse_special(place)
    drafts: list[Draft] = []
    try:
        drafts += (Draft(place) for place in places)
        lines, told = drafts
        with (
            os.fdopen(
                lines.descriptor, "w", encoding=form.encoding, errors="backslashreplace", newline="",
                closefd=False,
            ) as file,
            os.fdopen(told.descriptor, "w", encoding="utf-8", newline="", closefd=False) as table,
        ):  # fmt: skip
            count = _write_rows(file, table, form, rows)
        for draft in drafts:
            draft.publish()
    finally:
        for draft in drafts:
            draft.discard()
    return count


def _refuse_special(place: Path) -> None:
    """Refuse a place where something is that is no file; a link is not followed.

    Raises:
        UsageError: There is such a thing.
    """
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = next((name for holds, name in _KINDS if holds(mode)), "a device")
        raise UsageError(
            f"{place} is {what}; rejected lines are written to a file of their own",
            help="choose another --reject-file",
        )


def _write_rows(file: io.TextIOBase, reasons: io.TextIOBase, form: FileForm, rows: Iterable[Any]) -> int:
    table = csv.writer(reasons)
    table.writerow(_COLUMNS)
    newline = form.newline
    array = form.kind == "json"
    count, number = 0, 1
    if form.bom:
        file.write("\ufeff")
    if form.header is not None:
        file.write(form.header + newline)
        number += form.header.count("\n") + 1
    if array:
        file.write("[" + newline)
        number += 1
    for row in rows:
        before, behind = ("," + newline if count else "", "") if array else ("", newline)
        file.write(before + row.raw_text + behind)
        table.writerow(_cells(number, row))
        number += row.raw_text.count("\n") + 1
        count += 1
    if array:
        file.write(newline + "]" + newline)
    return count


def _cells(number: int, row: Any) -> Iterator[Any]:
    """Return a rejected line's cells for a spreadsheet, where no text is a formula."""
    yield number
    yield row.line_number
    for cell in row[2:]:
        text = None if cell is None else visible_lines(cell)
        yield f"'{text}" if text is not None and _FORMULA.match(text) else text
