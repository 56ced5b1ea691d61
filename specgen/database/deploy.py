"""Applies SQL files to a database: in order, safely beside others who do the same, all or nothing.

A file is sent as one message, which is fastest and gives positions in the whole file. Only when that
fails with an error that has no position are its statements tried one by one, to name the one at fault.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from specgen.database.connection import VERSIONS, SqlError, explain
from specgen.errors import DatabaseUnavailable, SpecgenError
from specgen.versions import DEPLOYMENT_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specgen.database.connection import Connection

_OBJECT = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:CREATE|ALTER|DROP|COMMENT\s+ON|GRANT\s+\w+\s+ON)\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+)?"
    r"(FUNCTION|PROCEDURE|TABLE|INDEX|SCHEMA|TYPE|VIEW|EXTENSION|DOMAIN|TRIGGER|COLUMN)\s+"
    r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?((?:\"(?:[^\"]|\"\")+\"|[\w.])+)",
    re.IGNORECASE,
)
_ORIGIN = re.compile(r"^-- .*, from (\S+:\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A file's name, for people, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Applied:
    """A file that has been applied, and how long it took."""

    name: str
    seconds: float


class ScriptError(SqlError):
    """PostgreSQL refused a statement of a file.

    Attributes:
        file: The file.
        line: The line in it, counted from 1.
        object: What the statement creates, such as ``FUNCTION public.f``, if that can be told.
        origin: The line of the spec that the statement comes from, if the file says so.
    """

    def __init__(
        self, cause: SqlError, *, file: str, line: int, object: str | None, origin: str | None
    ) -> None:
        super().__init__(
            str(cause.args[0]),
            sqlstate=cause.sqlstate,
            detail=cause.detail,
            help=cause.help,
            where=cause.where,
        )
        self.file = file
        self.line = line
        self.object = object
        self.origin = origin

    def __str__(self) -> str:
        """Place first, so that editors find it."""
        made = f" {self.object}:" if self.object else ""
        origin = f"\n   from: {self.origin}" if self.origin else ""
        return f"{self.file}:{self.line}:{made} {super().__str__()}{origin}"


def deploy(
    connection: Connection, scripts: Sequence[Script], *, single_transaction: bool = True
) -> Iterator[Applied]:
    """Apply files in their order; yields each as it is applied.

    Whoever deploys at the same time waits: two CREATE OR REPLACE of one function at once would fail.

    Args:
        connection: In autocommit mode.
        scripts: What to apply.
        single_transaction: All files or none; else a transaction for each.

    Raises:
        ScriptError: PostgreSQL refused a statement; its transaction is undone.
        Refused: The runtime cannot be upgraded, or is newer than the file; nothing is changed.
        DatabaseUnavailable: The connection was lost.
    """
    try:
        if single_transaction:
            with connection.transaction():
                _take_turn(connection)
                yield from (_apply(connection, script) for script in scripts)
        else:
            for script in scripts:
                with connection.transaction():
                    _take_turn(connection)
                    applied = _apply(connection, script)
                yield applied
    except psycopg.Error as error:
        raise explain(error) from error


def _take_turn(connection: Connection) -> None:
    connection.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (DEPLOYMENT_LOCK,))


def _apply(connection: Connection, script: Script) -> Applied:
    began = time.monotonic()
    try:
        with connection.transaction():
            connection.execute(script.text)
    except psycopg.Error as error:
        raise _located(connection, script, error) from error
    return Applied(script.name, time.monotonic() - began)


def _located(connection: Connection, script: Script, error: psycopg.Error) -> SpecgenError:
    """Return the error with its place in the file."""
    cause = explain(error)
    if isinstance(cause, DatabaseUnavailable) or error.sqlstate is None or error.sqlstate in VERSIONS:
        return cause
    if not isinstance(cause, SqlError):
        cause = SqlError(str(cause), sqlstate=error.sqlstate, help=cause.help)
    offset = _offset(connection, script, error)
    text = script.text[:offset]
    start, statement = _statement_at(script, offset)
    found = _OBJECT.match(statement)
    origins = _ORIGIN.findall(script.text[: start + 1])
    return ScriptError(
        cause,
        file=script.name,
        line=text.count("\n") + 1,
        object=f"{found[1].upper()} {found[2]}" if found else None,
        origin=origins[-1] if origins else None,
    )


def _offset(connection: Connection, script: Script, error: psycopg.Error) -> int:
    """Return where in the file the error is: what PostgreSQL says, else the statement that fails alone."""
    position = error.diag.statement_position
    if position is not None:
        return int(position) - 1
    offset = 0
    try:
        with connection.transaction(force_rollback=True):
            for offset, statement in _statements(script.text):  # noqa: B007 - its last value is the result
                connection.execute(statement)
    except psycopg.Error as again:
        inner = again.diag.statement_position
        return offset + (int(inner) - 1 if inner is not None else 0)
    return 0


def _statement_at(script: Script, offset: int) -> tuple[int, str]:
    chosen = (0, "")
    for start, statement in _statements(script.text):
        if start > offset:
            break
        chosen = (start, statement)
    return chosen


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement with where it begins, comments before it left out; nothing if it can't be told."""
    import pglast

    try:
        slices = pglast.split(text, only_slices=True)
    except pglast.parser.ParseError:
        return
    for part in slices:
        statement = text[part]
        lead = re.match(r"(?:\s+|--[^\n]*\n)*", statement)
        skipped = lead.end() if lead else 0
        yield part.start + skipped, statement[skipped:]
