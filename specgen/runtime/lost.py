"""What to do about a connection that was lost before the answer came.

Every call carries an id that its maker chose, so it may be sent again, and the database can be asked what
became of it. Nothing here guesses: what cannot be known is said to be unknown.
"""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from specgen.database.connection import connect, translated
from specgen.errors import DatabaseUnavailable
from specgen.runtime.patience import patiently
from specgen.runtime.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from specgen.database.connection import Connection

    T = TypeVar("T")

# A crashed server needs some seconds to recover; in all, about 20 s.
RECONNECT_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 6.0, 6.0)
# A statement may be on its way to a session that has not begun it: what is absent is asked for again.
_ABSENT = 3

State = Literal["stored", "running", "absent", "unknown"]


def persist(
    url: str,
    application: str,
    work: Callable[[Connection], T],
    tell: Callable[[str, float], None],
) -> T:
    """Do over a connection what may be done twice, again whenever the connection is lost.

    Args:
        url: Where.
        application: What ``pg_stat_activity`` shows.
        work: What; the first connection has to be had at once.
        tell: Hears of a loss, and of the seconds until the next try.

    Raises:
        DatabaseUnavailable: It has been tried often enough.
        SpecgenError: Whatever else the work raises.
    """
    delays = iter(RECONNECT_DELAYS)
    connection: Connection | None = connect(url, application=application)
    while True:
        try:
            with connection or connect(url, application=application) as line, translated():
                return patiently(line, partial(work, line))
        except DatabaseUnavailable as lost:
            delay = next(delays, None)
            if delay is None:
                raise
            delay *= random.uniform(0.75, 1.25)  # noqa: S311 - jitter
            tell(lost.reason.partition("\n")[0], delay)
            time.sleep(delay)
            connection = None


def state_of(
    url: str, application: str, runtime: str, operation_id: UUID, tell: Callable[[str], None]
) -> State:
    """Ask what became of a call whose answer was lost, and wait a while for one that is still at work.

    Args:
        url: Where.
        application: What ``pg_stat_activity`` shows.
        runtime: The schema of the ``batch_*`` functions.
        operation_id: The id that the call carried.
        tell: Hears, once, that the call is still at work.
    """
    state: State = "unknown"
    absent = 0
    told = False
    for delay in (*RECONNECT_DELAYS, None):
        try:
            with connect(url, application=application) as connection, translated():
                state = Store(connection, runtime).call_state(operation_id)
        except DatabaseUnavailable:
            state = "unknown"
        absent = absent + 1 if state == "absent" else 0
        if state == "stored" or absent == _ABSENT or delay is None:
            break
        if state == "running" and not told:
            tell("the connection was lost; the call is still at work in the database: waiting for its end")
            told = True
        time.sleep(delay)
    return state
