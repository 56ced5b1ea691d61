"""What disturbs an operation: sessions that hold and take locks, terminated backends, kills and crashes."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg

from tests.attack.oracle import observer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from specgen.database.embedded import EmbeddedProvider
    from tests.attack.ways import Job

HARMLESS = ("writers", "locks", "deadlocks")
CUTTING = ("terminate", "kill")
CRASH = "crash"


class Disturber:
    """Disturbs a job in the background, for a while and then no more."""

    def __init__(
        self, seed: int, job: Job, kinds: tuple[str, ...], rows: int, provider: EmbeddedProvider | None
    ) -> None:
        self._random = Random(seed)
        self._job = job
        self._kinds = kinds
        self._rows = max(rows, 1)
        self._provider = provider
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(kind,), daemon=True) for kind in kinds]

    def __enter__(self) -> Disturber:
        self._job.disturbed = self.active
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def active(self) -> bool:
        """Whether anything still disturbs."""
        return any(thread.is_alive() for thread in self._threads)

    def _repeat(self, kind: str) -> None:
        act: Callable[[Random], None] = getattr(self, f"_{kind}")
        random = Random(self._random.random())
        times, pause = {"crash": (1, 0.3), "kill": (3, 0.9), "terminate": (6, 0.08)}.get(kind, (40, 0.02))
        for _ in range(times):
            if self._over.wait(random.random() * pause * 2):
                return
            with suppress(psycopg.Error):
                act(random)

    def _session(self) -> psycopg.Connection[Any]:
        return observer(self._job.dsn)

    def _some(self, random: Random, count: int) -> list[int]:
        return [random.randint(1, self._rows) for _ in range(count)]

    def _writers(self, random: Random) -> None:
        with self._session() as session:
            session.execute(
                "UPDATE thing SET noise = noise + 1 WHERE rid = ANY(%s)", (self._some(random, 5),)
            )

    def _locks(self, random: Random) -> None:
        with self._session() as session, session.transaction():
            session.execute("SELECT FROM thing WHERE rid = ANY(%s) FOR UPDATE", (self._some(random, 3),))
            self._over.wait(0.05)

    def _deadlocks(self, random: Random) -> None:
        with self._session() as session, session.transaction():
            for rid in self._some(random, 3):
                session.execute("UPDATE thing SET noise = noise + 1 WHERE rid = %s", (rid,))
                time.sleep(0.005)

    def _terminate(self, random: Random) -> None:
        with self._session() as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name <> 'attack observer' ORDER BY random() LIMIT 1) AS victim"
            )

    def _kill(self, _: Random) -> None:
        running = self._job.running
        if running is not None and running.poll() is None:
            running.kill()

    def _crash(self, _: Random) -> None:
        assert self._provider is not None
        self._provider.kill()
        self._provider.restart()
