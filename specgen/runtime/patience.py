"""What is nobody's fault: other sessions that were quicker, and a timeout that is too short."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import psycopg

from specgen.database.connection import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.connection import Connection

    T = TypeVar("T")

YIELDED = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the server let another session get on."""
QUERY_CANCELED = "57014"
CONFLICTS = 20
"""So often in a row may others be quicker while nothing at all gets on; about 15 s."""


_SETTING = """
SELECT nullif(s.setting::float8, 0) / 1000, s.source
  FROM pg_catalog.pg_settings AS s
 WHERE s.name = 'statement_timeout'
"""
_SOURCES = {
    "operation": "the operation's own",
    "database": "set for the database",
    "user": "set for the role",
    "database user": "set for the role in this database",
    "client": "set by the connection string or PGOPTIONS",
}


def instead_of_time(*, only_one_call: bool) -> str:
    """Return what helps a call, besides more time, that takes too long.

    Args:
        only_one_call: Whether it can be nothing else, as a dry run or an operation that is atomic.
    """
    if only_one_call:
        return "let it have fewer records, as by -o max_records=1000"
    return "leave the work to workers, of whom each statement is one batch"


def delay_after(conflicts: int) -> float:
    """Return how many seconds to wait after so many conflicts in a row."""
    longest: float = min(0.01 * 2**conflicts, 1.0)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def patiently(connection: Connection, work: Callable[[], T], *, instead: str = "") -> T:
    """Do what is one transaction, again where another one was quicker.

    Args:
        connection: Where; not in a transaction.
        work: What. It is undone where it fails, and may be done again.
        instead: What helps, besides more time, where ``statement_timeout`` is too short.

    Raises:
        SqlError: It failed, or others were quicker too often.
        SpecgenError: Whatever else the work raises.
    """
    conflicts = 0
    while True:
        began = time.monotonic()
        try:
            return work()
        except SqlError as error:
            conflicts += 1
            if error.sqlstate == QUERY_CANCELED:
                raise _named(connection, error, time.monotonic() - began, instead) from error
            if error.sqlstate not in YIELDED or conflicts == CONFLICTS:
                raise
            time.sleep(delay_after(conflicts))


def _named(connection: Connection, error: SqlError, took: float, instead: str) -> SqlError:
    """Return the error of a canceled statement, saying so where the server's timeout has canceled it."""
    row = None
    with suppress(psycopg.Error):
        row = connection.execute(_SETTING).fetchone()
    if row is None or row[0] is None or took < row[0]:
        return error
    return overtime(
        error,
        what="the statement",
        allowed=row[0],
        source=row[1],
        help="let it have more time, as by PGOPTIONS='-c statement_timeout=1h'"
        + (f", or {instead}" * bool(instead)),
    )


def overtime(error: SqlError, *, what: str, allowed: float, source: str, help: str) -> SqlError:
    """Return an error that says which timeout it was.

    Args:
        error: What the server said.
        what: What took too long.
        allowed: Seconds.
        source: As ``pg_settings.source`` has it, or ``operation``.
        help: What to do.
    """
    where = _SOURCES.get(source, "set in the server's configuration")
    message = f"{what} took longer than statement_timeout allows ({allowed:g} s, {where}) and was undone"
    return SqlError(message, sqlstate=error.sqlstate, help=help)
