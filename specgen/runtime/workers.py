"""One worker: a connection in a thread that does batch after batch until the operation is finished.

Whatever ends a worker (a killed backend, a dead server, a killed client) undoes the batch it was at and
frees the range it had claimed, because both hang on its transaction. So every failure may simply be met
by trying again, and what is done stays exact.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

from specgen.database.connection import SqlError, connect, explain, is_lost
from specgen.errors import DatabaseUnavailable, SpecgenError
from specgen.runtime.events import BatchDone, Reconnecting, Retrying, Waiting, WorkerEnded, WorkerFailed
from specgen.runtime.lost import RECONNECT_DELAYS
from specgen.runtime.patience import (
    CONFLICTS,
    QUERY_CANCELED,
    YIELDED,
    delay_after,
    overtime,
)
from specgen.runtime.store import Store

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from uuid import UUID

    from specgen.runtime.events import Event
    from specgen.runtime.rows import Bounds, Step

IDLE = 0.05
# So long may others hold the last ranges before it is worth a word.
LONG = 2.0
# The operation was ended while this worker was at a batch, which is undone.
ENDED = "P0B12"
# Nobody's fault, over in a moment.
LOCK_NOT_AVAILABLE = "55P03"
# Past the deadline the database itself ends the operation between two batches; only what hangs in a
# batch is cancelled.
GRACE = 0.1


@dataclass(frozen=True, slots=True)
class Job:
    """What the workers of a run share.

    Attributes:
        stop: Set when workers are to leave after the batch they are at.
    """

    url: str = field(repr=False)
    runtime_schema: str
    operation_id: UUID
    application: str
    stop: threading.Event
    emit: Callable[[Event], None]


@dataclass(slots=True)
class _Clock:
    """How long a batch may take, by an operation's row, which each step of it changes."""

    statement_timeout: float | None = None
    source: str = "operation"
    deadline: float | None = None

    def read(self, bounds: Bounds) -> None:
        self.statement_timeout = bounds.statement_timeout
        self.source = bounds.timeout_source
        left = bounds.seconds_left
        self.deadline = None if left is None else time.monotonic() + left + GRACE

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def allowance(self, *, planning: bool = False) -> float | None:
        """Seconds for the next batch. None behind the deadline: the database then starts no batch.

        Args:
            planning: Whether it is for planning a step, of which a batch's timeout says nothing.
        """
        bounds = [self.statement_timeout] if self.statement_timeout and not planning else []
        if self.deadline is not None and not self.expired:
            bounds.append(self.deadline - time.monotonic())
        return min(bounds, default=None)


class Worker:
    """Works until the operation is finished, the job is stopped, or there is no going on."""

    def __init__(self, job: Job, number: int) -> None:
        self._job = job
        self._number = number
        self._clock = _Clock()
        self._store: Store | None = None
        self._limits = (1, 0.1)
        self._attempt = 1
        self._conflicts = 0
        self._done = -1  # records, when the last conflict was met
        self._losses = 0
        self._began = 0.0  # the batch at hand
        self._idle_since: float | None = None
        self._known = False  # the clock
        self._allowed: float | None = None

    def run(self) -> None:
        """Work; every way to end is told by events, nothing is raised."""
        finished = False
        try:
            finished = self._work()
        except SpecgenError as error:
            self._job.emit(WorkerFailed(self._number, error))
            if not isinstance(error, DatabaseUnavailable):
                # The next batch of another worker would fail alike.
                self._job.stop.set()
        except Exception as error:  # a thread must not die without a word
            self._job.emit(WorkerFailed(self._number, SpecgenError(f"{type(error).__name__}: {error}")))
            self._job.stop.set()
        finally:
            self._leave(finished=finished)
            self._job.emit(WorkerEnded(self._number, finished))

    def _work(self) -> bool:
        while not self._job.stop.is_set():
            try:
                step = self._step(self._connected())
            except psycopg.Error as error:
                self._recover(error)
            except DatabaseUnavailable as error:
                self._lost(str(error))
            else:
                self._attempt = 1
                self._conflicts = 0
                self._losses = 0
                if step.state == "finished":
                    return True
                if step.state == "idle":
                    # Others hold the last ranges. Should one of them die, this worker carries on.
                    self._look_around()
                    self._job.stop.wait(IDLE)
                else:
                    self._idle_since = None
        return False

    def _look_around(self) -> None:
        """Tell, from time to time, whom this worker waits for."""
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        if now - self._idle_since < LONG or self._store is None:
            return
        self._idle_since = now
        with suppress(psycopg.Error):  # the next step says whether the connection is there
            holders = tuple(self._store.holders(self._job.operation_id))
            if holders:
                self._job.emit(Waiting(self._number, holders))

    def _leave(self, *, finished: bool) -> None:
        if self._store is None:
            return
        if not finished:
            # The last step of a finished operation says so itself. Where this fails the row's silence will.
            with suppress(psycopg.Error):
                self._store.leave(self._job.operation_id)
        self._store.connection.close()

    def _connected(self) -> Store:
        if self._store is None:
            connection = connect(self._job.url, application=self._job.application)
            self._store = Store(connection, self._job.runtime_schema)
            self._read_clock()
        return self._store

    def _read_clock(self) -> None:
        assert self._store is not None
        bounds = self._store.bounds(self._job.operation_id)
        if bounds is not None:
            self._clock.read(bounds)
            self._limits = (bounds.max_attempts, bounds.backoff)
            self._known = bounds.begun

    def _step(self, store: Store) -> Step:
        if not self._known or self._clock.expired:
            self._read_clock()
        self._allowed = self._clock.allowance()
        self._began = time.monotonic()
        step = store.step(self._job.operation_id, timeout=self._allowed)
        if step.state == "due":
            self._allowed = self._clock.allowance(planning=True)
            self._began = time.monotonic()
            step = store.step(self._job.operation_id, timeout=self._allowed, may_plan=True)
        if step.batch_number is None:
            # The operation has begun or gone on to its next step, or somebody else may see to that.
            self._known = False
        else:
            self._job.emit(
                BatchDone(
                    self._number,
                    step.batch_number,
                    step.processed_records,
                    step.skipped_records,
                    step.error_count,
                )
            )
        return step

    def _recover(self, error: psycopg.Error) -> None:
        """Decide how to go on after a batch that failed as a whole.

        Raises:
            SpecgenError: There is no going on.
        """
        assert self._store is not None
        if is_lost(error, self._store.connection):
            self._lost(str(explain(error)))
            return
        attempts, backoff = self._limits
        if error.sqlstate in YIELDED:
            self._yield(error)
        elif error.sqlstate == ENDED:
            pass  # the next step says how
        elif error.sqlstate == LOCK_NOT_AVAILABLE and self._attempt < attempts:
            delay = backoff * 2 ** (self._attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            self._attempt += 1
            message = error.diag.message_primary or ""
            self._job.emit(Retrying(self._number, str(error.sqlstate), message, self._attempt, delay))
            self._job.stop.wait(delay)
        elif error.sqlstate == QUERY_CANCELED and self._was_out_of_date():
            pass  # it was bounded as the batches of an earlier step are
        elif error.sqlstate == QUERY_CANCELED and self._clock.expired:
            message = "stopped in the middle of a batch, which was undone (timeout)"
            with suppress(psycopg.Error):  # the next step says whether it was
                self._store.time_out(self._job.operation_id, message)
        else:
            raise self._named(error) from error

    def _yield(self, error: psycopg.Error) -> None:
        """Wait after a conflict, which says that somebody else got on.

        Raises:
            SqlError: Nothing has got on for long.
        """
        assert self._store is not None
        with suppress(psycopg.Error):
            done = self._store.counts(self._job.operation_id).done
            if done != self._done:
                self._done = done
                self._conflicts = 0
        self._conflicts += 1
        if self._conflicts == CONFLICTS:
            raise explain(error) from error
        delay = delay_after(self._conflicts)
        message = error.diag.message_primary or ""
        self._job.emit(Retrying(self._number, str(error.sqlstate), message, self._conflicts + 1, delay))
        self._job.stop.wait(delay)

    def _named(self, error: psycopg.Error) -> SpecgenError:
        """Return what an error means, with the timeout that has canceled the batch, if one has."""
        meant = explain(error)
        allowed = self._clock.statement_timeout
        if (
            not isinstance(meant, SqlError)
            or error.sqlstate != QUERY_CANCELED
            or allowed is None
            or time.monotonic() - self._began < allowed
        ):
            return meant
        longer = "PGOPTIONS='-c statement_timeout=1h' lets it have more time"
        if self._clock.source == "operation":
            longer = (
                f"it is kept in {self._job.runtime_schema}.batch_operations.statement_timeout,"
                " where it can be raised for this operation"
            )
        return overtime(
            meant,
            what="a batch",
            allowed=allowed,
            source=self._clock.source,
            help=f"{longer}; a new run may take a smaller batch_size",
        )

    def _was_out_of_date(self) -> bool:
        """Read the clock again; says whether a batch may take longer than the last one might."""
        if self._allowed is None:
            return False
        self._read_clock()
        if self._clock.expired:
            return False
        allowed = self._clock.allowance()
        return allowed is None or allowed > self._allowed

    def _lost(self, message: str) -> None:
        """Throw the connection away, and wait before the next.

        Raises:
            DatabaseUnavailable: It has been tried often enough.
        """
        if self._store is not None:
            self._store.connection.close()
            self._store = None
        if self._losses == len(RECONNECT_DELAYS):
            raise DatabaseUnavailable(message)
        delay = RECONNECT_DELAYS[self._losses] * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        self._losses += 1
        self._job.emit(Reconnecting(self._number, message, self._losses, delay))
        self._job.stop.wait(delay)
