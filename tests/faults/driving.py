"""Operations on the tallies, submitted and worked on in the background of a test."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import counting
import psycopg
from gates import PATIENCE

from specgen.runtime.runner import Run

from .conftest import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from specgen.runtime.events import Event

SUBMISSIONS = {
    "items": ("count_items", {"ids": list(range(1, ROWS + 101))}),
    "ranges": ("count_rows", {"lowest": 0}),
    "keys": ("count_part", {"part": 7}),
}
LATE = "SELECT FROM tally WHERE id = 3987 FOR UPDATE"
"""Holds one of the last records of each of them: as long as it is held they get on, and do not finish."""


def submit(dsn: str, strategy: str) -> UUID:
    name, arguments = SUBMISSIONS[strategy]
    named = ", ".join(f"{key} => %s" for key in arguments)
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(f"SELECT {name}_submit({named})", list(arguments.values())).fetchone()
        assert row is not None
        kept = connection.execute(
            "SELECT strategy FROM batch_operations WHERE operation_id = %s", (row[0],)
        ).fetchone()
        assert kept == (strategy,)
    return row[0]  # type: ignore[no-any-return]


def undisturbed(dsn: str, strategy: str) -> counting.Outcome:
    operation_id = submit(dsn, strategy)
    work(dsn, operation_id, count=1)
    expected = counting.outcome(dsn, operation_id)
    counting.check_exact(expected)
    return expected


def work(dsn: str, operation_id: UUID, *, count: int = 2) -> list[Event]:
    return list(Run(dsn, "public", operation_id, "specgen test", count).events())


@contextmanager
def working(dsn: str, operation_id: UUID, *, count: int = 2) -> Iterator[tuple[Run, list[Event]]]:
    """Workers in the background; waits for them at the end of the block."""
    events: list[Event] = []
    run = Run(dsn, "public", operation_id, "specgen test", count)
    # A daemon: a test that fails says so at once, even if what it holds lets no worker end.
    thread = threading.Thread(target=lambda: events.extend(run.events()), daemon=True)
    thread.start()
    try:
        yield run, events
    except BaseException:
        run.stop()
        raise
    thread.join(PATIENCE)
    assert not thread.is_alive()
