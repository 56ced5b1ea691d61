"""What a run says when the connection is lost between the call and its answer."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from specgen.cli.printing import say
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specgen.cli.outcome import Request
    from specgen.database.connection import Connection
    from specgen.runtime.calls import Call
    from specgen.runtime.rows import ErrorRow, Result
    from specgen.runtime.store import Store

    T = TypeVar("T")


def id_of(call: Call) -> UUID:
    """Return the id that a call carries."""
    return UUID(str(call.options["operation_id"]))


def tell_repeated(call: Call, operation_id: UUID, *, tried: str | None = None) -> None:
    """Say so where a name of the caller's own has led to an operation that was there before.

    Args:
        call: What was called.
        operation_id: What came of it.
        tried: For a dry run, the status; one that has found nothing to try is that of the operation.
    """
    keyed = call.options.get("idempotency_key") is not None and operation_id != id_of(call)
    if not keyed and tried in (None, "dry_run"):
        return
    name = "idempotency key" if keyed else "operation id"
    begun = "is begun" if tried is None else "would be begun; this is how it stands"
    say(f"the {name} was used before, by operation {operation_id}: nothing new {begun}", err=True)


def tell_known(request: Request, options: Sequence[str], *, dry_run: bool) -> None:
    """Say so where the id that the caller gives is that of an operation which was there before.

    Nothing in the answer of a run tells it; that of a dry run does, see :func:`tell_repeated`.
    """
    from specgen.database.connection import connect, translated
    from specgen.runtime.arguments import read_options
    from specgen.runtime.store import Store

    given = read_options(tuple(options)).get("operation_id")
    if given is None or dry_run:
        return
    try:
        operation_id = UUID(str(given))
    except ValueError:
        return  # the call says what is wrong with it
    with connect(request.url, application=request.application) as connection, translated():
        store = Store(connection, request.runtime)
        earlier = store.operation(operation_id)
    if earlier is not None:
        say(
            f"operation {operation_id} was begun before and is {earlier.status}: nothing new is begun",
            err=True,
        )


def persist(request: Request, call: Call, work: Callable[[Connection], T]) -> T:
    """Do what may be done twice, a submission with an id, until it was answered.

    Raises:
        DatabaseUnavailable: The database has not answered for long.
        SpecgenError: Whatever else the work raises.
    """
    from specgen.runtime import lost

    sent = False

    def tell(reason: str, delay: float) -> None:
        say(f"connection lost ({reason}); again, as the same operation, in {delay:.1f} s", err=True)

    def working(connection: Connection) -> T:
        nonlocal sent
        sent = True
        return work(connection)

    try:
        return lost.persist(request.url, request.application, working, tell)
    except DatabaseUnavailable as error:
        if not sent:
            raise
        raise _unknown(request, id_of(call), error.reason) from error


def outcome_of(request: Request, call: Call, loss: DatabaseUnavailable) -> Result:
    """Return how a call ended whose answer was lost.

    Raises:
        DatabaseUnavailable: It was not done, or nobody can say.
    """
    from specgen.runtime.lost import state_of

    operation_id = id_of(call)

    def tell(text: str) -> None:
        say(text, err=True)

    state = state_of(request.url, request.application, request.runtime, operation_id, tell)
    if state == "absent":
        raise DatabaseUnavailable(
            f"the connection was lost before the call was done, and nothing was changed: {loss.reason}",
            help=f"repeat it: {request.repeat_command(operation_id)}",
        ) from loss
    if state != "stored":
        raise _unknown(request, operation_id, loss.reason) from loss
    say("the connection was lost after the call was done; this is how it ended:", err=True)
    return _over_a_new_line(request, lambda store: store.result(operation_id))


def print_over_losses(
    request: Request, connection: Connection, result: Result, errors: Sequence[ErrorRow] | None = None
) -> None:
    """Print how an operation ended, over another connection where this one is lost.

    Raises:
        DatabaseUnavailable: The database does not answer any more.
    """
    from specgen.cli.outcome import print_outcome
    from specgen.database.connection import translated
    from specgen.runtime.store import Store

    try:
        with translated():
            print_outcome(request, result, Store(connection, request.runtime), errors=errors)
    except DatabaseUnavailable as error:
        ended = f"it has ended as {result.status}"
        try:
            _over_a_new_line(request, lambda store: print_outcome(request, result, store, errors=errors))
        except DatabaseUnavailable:
            shown = "" if result.status == "dry_run" else f"; see: specgen status {result.operation_id}"
            raise DatabaseUnavailable(error.reason, help=ended + shown) from error


def _over_a_new_line(request: Request, read: Callable[[Store], T]) -> T:
    from specgen.runtime import lost
    from specgen.runtime.store import Store

    def reading(connection: Connection) -> T:
        with closing(connection):
            return read(Store(connection, request.runtime))

    return lost.persist(request.url, request.application, reading, lambda _reason, _delay: None)


def _unknown(request: Request, operation_id: UUID, reason: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the connection was lost, and whether the call was done is not known: {reason}",
        help=f"ask: specgen status {operation_id}{request.place}\n"
        f"   repeat it, which does nothing twice: {request.repeat_command(operation_id)}",
    )
