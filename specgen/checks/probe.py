"""Questions to a database that nothing is executed for: a statement is parsed, and that is all.

PostgreSQL's Parse message resolves every name and type of a statement and tells the columns it would
return. Constants are not folded and no function is called, which EXPLAIN would not promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus

from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.pq.abc import PGresult

    from specgen.database.connection import Connection

_SAVEPOINT = "specgen_probe"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of what a statement would return; ``type`` as PostgreSQL writes it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why PostgreSQL does not take a statement.

    Attributes:
        position: The character in the statement that it is about, counted from 0.
    """

    sqlstate: str
    message: str
    hint: str | None
    position: int | None


class Probe:
    """Asks a database about statements, in a transaction that survives a refusal.

    Args:
        connection: In a transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._types: dict[str, int | None] = {}
        self._names: dict[tuple[int, int], str] = {}
        connection.execute(f"SAVEPOINT {_SAVEPOINT}")

    def describe(self, statement: str, types: Sequence[str] = ()) -> tuple[Column, ...] | Trouble:
        """Return the columns that a statement would return, or why it is refused.

        Args:
            statement: With ``$1``, ``$2``, ... for its parameters.
            types: The parameters' types.

        Raises:
            DatabaseUnavailable: The connection was lost.
        """
        oids: list[int] = []
        for name in types:
            oid = self.type_oid(name)
            if oid is None:
                return Trouble("42704", f'there is no type "{name}"', None, None)
            oids.append(oid)
        pg = self.connection.pgconn
        result = pg.prepare(b"", statement.encode(), oids)
        if result.status == ExecStatus.COMMAND_OK:
            described = pg.describe_prepared(b"")
            return tuple(
                Column(_text(described.fname(i)), self._type_name(described.ftype(i), described.fmod(i)))
                for i in range(described.nfields)
            )
        trouble = _trouble(result)
        self._back()
        return trouble

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(query.encode(), values).fetchall()

    def type_oid(self, name: str) -> int | None:
        """Return a type's number, or nothing where there is no such type."""
        if name not in self._types:
            try:
                row = self.connection.execute("SELECT %s::regtype::oid", (name,)).fetchone()
                self._types[name] = row[0] if row else None
            except psycopg.Error as error:
                if error.sqlstate is None:
                    raise
                self._types[name] = None
                self._back()
        return self._types[name]

    def _type_name(self, oid: int, modifier: int) -> str:
        key = (oid, modifier)
        if key not in self._names:
            self._names[key] = str(self.rows("SELECT format_type(%s, %s)", key)[0][0])
        return self._names[key]

    def _back(self) -> None:
        self.connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")


def _trouble(result: PGresult) -> Trouble:
    sqlstate = result.error_field(DiagnosticField.SQLSTATE)
    if sqlstate is None:
        raise DatabaseUnavailable(_text(result.error_message).strip())
    hint = result.error_field(DiagnosticField.MESSAGE_HINT)
    position = result.error_field(DiagnosticField.STATEMENT_POSITION)
    return Trouble(
        sqlstate=_text(sqlstate),
        message=_text(result.error_field(DiagnosticField.MESSAGE_PRIMARY)),
        hint=_text(hint) if hint else None,
        position=int(position) - 1 if position else None,
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
