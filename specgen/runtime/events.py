"""What happens while an operation runs, as values: bars, log lines and JSON are renderings of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from specgen.errors import SpecgenError
    from specgen.runtime.rows import Holder


@dataclass(frozen=True, slots=True)
class Counts:
    """Records, counted by the database; ``total`` is what the plan found and may be passed."""

    total: int
    processed: int
    skipped: int
    failed: int

    @property
    def done(self) -> int:
        """How many are settled, one way or another."""
        return self.processed + self.skipped + self.failed

    @property
    def holds(self) -> bool:
        """Whether each record is accounted for."""
        return self.total == self.done


@dataclass(frozen=True, slots=True)
class Loading:
    """A file is being read.

    Attributes:
        records: How many were read, the rejected ones among them.
        rejected: How many lines are no records.
    """

    records: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Started:
    """Workers begin, or go on after a resume."""

    operation_id: UUID
    operation: str
    workers: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A worker of this run has committed a batch."""

    worker: int
    batch_number: int
    processed: int
    skipped: int
    failed: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The committed state, whoever worked on it."""

    counts: Counts
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Retrying:
    """A batch met somebody else's locks and is tried again."""

    worker: int
    sqlstate: str
    message: str
    attempt: int
    delay: float


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """A worker lost its connection; its claim went with it, so nothing is done twice."""

    worker: int
    message: str
    attempt: int
    delay: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A worker has nothing to do, since other sessions hold what is left.

    Attributes:
        holders: Who, as far as it can be seen.
    """

    worker: int
    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """A worker gave up."""

    worker: int
    error: SpecgenError


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker has left.

    Attributes:
        finished: It saw the operation finished; else it was stopped or gave up.
    """

    worker: int
    finished: bool


Event = (
    Loading | Started | BatchDone | Progress | Retrying | Reconnecting | Waiting | WorkerFailed | WorkerEnded
)
