"""Which parameter it was whose value PostgreSQL does not take, and what it would take."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from specgen.database.connection import explain
from specgen.errors import UsageError
from specgen.runtime.examples import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from specgen.database.connection import Connection
    from specgen.runtime.arguments import Parameter

_OTHERS = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of errors that no value has: connections, transactions, locks, the system."""
_NO_TYPE = "42704"
_KNOWN = """
SELECT (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
          FROM pg_catalog.pg_enum AS e
         WHERE e.enumtypid = t.oid),
       CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, -1) END
  FROM pg_catalog.pg_type AS t
 WHERE t.oid = %s::regtype
"""
_MANY = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression of a condition that parameters alone decide.

    Attributes:
        parameters: Name, variable and type of each that it names.
        sql: The expression, with the variables.
    """

    parameters: Sequence[tuple[str, str, str]]
    sql: str


def cast(kind: str) -> sql.SQL:
    """A placeholder of a parameter's type, which is SQL that the plan made."""
    return sql.SQL(f"%s::{kind.replace('%', '%%')}")


def wrong_value(
    connection: Connection,
    parameters: Iterable[Parameter],
    arguments: Mapping[str, str | None],
    sqlstate: str | None = None,
) -> UsageError | None:
    """Find the argument that PostgreSQL does not take for its type, by asking it about each of them.

    Args:
        connection: Whose transaction, if it has one, is none that has failed.
        parameters: What was called.
        arguments: With which values.
        sqlstate: What the call met; None if it is yet to come.
    """
    if sqlstate is not None and sqlstate.startswith(_OTHERS):
        return None
    for parameter in parameters:
        value = arguments.get(parameter.name)
        if value is None:
            continue
        error = _refusal(connection, sql.SQL("SELECT {}").format(cast(parameter.type)), [value])
        if error is not None and error.sqlstate == _NO_TYPE and not parameter.findable:
            continue  # only the function finds the type
        if error is not None and sqlstate in (None, error.sqlstate):
            return _refused(connection, parameter, value, error)
    return None


def misread(
    connection: Connection,
    readings: Iterable[Reading],
    parameters: Sequence[Parameter],
    arguments: Mapping[str, str | None],
    sqlstate: str,
) -> UsageError | None:
    """Find the argument that an expression of a condition refuses, such as ``to_tsquery('simple', :q)``."""
    if sqlstate.startswith(_OTHERS):
        return None
    known = {item.name: item for item in parameters}
    for reading in readings:
        if any(name not in arguments for name, _, _ in reading.parameters):
            continue  # a default, which is not the caller's
        given = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(cast(kind), sql.Identifier(variable.replace("%", "%%")))
            for _, variable, kind in reading.parameters
        )
        text = sql.SQL(reading.sql.replace("%", "%%"))
        query = sql.SQL("SELECT {} FROM (SELECT {} OFFSET 0) AS given").format(text, given)
        error = _refusal(connection, query, [arguments[name] for name, _, _ in reading.parameters])
        if error is None or error.sqlstate != sqlstate:
            continue
        names = [name for name, _, _ in reading.parameters]
        if len(names) == 1:
            title = known[names[0]].title if names[0] in known else f"parameter {names[0]}"
        else:
            title = f"parameters {', '.join(names)}"
        meant = explain(error)
        return UsageError(f"{title}: {meant.args[0]}", help=meant.help)
    return None


def _refusal(connection: Connection, query: sql.Composed, values: Sequence[Any]) -> psycopg.Error | None:
    """Return why a query fails, if it does; whatever functions it calls can write nothing."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET TRANSACTION READ ONLY")
            connection.execute(query, values)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise explain(error) from error
        return None if error.sqlstate.startswith(_OTHERS) else error
    return None


def _refused(connection: Connection, parameter: Parameter, value: str, error: psycopg.Error) -> UsageError:
    meant = explain(error)
    if error.sqlstate == _NO_TYPE and not _is_there(connection, parameter.type):
        return UsageError(
            f"{parameter.title}: {meant.args[0]}", help="create the type, or the extension that brings it"
        )
    help = _help(connection, parameter)
    if value == "" and not is_text(parameter.type):
        help = f"{help}; NULL is --null {parameter.name}"
    elif value == '{""}':
        help = f"{help}; none at all is -p {parameter.name}={{}}"
    return UsageError(f"{parameter.title}: {meant.args[0]}", help=help)


def _is_there(connection: Connection, kind: str) -> bool:
    row = None
    with suppress(psycopg.Error), connection.transaction():
        row = connection.execute("SELECT to_regtype(%s) IS NOT NULL", [kind]).fetchone()
    return row != (False,)


def _help(connection: Connection, parameter: Parameter) -> str:
    """Return values that a parameter takes: those of an enum, or an example of its type."""
    kind = parameter.type.removesuffix("[]")
    row = None
    with suppress(psycopg.Error), connection.transaction():
        row = connection.execute(_KNOWN, [kind]).fetchone()
    labels, base = row if row is not None else (None, None)
    if labels:
        listed = ", ".join(labels[:_MANY]) + (", ..." if len(labels) > _MANY else "")
        return f"it takes {listed}; for example {parameter.example(labels)}"
    if base is not None:
        brackets = "[]" if parameter.is_array else ""
        return f"for example {parameter.example_as(base + brackets)}"
    return f"for example {parameter.example()}"
