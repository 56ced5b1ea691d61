"""Which version of the runtime a database has, and whether this specgen can work with it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from specgen import __version__
from specgen.errors import Refused, UsageError
from specgen.versions import RUNTIME

if TYPE_CHECKING:
    from specgen.database.connection import Connection

_LATEST = "SELECT r.version, r.specgen FROM {}.batch_runtime AS r ORDER BY r.version DESC LIMIT 1"
_UNFINISHED = "SELECT count(*) FROM {}.batch_operations AS o WHERE o.completed_at IS NULL AND o.submitted"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the runtime.

    Attributes:
        specgen: The specgen that made it; None for version 1, which did not say.
    """

    number: int
    specgen: str | None = None


def read_version(connection: Connection, schema: str) -> Version | None:
    """Return the version of the runtime in a schema, None if there is none.

    Args:
        connection: In autocommit mode, or in a transaction, which stays usable.
        schema: The runtime's.

    Raises:
        Refused: It does not say.
        psycopg.Error: The database cannot be asked.
    """
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    try:
        with nullcontext() if idle else connection.transaction():
            row = connection.execute(_of(schema, _LATEST)).fetchone()
    except psycopg.errors.UndefinedTable:
        table = f"{sql.Identifier(schema).as_string()}.batch_operations"
        found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
        # What is older than version 1 is refused by the step that upgrades it.
        return Version(1) if found == (True,) else None
    if row is None:
        raise Refused(
            f"which version the runtime in schema {schema} is cannot be told: batch_runtime is empty",
            help="where the schema was copied without rows, copy those of this table too",
        )
    return Version(*row)


def require_version(connection: Connection, schema: str) -> None:
    """Make sure that the runtime in a schema is of the version that this specgen works with.

    Raises:
        UsageError: There is none.
        Refused: It is of another version.
        psycopg.Error: The database cannot be asked.
    """
    version = read_version(connection, schema)
    if version is None:
        raise UsageError(
            f"the database has no batch operations in schema {schema}", help='run "specgen deploy" first'
        )
    refuse_newer(version, schema)
    if version.number < RUNTIME:
        raise Refused(
            f"the runtime in schema {schema} is version {version.number}, this specgen needs {RUNTIME}",
            help='"specgen deploy" upgrades it',
        )


def refuse_newer(version: Version | None, schema: str) -> None:
    """Make sure that a runtime is not newer than this specgen.

    Raises:
        Refused: It is.
    """
    if version is not None and version.number > RUNTIME:
        raise Refused(
            f"the runtime in schema {schema} is version {version.number}, made by specgen {version.specgen};"
            f" this specgen ({__version__}) knows up to version {RUNTIME}",
            help=f"use specgen {version.specgen} or newer",
        )


def unfinished(connection: Connection, schema: str) -> int:
    """Return how many operations were submitted to a runtime and have not ended."""
    row = connection.execute(_of(schema, _UNFINISHED)).fetchone()
    assert row is not None
    return int(row[0])


def outdated(connection: Connection, schema: str) -> list[str]:
    """Return the generated functions, of whatever project, that call what the runtime has no more."""
    query = "SELECT f::text FROM {}.batch_outdated() AS f"
    return [row[0] for row in connection.execute(_of(schema, query))]


def _of(schema: str, query: str) -> sql.Composed:
    return sql.SQL(query).format(sql.Identifier(schema))
