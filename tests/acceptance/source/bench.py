"""A database with one spec of the source document in it, whose operations run in one call or by workers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from specgen.runtime.runner import Run
from specgen.runtime.store import Store
from tests.integration.operations.lab import CALL, HOW, SUBMIT, Lab, counts, records

if TYPE_CHECKING:
    import psycopg

__all__ = ["CALL", "HOW", "SUBMIT", "Bench", "Jsonb", "counts", "records"]


@dataclass
class Bench(Lab):
    """A lab where what is submitted is done by the runner, with as many workers as the spec says.

    Attributes:
        notices: What the session was told while its calls ran.
        workers: How many workers the last submitted operation had.
    """

    notices: list[str] = field(default_factory=list)
    workers: int = 0

    def __post_init__(self) -> None:
        self.connection.add_notice_handler(lambda notice: self.notices.append(notice.message_primary or ""))

    def work(self, operation_id: Any) -> None:
        row = Store(self.connection, "public").operation(operation_id)
        assert row
        self.workers = row.usual_workers
        run = Run(self.dsn, "public", operation_id, "source document", self.workers)
        list(run.events())
        assert run.report
        assert run.report.finished, run.report
        assert run.report.failures == ()

    def listener(self, *channels: str) -> psycopg.Connection[Any]:
        """Return a session that listens from now on."""
        session = self.connect()
        for channel in channels:
            session.execute(f"LISTEN {channel}".encode())
        return session

    def stored(self, result: Any, columns: str) -> Any:
        """Return what an operation's row says; one column as its value."""
        return self.one(
            f"SELECT {columns} FROM batch_operations WHERE operation_id = %s", result.operation_id
        )

    def steps(self, result: Any, columns: str) -> list[Any]:
        """Return what the rows of its steps say, in their order."""
        return self.rows(
            f"SELECT {columns} FROM batch_steps WHERE operation_id = %s ORDER BY step_number",
            result.operation_id,
        )

    def told(self, table: str, columns: str, result: Any) -> list[Any]:
        """Return what a table tells of an operation."""
        return self.rows(
            f"SELECT {columns} FROM {table} WHERE operation_id = %s ORDER BY 1", result.operation_id
        )


def heard(session: psycopg.Connection[Any]) -> list[Any]:
    """Return the payloads of what has been sent to a listening session so far."""
    session.execute("SELECT 1")  # what is committed is delivered with the next answer
    return [json.loads(item.payload) for item in session.notifies(timeout=0)]
