"""Ways to run an operation to its end, as users have them; each survives being cut off and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from specgen.errors import SpecgenError
from specgen.runtime.runner import Run
from tests.attack.operations import OPERATION
from tests.attack.oracle import observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from tests.attack.operations import Operation

CALL, SQL, RUNNER, CLI = "call", "sql", "runner", "cli"
FATAL_ATTEMPTS = 4
"""Undisturbed attempts without any progress after which an operation counts as stuck."""
PATIENCE = 45.0
REFUSALS = ("P0B", "22023", "0A000", "55000")
PASSING = ("40001", "40P01", "57P01", "57P02", "57P03", "08006", "08003", "55P03")


class RefusedError(Exception):
    """The database or a command said no, clearly, before anything ran."""


class StuckError(Exception):
    """An operation that does not end, with what was said last."""


@dataclass
class Job:
    """One operation to be run.

    Attributes:
        disturbed: Whether something disturbs it at the moment.
        running: The command at work, for whoever wants to kill it.
        said: What was said by attempts that failed.
    """

    dsn: str
    folder: Path
    operation: Operation
    way: str
    workers: int
    disturbed: Callable[[], bool] = lambda: False
    running: subprocess.Popen[str] | None = None
    run_at_work: Run | None = None
    said: list[str] = field(default_factory=list)

    def run(self) -> UUID | None:
        """Run it to its end; its id.

        Raises:
            RefusedError: It was refused before it began.
            StuckError: It does not end.
        """
        with self.watched():
            if self.way == CALL:
                return self.call()
            operation_id = None if self.way == CLI else self.submit()
            return self.work(operation_id)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """End everything that hangs, and say so.

        Raises:
            StuckError: Something hung.
        """
        over = threading.Event()
        hung: list[str] = []

        def watch() -> None:
            if over.wait(PATIENCE):
                return
            hung.append("it hangs")
            while not over.wait(0.2):
                self._end_sessions(hung)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        except StuckError as stuck:
            raise StuckError("; ".join([*dict.fromkeys(hung), str(stuck)])) from stuck
        finally:
            over.set()
            thread.join()
        if hung:
            raise StuckError("; ".join(dict.fromkeys(hung)))

    def _end_sessions(self, hung: list[str]) -> None:
        if self.run_at_work is not None:
            self.run_at_work.stop()
        if self.running is not None:
            self.running.kill()
        with suppress(psycopg.Error), observer(self.dsn) as connection:
            hung += [
                f"{state} {wait}: {query}"
                for state, wait, query, _ in connection.execute(
                    "SELECT state, wait_event, left(query, 80), pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ).fetchall()
            ]

    def call(self) -> UUID:
        deadline = time.monotonic() + PATIENCE
        tries = 0
        while time.monotonic() < deadline:
            try:
                with psycopg.connect(self.dsn, autocommit=True, application_name="attacked") as connection:
                    query, values = self.statement(OPERATION)
                    row = connection.execute(
                        f"SELECT (r).operation_id FROM {query} AS r".encode(), values or None
                    ).fetchone()
                assert row is not None
                return row[0]  # type: ignore[no-any-return]
            except psycopg.Error as error:
                self.take_for(error)
                done = self.latest()
                if done is not None:
                    return done[0]  # type: ignore[no-any-return]
                tries += not self.disturbed()
                if tries > 20:
                    break
        raise StuckError(self.said[-1])

    def submit(self) -> UUID:
        for _ in range(200):
            try:
                with psycopg.connect(self.dsn, autocommit=True, application_name="attacked") as connection:
                    query, values = self.statement(f"{OPERATION}_submit")
                    row = connection.execute(f"SELECT {query}".encode(), values or None).fetchone()
                assert row is not None
                return row[0]  # type: ignore[no-any-return]
            except psycopg.Error as error:
                self.take_for(error)
                found = self.latest()
                if found is not None:
                    return found[0]  # type: ignore[no-any-return]
                time.sleep(0.02)
        raise StuckError(self.said[-1])

    def take_for(self, error: psycopg.Error) -> None:
        """Take an error for what passes, for a refusal, or for what must not be."""
        self.said.append(f"{error.sqlstate}: {str(error).splitlines()[0]}")
        state = error.sqlstate or "08006"
        if state.startswith(REFUSALS):
            raise RefusedError(self.said[-1]) from error
        if state not in PASSING:
            raise StuckError(f"before it began, {self.said[-1]}") from error

    def work(self, operation_id: UUID | None) -> UUID | None:
        """Work until the operation has ended; whatever cuts an attempt off, the next one goes on."""
        idle, before, row = 0, None, None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            disturbed = self.disturbed()
            self.attempt(operation_id)
            row = self.latest()
            if row is not None:
                operation_id, status, ended = row[:3]
                if ended and status != "timed_out":
                    return operation_id
            progress = row and (row[0], row[3:])
            if idle == FATAL_ATTEMPTS and row is not None and row[1] == "timed_out":
                self._allow_more_time(operation_id)
            idle = idle + 1 if progress == before and not disturbed else 0
            before = progress
            if idle >= (FATAL_ATTEMPTS if row is None or row[1] != "timed_out" else 3 * FATAL_ATTEMPTS):
                break
        said = self.said[-1] if self.said else "nothing was said"
        if operation_id is None and self.way == CLI:
            raise RefusedError(said)
        raise StuckError(f"{row and row[1]}, {row and row[3]} records done: {said}")

    def _allow_more_time(self, operation_id: UUID | None) -> None:
        """What an administrator does with an operation whose timeout is too short for a batch."""
        with observer(self.dsn) as connection:
            connection.execute(
                "UPDATE public.batch_operations SET timeout = '60 s' WHERE operation_id = %s", (operation_id,)
            )

    def attempt(self, operation_id: UUID | None) -> None:
        try:
            if self.way == CLI:
                self._command(operation_id)
                return
            assert operation_id is not None
            with psycopg.connect(self.dsn, autocommit=True, application_name="attacked") as connection:
                row = self.latest()
                if row is not None and row[1] == "timed_out":
                    connection.execute("SELECT public.batch_resume(%s)", (operation_id,))
            if self.way == SQL:
                self._sessions(operation_id)
            else:
                self._runner(operation_id)
        except (psycopg.Error, SpecgenError) as error:
            self.said.append(f"{getattr(error, 'sqlstate', '')}: {str(error).splitlines()[0]}")
            time.sleep(0.02)
        except NotImplementedError as error:
            self.said.append(f"NotImplementedError: {error}")

    def _sessions(self, operation_id: UUID) -> None:
        def work() -> None:
            try:
                with psycopg.connect(self.dsn, autocommit=True, application_name="attacked") as connection:
                    connection.execute("CALL public.batch_work(%s)", (operation_id,))
            except psycopg.Error as error:
                self.said.append(f"{error.sqlstate}: {str(error).splitlines()[0]}")

        threads = [threading.Thread(target=work, daemon=True) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _runner(self, operation_id: UUID) -> None:
        run = self.run_at_work = Run(self.dsn, "public", operation_id, "attacked", self.workers)
        for _ in run.events():
            pass
        if run.report is not None:
            self.said += [str(failure.error).splitlines()[0] for failure in run.report.failures]

    def _command(self, operation_id: UUID | None) -> None:
        arguments = ["--resume", str(operation_id)] if operation_id else self.first_arguments()
        if "--once" not in arguments:
            arguments += ["--workers", str(self.workers)]
        self.running = specgen(self.dsn, self.folder, "run", *arguments)
        try:
            _, said = self.running.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.running.kill()
            _, said = self.running.communicate()
            self.said.append("the command hangs")
        if self.running.returncode != 0:
            self.said.append(f"exit {self.running.returncode}: {' '.join(said.split())[-300:]}")

    def first_arguments(self) -> list[str]:
        """The command line of the operation, its arguments as texts."""
        arguments = [OPERATION]
        with observer(self.dsn) as connection:
            for name, expression in self.operation.arguments.items():
                if name == "records" and self.operation.drive == "file":
                    arguments += ["--input", str(self._file())]
                    continue
                row = connection.execute(f"SELECT to_jsonb({expression})".encode()).fetchone()
                assert row is not None
                text = row[0] if isinstance(row[0], str) else json.dumps(row[0])
                if name == "records":
                    path = Path(tempfile.mkdtemp(dir=self.folder)) / "records.json"
                    path.write_text(text, encoding="utf-8")
                    text = f"@{path}"
                arguments += ["-p", f"{name}={text}"]
        for name, value in self.operation.options.items():
            arguments += ["-o", f"{name}={value}"]
        return arguments

    def _file(self) -> Path:
        handed = self.operation.handed
        assert handed is not None
        path = self.folder / "handed.csv"
        path.write_text(handed.as_csv(), encoding="utf-8", newline="")
        return path

    def statement(self, function: str) -> tuple[str, list[Any]]:
        given = [f"{name} => {expression}" for name, expression in self.operation.arguments.items()]
        if not self.operation.options:
            return f"public.{function}({', '.join(given)})", []
        text = ", ".join(given).replace("%", "%%")
        return f"public.{function}({f'{text}, ' if text else ''}options => %s)", [
            Jsonb(self.operation.options)
        ]

    def latest(self) -> tuple[Any, ...] | None:
        """The operation's row: id, status, whether it has ended, and how far it is."""
        for _ in range(500):
            try:
                with observer(self.dsn) as connection:
                    return connection.execute(
                        "SELECT operation_id, status, completed_at IS NOT NULL,"
                        " (SELECT sum(total_records) FROM public.batch_ranges AS r WHERE r.operation_id = o.operation_id),"
                        " step_number FROM public.batch_operations AS o WHERE operation = %s ORDER BY created_at DESC LIMIT 1",
                        (OPERATION,),
                    ).fetchone()
            except psycopg.OperationalError:
                time.sleep(0.02)  # the server is starting
        raise StuckError("the server does not come back")


def specgen(dsn: str, folder: Path, command: str, *arguments: str) -> subprocess.Popen[str]:
    """Start specgen as users do."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "specgen",
            command,
            *arguments,
            "--project",
            str(folder),
            "--database-url",
            dsn,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
