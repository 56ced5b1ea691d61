"""Calls of an operation's generated functions: the whole in one call, or a submission for workers."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from specgen.database.connection import SqlError, explain
from specgen.errors import SpecgenError, UsageError
from specgen.runtime.events import Counts, Progress
from specgen.runtime.refusals import cast, misread, wrong_value
from specgen.runtime.rows import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from specgen.database.connection import Connection
    from specgen.runtime.arguments import Parameter
    from specgen.runtime.refusals import Reading

_NULL_ELEMENT = re.compile(r"[{,]\s*NULL\s*[,}]", re.IGNORECASE)
_NOTICE = re.compile(r": (\d+) of (\d+) records$")
# What PostgreSQL says about a value that is not of its parameter's type, and the runtime about an option.
_WRONG_VALUES = ("22P02", "22P03", "22003", "22007", "22008", "22023", "22021", "22032")
# Records with fields that the operation does not read.
_UNKNOWN_FIELDS = ("P0B07",)
_NOT_THERE = ("42883", "42P01", "3F000", "42704")


@dataclass(frozen=True, slots=True)
class Call:
    """An operation with what it is called with.

    Attributes:
        schema: The schema of its functions.
        once: The function that does all in one transaction.
        submit: The function that leaves the work to workers; None for an atomic operation.
        takes_confirmation: Whether the functions have a ``confirm`` argument.
        arguments: Values in PostgreSQL's text form, by parameter; None is NULL.
        readings: What its conditions make of parameters alone.
    """

    operation: str
    schema: str
    once: str
    submit: str | None
    parameters: Sequence[Parameter]
    takes_confirmation: bool
    arguments: Mapping[str, str | None]
    options: Mapping[str, Any] = field(default_factory=dict)
    readings: Sequence[Reading] = ()


def submit(connection: Connection, call: Call, *, confirm: bool) -> UUID:
    """Plan the operation and leave it to workers; committed when this returns.

    Raises:
        Refused: A confirmation, a precondition or a limit forbids it.
        UsageError: A value does not fit its type, or the operation is not deployed.
        SpecgenError: Anything else the database says.
    """
    assert call.submit is not None
    query, values = _statement(call, call.submit, confirm=confirm)
    if connection.info.transaction_status != TransactionStatus.IDLE:
        # Nothing can be asked in a transaction that has failed, so what is wrong is asked before.
        refused = wrong_value(connection, call.parameters, call.arguments)
        if refused is not None:
            raise refused
    try:
        with _reading_nulls(connection, call):
            row = connection.execute(query, values).fetchone()
    except psycopg.Error as error:
        raise _meaning(error, connection, call, call.submit) from error
    assert row is not None
    operation_id: UUID = row[0]
    return operation_id


def call_once(
    connection: Connection,
    call: Call,
    *,
    confirm: bool,
    dry_run: bool,
    listen: Callable[[Progress], None],
) -> Result:
    """Do the whole operation in one call and one transaction.

    Args:
        connection: Where; must not be in a transaction.
        call: What.
        confirm: Whether the caller has confirmed.
        dry_run: Undo everything at the end.
        listen: Gets the notices that the function raises while it runs.

    Raises:
        Refused: A precondition or a limit forbids it.
        UsageError: A value does not fit its type, or the operation is not deployed.
        SpecgenError: Anything else the database says; nothing was changed then.
    """
    query, values = _statement(call, call.once, confirm=confirm, dry_run=dry_run)

    def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
        found = _NOTICE.search(diagnostic.message_primary or "")
        if found:
            # A notice tells how many are done, not how each of them ended.
            listen(Progress(Counts(int(found[2]), int(found[1]), 0, 0), estimated=True))

    connection.add_notice_handler(notice)
    try:
        # Binary: times as text are written as the session's DateStyle says, which is the user's.
        with _reading_nulls(connection, call):
            row = connection.execute(query, values, binary=True).fetchone()
    except psycopg.Error as error:
        raise _meaning(error, connection, call, call.once) from error
    finally:
        connection.remove_notice_handler(notice)
    assert row is not None
    return Result(*row)


@contextmanager
def _reading_nulls(connection: Connection, call: Call) -> Iterator[None]:
    """Let NULL in the text of an array be no string, whatever ``array_nulls`` is in the session.

    The text is read before the function begins, so the function cannot see to that; and behind a pooler
    nothing but the transaction is the caller's own.
    """
    arrays = (call.arguments.get(item.name) or "" for item in call.parameters if item.is_array)
    if not any(_NULL_ELEMENT.search(text) for text in arrays):
        yield
        return
    with connection.transaction():
        connection.execute("SET LOCAL array_nulls = on")
        yield


def _statement(
    call: Call, function: str, *, confirm: bool, dry_run: bool = False
) -> tuple[sql.Composed, list[Any]]:
    named: list[sql.Composable] = []
    values: list[Any] = []
    for parameter in call.parameters:
        if parameter.name in call.arguments:
            named.append(sql.SQL("{} => {}").format(_identifier(parameter.name), _cast(parameter)))
            values.append(call.arguments[parameter.name])
    if dry_run:
        named.append(sql.SQL("dry_run => true"))
    if confirm and call.takes_confirmation:
        named.append(sql.SQL("confirm => true"))
    if call.options:
        named.append(sql.SQL("options => %s::jsonb"))
        values.append(json.dumps(call.options))
    query = sql.SQL("SELECT * FROM {}({})").format(
        _identifier(call.schema, function), sql.SQL(", ").join(named)
    )
    return query, values


def _cast(parameter: Parameter) -> sql.SQL:
    """A placeholder of a parameter's type; where the session may not find that, the function knows it."""
    return cast(parameter.type) if parameter.findable else sql.SQL("%s")


def _identifier(*names: str) -> sql.Identifier:
    """Return names in a query with placeholders, where a percent sign has to be doubled."""
    return sql.Identifier(*(name.replace("%", "%%") for name in names))


def _meaning(error: psycopg.Error, connection: Connection, call: Call, function: str) -> SpecgenError:
    meant = explain(error)
    if not isinstance(meant, SqlError):
        return meant
    if meant.sqlstate in _UNKNOWN_FIELDS:
        return UsageError(str(meant.args[0]), help=meant.help)
    can_ask = connection.info.transaction_status == TransactionStatus.IDLE
    refused = wrong_value(connection, call.parameters, call.arguments, meant.sqlstate) if can_ask else None
    if refused is not None:
        return refused
    # Of a value, the context names its place among the parameters; PL/pgSQL and SQL are never translated.
    in_function = "SQL" in (error.diag.context or "")
    if in_function:
        if can_ask:
            refused = misread(connection, call.readings, call.parameters, call.arguments, meant.sqlstate)
        if refused is not None or meant.sqlstate == "22023":
            return refused or UsageError(str(meant.args[0]), help=meant.help)
        return meant
    if meant.sqlstate in _NOT_THERE:
        return UsageError(
            f"the database has no function {call.schema}.{function} that fits {call.operation}",
            help='run "specgen deploy" first',
        )
    if meant.sqlstate in _WRONG_VALUES:
        return UsageError(str(meant.args[0]), help=meant.help)
    return meant
