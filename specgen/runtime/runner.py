"""Runs a submitted operation: starts workers, tells what happens, and gathers how it ended."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

from specgen.database.connection import connect, translated
from specgen.errors import DatabaseUnavailable, UsageError
from specgen.runtime.events import Progress, Started, Waiting, WorkerEnded, WorkerFailed
from specgen.runtime.store import Store
from specgen.runtime.workers import Job, Worker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from uuid import UUID

    from specgen.runtime.events import Event
    from specgen.runtime.rows import Result

POLL = 0.25
# Workers see that the operation is finished by their next step. One that does not is frozen, and it is no
# longer waited for: its batch cannot be committed any more.
FAREWELL = 10.0


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    Attributes:
        finished: Whether the operation has ended; else it is open and can be resumed.
        result: The operation's account; None when the database could no longer be asked.
        failures: Why workers gave up, each of them.
    """

    operation_id: UUID
    finished: bool
    result: Result | None
    failures: tuple[WorkerFailed, ...]


@dataclass(slots=True)
class _Beats:
    """When the workers' next heartbeat is due; never where the operation has no ``heartbeat_interval``."""

    interval: float | None
    _next: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        now = time.monotonic()
        if self.interval is None or now < self._next:
            return False
        self._next = now + self.interval
        return True


@dataclass(slots=True)
class Run:
    """A run of one submitted operation; iterate over ``events()`` to drive it.

    Attributes:
        report: How it ended, once the events are through.
    """

    url: str = field(repr=False)
    runtime_schema: str
    operation_id: UUID
    application: str
    workers: int = 1
    report: RunReport | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    _store: Store | None = None
    _beats: _Beats = field(default_factory=lambda: _Beats(None))

    def stop(self) -> None:
        """Let every worker leave after the batch it is at; safe in a signal handler."""
        self._stop.set()

    def events(self) -> Iterator[Event]:
        """Start the workers and yield what happens until the last of them has left.

        Raises:
            UsageError: There is no such operation.
            DatabaseUnavailable: The database cannot be reached at the start.
        """
        with translated():
            operation = self._reader().operation(self.operation_id)
        if operation is None:
            raise UsageError(f"there is no operation {self.operation_id}")
        self._beats = _Beats(operation.heartbeat_interval)
        yield Started(self.operation_id, operation.operation, self.workers, operation.counts)
        try:
            self._start()
            failures = yield from self._until_all_have_left()
            self.report = self._conclude(tuple(failures))
        finally:
            # Left early, by an exception of whoever listens: the workers must not go on unwatched.
            self._stop.set()
            if self._store is not None:
                self._store.connection.close()

    def _start(self) -> None:
        job = Job(
            self.url, self.runtime_schema, self.operation_id, self.application, self._stop, self._events.put
        )
        for number in range(1, self.workers + 1):
            # A daemon: whoever presses Ctrl-C twice does not wait for the batch.
            threading.Thread(
                target=Worker(job, number).run, name=f"specgen worker {number}", daemon=True
            ).start()

    def _until_all_have_left(self) -> Generator[Event, None, list[WorkerFailed]]:
        failures: list[WorkerFailed] = []
        left = self.workers
        next_poll = time.monotonic()
        ended: float | None = None  # when the first worker saw the operation finished
        told: tuple[int, ...] = ()
        while left and (ended is None or time.monotonic() - ended < FAREWELL):
            try:
                event = self._events.get(timeout=POLL)
            except queue.Empty:
                pass
            else:
                if isinstance(event, WorkerEnded):
                    left -= 1
                    if event.finished and ended is None:
                        ended = time.monotonic()
                if isinstance(event, Waiting):
                    pids = tuple(holder.worker_pid for holder in event.holders)
                    if pids == told:
                        continue
                    told = pids
                if isinstance(event, WorkerFailed):
                    failures.append(event)
                yield event
            if time.monotonic() >= next_poll:
                yield from self._progress()
                next_poll = time.monotonic() + POLL
        yield from self._progress()
        return failures

    def _progress(self) -> Iterator[Progress]:
        """Yield the committed counts, and beat for the workers that are at a long batch.

        Silent while the database is away: the workers tell of that.
        """
        try:
            reader = self._reader()
            if self._beats.due():
                reader.beat(self.operation_id)
            yield Progress(reader.counts(self.operation_id))
        except (psycopg.Error, DatabaseUnavailable):
            self._forget_reader()

    def _conclude(self, failures: tuple[WorkerFailed, ...]) -> RunReport:
        for _ in range(2):  # a connection that went while nothing was asked is no news
            try:
                result = self._reader().result(self.operation_id)
            except (psycopg.Error, DatabaseUnavailable):
                self._forget_reader()
            else:
                return RunReport(self.operation_id, result.ended, result, failures)
        return RunReport(self.operation_id, finished=False, result=None, failures=failures)

    def _reader(self) -> Store:
        if self._store is None or self._store.connection.closed:
            connection = connect(self.url, application=self.application)
            self._store = Store(connection, self.runtime_schema)
        return self._store

    def _forget_reader(self) -> None:
        if self._store is not None:
            self._store.connection.close()
            self._store = None
