"""A file's records in one transaction: loaded, worked through and, for a dry run, undone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from specgen.database.connection import translated
from specgen.errors import UsageError
from specgen.runtime.events import Progress
from specgen.runtime.inputs.load import load
from specgen.runtime.inputs.records import Reject
from specgen.runtime.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specgen.database.connection import Connection
    from specgen.runtime.events import Loading
    from specgen.runtime.inputs.load import Load
    from specgen.runtime.inputs.records import Reader
    from specgen.runtime.rows import ErrorRow, Result

SHOWN = 100
MOST = 64 * 1024 * 1024
"""Characters of JSON that are handed in with one call."""


def run_once(
    connection: Connection,
    wanted: Load,
    reader: Reader,
    listen: Callable[[Loading | Progress], None],
    *,
    dry_run: bool,
) -> tuple[Result, Sequence[ErrorRow]]:
    """Load a file and work through it in one transaction.

    Returns:
        How it ended, and the first of its errors; for a dry run of a call that was made before, how the
        operation of that time stands.

    Raises:
        SpecgenError: As :func:`load` does, or what a batch says; nothing is changed then.
    """
    store = Store(connection, wanted.runtime)
    # A rollback that is not answered leaves the exception: the database undoes what it does not commit.
    with suppress(psycopg.Rollback), translated(), connection.transaction():
        operation_id = load(connection, wanted, reader, listen)
        if dry_run and not store.is_mine(operation_id):
            result, errors = store.result(operation_id), store.errors(operation_id, SHOWN)
            raise psycopg.Rollback  # the same call has begun it before, and a dry run does none of its work
        while store.step(operation_id, timeout=None).state != "finished":
            listen(Progress(store.counts(operation_id)))
        result, errors = store.result(operation_id), store.errors(operation_id, SHOWN)
        # A batch of its own need not wait for the disk; the whole must.
        connection.execute("SET LOCAL synchronous_commit TO DEFAULT")
        if dry_run:
            would = f"dry run: it would have ended as {result.status}; nothing was changed"
            result = replace(
                result,
                status="dry_run",
                message="; ".join(filter(None, (would, result.message))),
            )
            raise psycopg.Rollback
    return result, errors


def as_argument(reader: Reader, file: str) -> str:
    """Return a file's records as one JSON array, for an operation that is all or nothing.

    Raises:
        UsageError: A line is no record, or there is too much for one call.
    """
    items: list[str] = []
    length = 0
    for record in reader:
        if isinstance(record, Reject):
            raise UsageError(
                f"{file}, line {record.line}: {record.message}",
                help="nothing was imported: the operation is atomic, all or nothing",
            )
        items.append(record.json)
        length += len(record.json)
        if length > MOST:
            raise UsageError(
                f"{file} holds more than {MOST:,} characters, too much for one call",
                help="the operation is atomic; without atomic: true a file of any size can be read",
            )
    return f"[{','.join(items)}]"
