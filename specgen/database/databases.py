"""Databases on a server: created, built once as a template, cloned for a test, dropped.

Every name starts with ``specgen_`` and ends at random, so nothing that was there before is ever touched.
"""

from __future__ import annotations

import os
import secrets
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from specgen.database import owner
from specgen.database.conninfo import ConnectionString, as_url, dial, redacted
from specgen.database.server import Kind
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.database.server import Server

PREFIX = "specgen_"


def dsn_of(server: Server, database: str) -> str:
    """The connection string of another database on the server."""
    return ConnectionString(make_conninfo(server.dsn, dbname=database))


def create_database(server: Server, *, template: str | None = None, name: str | None = None) -> str:
    """Create a database, empty or as a copy of a template.

    Args:
        server: Where.
        template: The name of a database that nobody is connected to.
        name: Its name, else a random one.

    Returns:
        Its connection string.

    Raises:
        DatabaseUnavailable: The server does not allow it, or has no such template.
    """
    name = name or PREFIX + secrets.token_hex(8)
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is None:
        # The encoding of template1 is up to the server's owner; the names of every language must fit.
        statement += sql.SQL(" TEMPLATE template0 ENCODING 'UTF8'")
    else:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    statements = [statement]
    if server.kind is Kind.URL:
        # Other servers go with their owner; on this one, the next start has to know whose it was.
        comment = sql.Literal(owner.label(os.getpid()))
        statements.append(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), comment))
    _execute(server, *statements)
    return dsn_of(server, name)


def drop_database(server: Server, dsn: str) -> None:
    """Drop a database that `create_database` made, with whoever is connected to it.

    Raises:
        ValueError: It is not one of those.
        DatabaseUnavailable: The server does not allow it.
    """
    name = name_of(dsn)
    if not name.startswith(PREFIX):
        raise ValueError(name)
    _execute(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def dropping(server: Server, dsn: str) -> str:
    """Return the command by which somebody drops a database that stays; no secret is in it."""
    statement = f'DROP DATABASE "{name_of(dsn)}"'
    return f"psql {shlex.quote(as_url(server.dsn))} -c {shlex.quote(statement)}"


def drop_orphans(server: Server) -> list[str]:
    """Drop the databases whose makers on this machine were killed before they could; their names.

    Raises:
        DatabaseUnavailable: The server does not answer.
    """
    query = """
        SELECT datname, shobj_description(oid, 'pg_database')
          FROM pg_catalog.pg_database
         WHERE starts_with(datname, %s)
           AND pg_catalog.pg_has_role(datdba, 'USAGE')
    """
    try:
        with dial(server.dsn, kind=server.kind, autocommit=True) as connection:
            rows = connection.execute(query, (PREFIX,)).fetchall()
    except psycopg.Error as error:
        raise DatabaseUnavailable(redacted(str(error).strip(), server.dsn), kind=server.kind) from error
    orphans = [name for name, comment in rows if owner.is_gone(comment or "")]
    for name in orphans:
        drop_database(server, dsn_of(server, name))
    return orphans


def name_of(dsn: str) -> str:
    """The database that a connection string names."""
    return str(conninfo_to_dict(dsn).get("dbname", ""))


@contextmanager
def database(server: Server, *, template: str | None = None) -> Iterator[str]:
    """A database for the length of a block; yields its connection string."""
    dsn = create_database(server, template=template)
    try:
        yield dsn
    finally:
        drop_database(server, dsn)


@contextmanager
def template(server: Server, build: Callable[[str], None]) -> Iterator[str]:
    """A database to clone from, for the length of a block; yields its name.

    Args:
        server: Where.
        build: Called once with a connection string; fills the database and closes its connections.
    """
    with database(server) as dsn:
        build(dsn)
        name = name_of(dsn)
        # A database that somebody is connected to cannot be copied, so nobody may be.
        _execute(server, sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        yield name


@contextmanager
def clone(server: Server, template: str) -> Iterator[str]:
    """A copy of a template for the length of a block; yields its connection string."""
    with database(server, template=template) as dsn:
        yield dsn


def _execute(server: Server, *statements: sql.Composed) -> None:

    try:
        with dial(server.dsn, kind=server.kind, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
    except psycopg.Error as error:
        raise DatabaseUnavailable(redacted(str(error).strip(), server.dsn), kind=server.kind) from error
