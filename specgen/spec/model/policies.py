"""Limits, errors, reporting, workers: the keys of an operation that are plain settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ErrorHandling(StrEnum):
    """What happens after a record fails."""

    CONTINUE_ON_ERROR = "continue_on_error"
    STOP_ON_ERROR = "stop_on_error"
    COLLECT_ERRORS = "collect_errors"


class ErrorIsolation(StrEnum):
    """What a failure is blamed on."""

    RECORD = "record"
    BATCH = "batch"


class OnLimit(StrEnum):
    """What happens when more records match than ``max_records``."""

    STOP = "stop"
    FAIL = "fail"


class ParallelRuns(StrEnum):
    """Whether an operation may run twice at the same time."""

    ALLOW = "allow"
    EXCLUSIVE = "exclusive"


class LoggingLevel(StrEnum):
    """How much is written to the log table."""

    NONE = "none"
    BASIC = "basic"
    DETAILED = "detailed"


@dataclass(frozen=True, slots=True)
class MaxErrors:
    """``max_errors``: an absolute number, or a percentage judged after 100 records."""

    count: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """``retry`` for deadlock and lock timeout.

    Attributes:
        max_attempts: Attempts a batch gets in all, the first included.
        backoff_ms: Wait before the second attempt, in milliseconds; doubled for each further one.
    """

    max_attempts: int = 3
    backoff_ms: int = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Section 4 of the language: limits and safety.

    Times are whole milliseconds.
    """

    batch_size: int = 1000
    max_records: int | None = None
    on_limit: OnLimit = OnLimit.STOP
    timeout_ms: int | None = None
    lock_timeout_ms: int | None = None
    statement_timeout_ms: int | None = None
    requires_confirmation: bool = False
    parallel_runs: ParallelRuns = ParallelRuns.ALLOW
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """Section 5 of the language: errors."""

    handling: ErrorHandling = ErrorHandling.CONTINUE_ON_ERROR
    isolation: ErrorIsolation = ErrorIsolation.RECORD
    max_errors: MaxErrors = field(default_factory=MaxErrors)
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True)
class Reporting:
    """Section 7 of the language: progress, logs, metrics."""

    progress_tracking: bool = False
    logging_level: LoggingLevel = LoggingLevel.BASIC
    log_table: str | None = None
    metrics_table: str | None = None
    collect_metrics: bool = False


@dataclass(frozen=True, slots=True)
class Notifications:
    """Section 7 of the language: who is told, and what.

    Attributes:
        interval: Records after which another progress notification is sent.
        message: The text with ``{field}``s of the result; the runtime's own when there is none.
        channels: The names under which ``specgen notify`` knows where to.
    """

    interval: int | None = None
    on_completion: bool = False
    message: str | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workers:
    """Who works on a submitted operation: section 8 of the language, and what 5 and 7 say of workers.

    Attributes:
        parallel: Whether it was said that several workers do it.
        max_workers: How many do batches of it at the same time; None for any number.
        batch_size: Records per batch of a submitted operation; None for ``batch_size``.
        max_errors: Failed records of one worker after which the operation stops.
        heartbeat_ms: How often a worker shows that it is alive.
    """

    parallel: bool = False
    max_workers: int | None = None
    batch_size: int | None = None
    max_errors: int | None = None
    heartbeat_ms: int | None = None
