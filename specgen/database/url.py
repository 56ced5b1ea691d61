"""A server that is already there: found by its URL or libpq's environment, never changed but by name.

Only databases that specgen itself created are ever dropped; see ``databases.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from specgen.database.conninfo import dial, options_of, pinned, redacted
from specgen.database.databases import drop_orphans
from specgen.database.server import Kind, Server
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from types import TracebackType

CONNECT_TIMEOUT = 5


class UrlProvider:
    """Verifies a connection, and yields it."""

    def __init__(self, url: str, *, postgres: int | None = None) -> None:
        """Take the connection string; nothing is connected yet.

        Args:
            url: A libpq URI or ``key=value`` string.
            postgres: The major version that the server must have.
        """
        self._url = url
        self._postgres = postgres

    def __enter__(self) -> Server:
        """Connect once, to see that it works.

        Raises:
            DatabaseUnavailable: The URL is malformed, nothing answers within five seconds, the login is
                refused, or the version is another.
        """
        patience = options_of(self._url, kind=Kind.URL).get("connect_timeout", CONNECT_TIMEOUT)
        dsn = pinned(self._url)
        with dial(dsn, kind=Kind.URL, autocommit=True, connect_timeout=patience) as connection:
            info = connection.info
            version, place = (
                info.server_version,
                f"{info.host or 'local socket'}:{info.port}/{info.dbname}",
            )
        if self._postgres not in (None, version // 10000):
            raise DatabaseUnavailable(
                f"the server at {place} is PostgreSQL {version // 10000}, not {self._postgres}", kind=Kind.URL
            )
        server = Server(
            dsn=dsn,
            version=version // 10000,
            kind=Kind.URL,
            description=f"PostgreSQL {version // 10000}.{version % 10000} at {place}",
        )
        drop_orphans(server)
        return server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The server belongs to somebody else: nothing to do."""


def can_create_databases(server: Server) -> bool:
    """Whether the login may create databases, which tests need.

    Raises:
        DatabaseUnavailable: The server does not answer any more.
    """
    query = "SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
    try:
        with dial(
            server.dsn, kind=server.kind, autocommit=True, connect_timeout=CONNECT_TIMEOUT
        ) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.Error as error:
        raise DatabaseUnavailable(redacted(str(error).strip(), server.dsn), kind=server.kind) from error
    return bool(row and row[0])
