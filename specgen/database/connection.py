"""Connections to a database that is already there, and what its errors mean to a caller."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import set_json_loads

from specgen.database.conninfo import dial, options_of
from specgen.database.rights import advice
from specgen.errors import DatabaseUnavailable, Refused, SpecgenError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Connection = psycopg.Connection[tuple[Any, ...]]

URL_VARIABLE = "SPECGEN_DATABASE_URL"
LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")
# A dead network is noticed within a minute, not after the system's two hours.
PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# Whatever the settings are: what is read and shown here may be any character that a database can hold.
SPOKEN = {"client_encoding": "utf8"}
# The runtime is of another version than what is loaded or called, or cannot be upgraded now.
VERSIONS = {"P0B13", "P0B14", "P0B15"}
REFUSALS = {"P0B01", "P0B02", "P0B03", "P0B04", "P0B05", "P0B10", "P0B11"} | VERSIONS
_FUNCTIONS = ("PL/pgSQL function ", "SQL function ")
_NO_RIGHT = "42501"
# The server is going down, was killed, is starting up, or has no connection to spare.
LOST = {"57P01", "57P02", "57P03", "57P05", "53300"}


class SqlError(SpecgenError):
    """PostgreSQL refused a statement.

    Attributes:
        sqlstate: PostgreSQL's code of the error.
        detail: Its DETAIL, if any.
        where: The functions it happened in, innermost first, if any.
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str,
        detail: str | None = None,
        help: str | None = None,
        where: str | None = None,
    ) -> None:
        super().__init__(message, help=help)
        self.sqlstate = sqlstate
        self.detail = detail
        self.where = where

    def __str__(self) -> str:
        """The message with the facts that tell errors of one wording apart."""
        lines = [f"{_set_in(self.args[0])} (SQLSTATE {self.sqlstate})"]
        if self.detail:
            lines.append(f"   detail: {_set_in(self.detail)}")
        if self.where:
            lines.append(f"   in: {_place(self.where)}")
        return "\n".join(lines)


def _place(context: str) -> str:
    """Return the innermost function of an error's context, or its first line as the first of several."""
    lines = context.splitlines()
    function = next((line for line in lines if line.startswith(_FUNCTIONS)), None)
    return function or lines[0] + (" …" if len(lines) > 1 else "")


def _set_in(text: str) -> str:
    """Return the database's words so that no line of them looks like one of ours."""
    return text.replace("\n", "\n      ")


def database_url(given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the connection string to use; empty when libpq's own variables say all.

    Raises:
        UsageError: Nothing names a database.
    """
    if given is not None:
        return given
    if environment.get(URL_VARIABLE):
        return environment[URL_VARIABLE]
    if any(environment.get(name) for name in LIBPQ_VARIABLES):
        return ""
    raise UsageError("which database?", help=f"pass --database-url or set {URL_VARIABLE}")


def connect(url: str, *, application: str) -> Connection:
    """Connect; every statement is a transaction of its own unless it is put into one.

    Args:
        url: A libpq URI or ``key=value`` string.
        application: What ``pg_stat_activity`` shows.

    Raises:
        DatabaseUnavailable: The string is malformed, nothing answers, or the login is refused.
    """
    given = options_of(url)
    chosen = {name: value for name, value in PATIENCE.items() if name not in given} | SPOKEN
    # Nothing is prepared on the server: behind a pooler the next transaction may meet another one.
    connection = dial(
        url, autocommit=True, prepare_threshold=None, application_name=application[:63], **chosen
    )
    set_json_loads(_with_all_digits, connection)
    return connection


def _with_all_digits(text: str | bytes) -> Any:
    """Read JSON; no number of it passes through a binary one."""
    return json.loads(text, parse_float=Decimal)


def is_lost(error: psycopg.Error, connection: Connection) -> bool:
    """Whether the connection is gone, rather than the statement refused."""
    return connection.closed or error.sqlstate in LOST or error.sqlstate is None


@contextmanager
def translated() -> Iterator[None]:
    """Raise the database's errors as what they mean to whoever called.

    Raises:
        DatabaseUnavailable: The connection was lost.
        Refused: The database refused for safety.
        SqlError: It refused for any other reason.
    """
    try:
        yield
    except psycopg.Error as error:
        raise explain(error) from error


def explain(error: psycopg.Error) -> SpecgenError:
    """Return what an error of the database means to whoever called: unreachable, refused, or wrong SQL."""
    diagnostics = error.diag
    message = diagnostics.message_primary or str(error).strip()
    if error.sqlstate is None or error.sqlstate in LOST:
        return DatabaseUnavailable(message)
    if error.sqlstate in REFUSALS:
        return Refused(message, help=diagnostics.message_hint)
    help = diagnostics.message_hint
    if help is None and error.sqlstate == _NO_RIGHT:
        help = advice(message, diagnostics.context)
    return SqlError(
        message,
        sqlstate=error.sqlstate,
        detail=diagnostics.message_detail,
        help=help,
        where=diagnostics.context,
    )
