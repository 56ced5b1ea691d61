"""Loads a file's records into an operation that is submitted in the same transaction.

The records go by COPY into the ranges that workers will claim, a batch each, and lines that are no
records beside them. Until the transaction is committed nobody sees any of it, and a client that dies
leaves nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from specgen.database.connection import translated
from specgen.errors import Refused, UsageError
from specgen.runtime.calls import submit
from specgen.runtime.events import Loading
from specgen.runtime.inputs.records import Item, Reject
from specgen.runtime.inputs.rejects import head_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import psycopg

    from specgen.database.connection import Connection
    from specgen.runtime.calls import Call
    from specgen.runtime.inputs.records import Reader

_COPY = """
COPY {runtime}.batch_ranges
     (operation_id, range_number, first_batch, items, item_count, record_numbers, line_numbers,
      raw_lines, done)
FROM STDIN
"""
_LIMITS = """
SELECT o.batch_size, o.max_records, o.on_limit = 'fail', {runtime}.batch_is_mine(o.operation_id),
       o.input ->> 'digest'
  FROM {runtime}.batch_operations AS o
 WHERE o.operation_id = %s
"""
_LOADED = "SELECT {runtime}.batch_loaded(%s, %s, %s, %s)"
# Rejected lines are written in pieces of this size.
_REJECTS = 1000
# A range is written before its batch is full where its records are long: jsonb takes 256 MB, and what is
# gathered is held in memory here and there.
_CHARACTERS = 16 * 1024 * 1024
_REJECT_NAMES = ("line", "raw_text", "message", "sqlstate", "column", "value")


@dataclass(frozen=True, slots=True)
class Load:
    """A file that is to be loaded.

    Attributes:
        source: The operation's parameter that takes records.
        confirmed: What the caller says to an operation that wants confirmation; None if it wants none.
        file: The file's name.
    """

    call: Call
    runtime: str
    source: str
    confirmed: bool | None
    file: str

    @property
    def can_be_read_again(self) -> bool:
        """Whether it is a file in the narrow sense, no pipe."""
        return Path(self.file).is_file()


def load(connection: Connection, wanted: Load, reader: Reader, listen: Callable[[Loading], None]) -> UUID:
    """Submit an operation over a file's records.

    Args:
        connection: Where; must be in a transaction, in which the operation and its records appear at once.
        wanted: What is to be called.
        reader: The file.
        listen: Hears how far it is.

    Returns:
        The operation; an earlier one if the id or the key is known, and then nothing is loaded.

    Raises:
        Refused: A confirmation, a precondition or a limit forbids it, or the key was another file's.
        UsageError: The file cannot be read, or does not fit the operation.
        SpecgenError: Anything else the database says.
    """
    call = replace(wanted.call, arguments={**wanted.call.arguments, wanted.source: None})
    runtime = sql.Identifier(wanted.runtime.replace("%", "%%"))
    with translated():
        operation_id = submit(connection, call, confirm=True)
        row = connection.execute(sql.SQL(_LIMITS).format(runtime=runtime), [operation_id]).fetchone()
        assert row is not None
        *limits, mine, earlier = row
        digest = _digest(wanted)
        if not mine:
            if earlier is not None and earlier != digest:
                same = call.options.get("operation_id") == str(operation_id)
                name = "operation id" if same else "idempotency key"
                raise Refused(
                    f"{call.operation}: the {name} was used with another file before,"
                    f" by operation {operation_id}",
                    help="give the file of that time, or use another one",
                )
            return operation_id
        batches = _Batches(operation_id, *limits)
        copied = _copy(connection, wanted, reader, listen, batches)
        # Digests only: who resumes the operation must not be told by its row what to write where.
        known = {"head": head_digest(reader.read_form()), "digest": digest}
        values = [operation_id, copied, wanted.confirmed, json.dumps(known)]
        connection.execute(sql.SQL(_LOADED).format(runtime=runtime), values)
    return operation_id


def _digest(wanted: Load) -> str | None:
    """Return what tells the file from another, where the call may come again; a pipe can be read but once.

    Raises:
        UsageError: It cannot be read.
    """
    if not wanted.can_be_read_again or not wanted.call.options.keys() & {"operation_id", "idempotency_key"}:
        return None
    try:
        with Path(wanted.file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{wanted.file}: {error.strerror}") from error


def _copy(
    connection: Connection,
    wanted: Load,
    reader: Reader,
    listen: Callable[[Loading], None],
    batches: _Batches,
) -> int:
    """Copy a file's records as far as they are wanted; returns how many there are."""
    statement = sql.SQL(_COPY).format(runtime=sql.Identifier(wanted.runtime))
    found = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for record in reader:
            found += 1
            if batches.most is not None and found > batches.most:
                if not batches.counts_all:
                    break  # one more than wanted: that is all there is to know
                continue
            if batches.take(found, record, copy):
                listen(Loading(found, batches.rejected))
        batches.finish(copy)
    listen(Loading(found, batches.rejected))
    return found


@dataclass(slots=True)
class _Batches:
    """Gathers records to ranges of a batch each.

    Attributes:
        size: Records of a batch.
        most: As many records are wanted.
        counts_all: The others are to be counted.
        rejected: How many lines were no records.
    """

    operation_id: UUID
    size: int
    most: int | None
    counts_all: bool
    rejected: int = 0
    _ranges: int = 0
    _batches: int = 0
    _items: list[tuple[int, Item]] = field(default_factory=list)
    _rejects: list[tuple[int, Reject]] = field(default_factory=list)
    _length: int = 0
    _rejected_length: int = 0

    def take(self, number: int, record: Item | Reject, copy: psycopg.Copy) -> bool:
        """Take one more, by its number in the file; says whether a range became full and was written."""
        if isinstance(record, Item):
            self._items.append((number, record))
            self._length += len(record.json)
            if len(self._items) < self.size and self._length < _CHARACTERS:
                return False
            self._write_items(copy)
        else:
            self.rejected += 1
            self._rejects.append((number, record))
            self._rejected_length += len(record.raw)
            if len(self._rejects) < _REJECTS and self._rejected_length < _CHARACTERS:
                return False
            self._write_rejects(copy)
        return True

    def finish(self, copy: psycopg.Copy) -> None:
        """Write what is left."""
        if self._items:
            self._write_items(copy)
        if self._rejects:
            self._write_rejects(copy)

    def _write_items(self, copy: psycopg.Copy) -> None:
        numbers = [number for number, _ in self._items]
        items = [item for _, item in self._items]
        self._batches += 1
        document = f"[{','.join([item.json for item in items])}]"
        told = (numbers, [item.line for item in items], [item.raw for item in items])
        self._write(copy, document, len(items), told)
        self._items, self._length = [], 0

    def _write_rejects(self, copy: psycopg.Copy) -> None:
        lines = [
            {"number": number, **dict(zip(_REJECT_NAMES, reject, strict=True))}
            for number, reject in self._rejects
        ]
        self._write(copy, json.dumps(lines), len(lines), None)
        self._rejects, self._rejected_length = [], 0

    def _write(
        self,
        copy: psycopg.Copy,
        items: str,
        count: int,
        told: tuple[list[int], list[int], list[str]] | None,
    ) -> None:
        self._ranges += 1
        batch = max(self._batches, 1)
        numbers, lines, raw = told or (None, None, None)
        done = told is None
        copy.write_row((self.operation_id, self._ranges, batch, items, count, numbers, lines, raw, done))
