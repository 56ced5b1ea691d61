"""The rows of the runtime's tables, and what its functions return, with their types."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from specgen.runtime.events import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

MOST_WORKERS = 64
"""Connections that a client opens for an operation because its row says so."""
RESUMABLE = frozenset({"pending", "running", "timed_out", "cancelled", "paused"})
"""States out of which an operation can go on; it has ended for good in every other."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call returns: ``batch_operation_result``."""

    operation_id: UUID
    status: str
    total_records: int
    processed_records: int
    skipped_records: int
    error_count: int
    batch_count: int
    limit_reached: bool
    started_at: datetime | None
    completed_at: datetime | None
    errors: list[dict[str, Any]] | None
    message: str | None

    @property
    def counts(self) -> Counts:
        """The account."""
        return Counts(self.total_records, self.processed_records, self.skipped_records, self.error_count)

    @property
    def ended(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.completed_at is not None

    @property
    def seconds(self) -> float | None:
        """How long a call took that is not stored; of what is, the store knows the time that was worked."""
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds the next batch of an operation, by the step that it is at.

    Attributes:
        begun: Whether its time runs.
        seconds_left: Until its deadline, negative behind it; None without a timeout.
        statement_timeout: For one batch, in seconds: the operation's, else the server's.
        timeout_source: Whose that is: ``operation``, or what ``pg_settings.source`` says.
    """

    begun: bool
    seconds_left: float | None
    statement_timeout: float | None
    timeout_source: str
    max_attempts: int
    backoff: float


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of ``batch_operations``, its counts up to date.

    Attributes:
        seconds: For how long it was worked on, by the server's clock.
        idle_seconds: For how long nobody was, between an interruption and what went on.
        active_at: When somebody was last seen at work on it; None before it has begun.
        abandoned: Whether it is running and nobody is at work on it.
        silent: Seconds since ``active_at``.
        seconds_left: Until its deadline, negative behind it; None without a timeout.
        statement_timeout: For one batch, in seconds: the operation's, else the server's.
    """

    operation_id: UUID
    operation: str
    entity: str
    status: str
    submitted: bool
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    total_records: int
    processed_records: int
    skipped_records: int
    error_count: int
    batch_count: int
    retries: int
    limit_reached: bool
    message: str | None
    stop_status: str | None
    batch_size: int
    error_handling: str
    strategy: str | None
    strategy_reason: str | None
    ranges: int
    ranges_done: int
    seconds: float | None
    idle_seconds: float
    active_at: datetime | None
    abandoned: bool
    silent: float | None
    seconds_left: float | None
    statement_timeout: float | None
    max_attempts: int
    backoff: float
    parallel: bool
    max_workers: int | None
    step: str | None
    heartbeat_interval: float | None

    @property
    def ended(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.completed_at is not None

    @property
    def counts(self) -> Counts:
        """The account so far."""
        return Counts(self.total_records, self.processed_records, self.skipped_records, self.error_count)

    @property
    def usual_workers(self) -> int:
        """How many connections work on it when nobody says how many."""
        return min(self.max_workers or 1, MOST_WORKERS) if self.parallel else 1


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker of an operation, from ``batch_workers``.

    Attributes:
        silent: Seconds since its last heartbeat, by the server's clock.
        connected: Whether its session is there; None where this session may not see that.
    """

    worker_pid: int
    client_address: str | None
    application_name: str | None
    started_at: datetime
    heartbeat_at: datetime
    left_at: datetime | None
    batch_count: int
    record_count: int
    error_count: int
    silent: float
    connected: bool | None

    def missed(self, interval: float | None) -> int:
        """How many heartbeats it has missed."""
        return 0 if self.left_at or not interval else max(int(self.silent / interval), 0)


@dataclass(frozen=True, slots=True)
class Holder:
    """A session that holds ranges of an operation, from ``batch_holders``.

    Attributes:
        ranges: How many; 0 where it is the operation's own row.
        state: As ``pg_stat_activity`` has it; None, as what follows, where this role may not see it.
        began_at: When its transaction began.
    """

    worker_pid: int
    ranges: int
    application_name: str | None
    client_address: str | None
    state: str | None
    began_at: datetime | None

    def __str__(self) -> str:
        """Who it is, for people."""
        since = f"in its transaction since {self.began_at:%H:%M:%S}" if self.began_at else None
        return ", ".join(
            filter(None, (f"session {self.worker_pid}", self.application_name, self.state, since))
        )


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of an operation, from ``batch_steps``, its counts up to date."""

    step_number: int
    step: str
    status: str
    total_records: int
    processed_records: int
    skipped_records: int
    error_count: int
    batch_count: int
    strategy: str | None
    seconds: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """A failed record, from ``batch_operation_errors``."""

    batch_number: int | None
    record_number: int | None
    record_key: Any
    error_message: str
    sqlstate: str
    constraint_name: str | None
    column_name: str | None
    detail: str | None
    failed_records: Any
    value: str | None
    line_number: int | None
    skipped: bool
    step: str | None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ErrorRow:
        """Return an element of a result's ``errors``."""
        return cls(**{field.name: document.get(field.name) for field in fields(cls)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """How many records failed for one reason; ``example`` is the key of one of them."""

    sqlstate: str
    constraint_name: str | None
    column_name: str | None
    records: int
    error_message: str
    example: Any


@dataclass(frozen=True, slots=True)
class Step:
    """What one attempt to do one batch came to."""

    state: str
    status: str
    batch_number: int | None
    total_records: int
    processed_records: int
    skipped_records: int
    error_count: int
