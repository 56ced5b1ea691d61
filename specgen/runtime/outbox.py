"""Delivers what ``batch_outbox`` holds: each message at least once, whoever dies on the way.

A message is claimed by its row's lock, sent, and marked, in one transaction. So two notifiers never send the
same message, and one that dies between sending and marking leaves it to be sent again.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from specgen.runtime.channels import NotDelivered, send

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import Cursor

    from specgen.database.connection import Connection

LONGEST_DELAY = 3600.0


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the outbox.

    Attributes:
        payload: The documented JSON.
        attempts: How often it has been tried.
        last_error: What went wrong the last time.
    """

    id: int
    operation_id: UUID
    channel: str
    subject: str
    text: str
    payload: str
    attempts: int
    last_error: str | None

    @property
    def title(self) -> str:
        """The subject on one line, as a mail's header wants it."""
        return " ".join("".join(c if c.isprintable() else " " for c in self.subject).split())


@dataclass(frozen=True, slots=True)
class Policy:
    """How patiently messages are delivered; times in seconds.

    Attributes:
        max_attempts: After so many a message is dead, until somebody has it tried again.
        backoff: The wait after the first failure, doubled with each further one.
        timeout: How long one attempt may take.
    """

    max_attempts: int = 10
    backoff: float = 10.0
    timeout: float = 30.0

    def delay(self, attempts: int) -> float:
        """Return the wait after so many failures, with jitter."""
        wait = min(self.backoff * 2.0 ** (attempts - 1), LONGEST_DELAY)
        return wait * random.uniform(0.75, 1.25)  # noqa: S311 - jitter


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one attempt; without an error the message is delivered.

    Attributes:
        retry_in: Seconds until it is due again; None when it is delivered or dead.
    """

    message: Message
    attempts: int
    error: str | None = None
    retry_in: float | None = None

    @property
    def dead(self) -> bool:
        """Whether it has been tried too often."""
        return self.error is not None and self.retry_in is None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of a channel that are neither delivered nor dead; ``due_in`` is negative when one is due."""

    channel: str
    messages: int
    due_in: float


class Outbox:
    """The outbox as seen through one connection, which no other statement shares meanwhile."""

    def __init__(self, connection: Connection, runtime_schema: str) -> None:
        self.connection = connection
        self._runtime = runtime_schema

    def deliver(self, addresses: Mapping[str, str], policy: Policy) -> Iterator[Delivery]:
        """Try each message that is due once, and yield what came of it.

        A channel where nobody answers is left alone after the first message, so that those of other
        channels need not wait until it has kept each of its own waiting.

        Args:
            addresses: Where the messages of a channel go; those of other channels are left alone.
            policy: How patiently.
        """
        open_channels = dict(addresses)
        ((began,),) = self._rows("SELECT clock_timestamp()")
        while open_channels:
            delivery, unreachable = self._deliver_one(open_channels, began, policy)
            if delivery is None:
                return
            if unreachable:
                del open_channels[delivery.message.channel]
            yield delivery

    def _deliver_one(
        self, addresses: Mapping[str, str], began: datetime, policy: Policy
    ) -> tuple[Delivery | None, bool]:
        with self.connection.transaction():
            message = self._claim(addresses, began)
            if message is None:
                return None, False
            attempts = message.attempts + 1
            try:
                send(addresses[message.channel], message, policy.timeout)
            except NotDelivered as failure:
                delay = policy.delay(attempts) if attempts < policy.max_attempts else None
                self._mark_failed(message, str(failure), delay)
                return Delivery(message, attempts, str(failure), delay), failure.unreachable
            self._mark_delivered(message)
            return Delivery(message, attempts), False

    def _claim(self, channels: Collection[str], began: datetime) -> Message | None:
        # The lock is held while the message is on its way, however impatient the server is set up.
        self._execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
        rows = self._rows(
            """
            SELECT m.id, m.operation_id, m.channel, m.subject, m.message, m.payload::text,
                   m.attempts, m.last_error
              FROM {runtime}.batch_outbox AS m
             WHERE m.status = 'pending'
               AND m.next_attempt_at <= %s
               AND m.channel = ANY (%s)
             ORDER BY m.next_attempt_at, m.id
             LIMIT 1
               FOR NO KEY UPDATE SKIP LOCKED
            """,
            began,
            list(channels),
        )
        return Message(*rows[0]) if rows else None

    def _mark_delivered(self, message: Message) -> None:
        self._execute(
            """
            UPDATE {runtime}.batch_outbox AS m
               SET status = 'delivered', attempts = m.attempts + 1, delivered_at = clock_timestamp()
             WHERE m.id = %s
            """,
            message.id,
        )

    def _mark_failed(self, message: Message, error: str, delay: float | None) -> None:
        self._execute(
            """
            UPDATE {runtime}.batch_outbox AS m
               SET status = CASE WHEN %s::float8 IS NULL THEN 'dead' ELSE 'pending' END,
                   attempts = m.attempts + 1,
                   last_error = %s,
                   next_attempt_at = clock_timestamp() + coalesce(%s::float8, 0) * interval '1 second'
             WHERE m.id = %s
            """,
            delay,
            error.replace("\0", ""),
            delay,
            message.id,
        )

    def waiting(self) -> Sequence[Waiting]:
        """Return what is still to be delivered, by channel."""
        rows = self._rows(
            """
            SELECT m.channel, count(*),
                   extract(epoch FROM min(m.next_attempt_at) - clock_timestamp())::float8
              FROM {runtime}.batch_outbox AS m
             WHERE m.status = 'pending'
             GROUP BY m.channel
             ORDER BY m.channel
            """
        )
        return [Waiting(*row) for row in rows]

    def dead(self, limit: int) -> Sequence[Message]:
        """Return messages that were tried too often, the oldest first."""
        rows = self._rows(
            """
            SELECT m.id, m.operation_id, m.channel, m.subject, m.message, m.payload::text,
                   m.attempts, m.last_error
              FROM {runtime}.batch_outbox AS m
             WHERE m.status = 'dead'
             ORDER BY m.id
             LIMIT %s
            """,
            limit,
        )
        return [Message(*row) for row in rows]

    def retry_dead(self) -> int:
        """Have all dead messages tried again from the start; how many there were."""
        return self._execute(
            """
            UPDATE {runtime}.batch_outbox AS m
               SET status = 'pending', attempts = 0, next_attempt_at = clock_timestamp()
             WHERE m.status = 'dead'
            """
        ).rowcount

    def listen(self) -> None:
        """Have the database tell when there is more."""
        self._execute("LISTEN batch_completed")

    def wait(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Wait until the database says that there is more, so long at most; needs ``listen()``."""
        deadline = time.monotonic() + seconds
        while not stopped() and (left := deadline - time.monotonic()) > 0:
            # In short steps, so that a signal is noticed.
            for _ in self.connection.notifies(timeout=min(left, 0.25), stop_after=1):
                return

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        # Binary: times as text are written as the session's DateStyle says, which is the user's.
        return self._execute(query, *parameters, binary=True).fetchall()

    def _execute(self, query: str, *parameters: object, binary: bool = False) -> Cursor[tuple[Any, ...]]:
        runtime = sql.Identifier(self._runtime.replace("%", "%%") if parameters else self._runtime)
        statement = sql.SQL(query).format(runtime=runtime)
        return self.connection.execute(statement, parameters or None, binary=binary)
