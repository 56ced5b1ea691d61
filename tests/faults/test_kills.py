"""Whatever is killed, and whenever: after a resume the outcome equals an undisturbed run's."""

from __future__ import annotations

import json
import random
import signal
import time
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

from specgen.database.embedded import EmbeddedProvider
from specgen.errors import DatabaseUnavailable
from specgen.runtime import workers
from specgen.runtime.events import BatchDone, Reconnecting, WorkerFailed
from specgen.runtime.runner import Run

from .conftest import ROWS
from .driving import SUBMISSIONS, submit, undisturbed, wait_until, work, working

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from specgen.runtime.events import Event


def kill_at(dsn: str, process: subprocess.Popen[str], threshold: int) -> int:
    """Kill the client without warning when so many records are done; how many are then."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        wait_until(lambda: process.poll() is not None or counting.done(connection) >= threshold)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return counting.done(connection)


@pytest.mark.parametrize("strategy", SUBMISSIONS)
def test_a_client_killed_at_random_points(tallies: str, twin: str, strategy: str, project: Path) -> None:
    expected = undisturbed(twin, strategy)
    operation_id = submit(tallies, strategy)
    total = expected.account[1]
    resume = ("run", "--resume", str(operation_id), "--workers", "2", "--project", str(project))
    reached = [
        kill_at(tallies, counting.specgen(tallies, *resume), threshold)
        for threshold in sorted(random.Random(strategy).sample(range(total), 3))
    ]
    assert any(0 < done < total for done in reached)
    code, out, err = counting.run(tallies, *resume, "--json")
    assert code == (1 if expected.errors else 0), err
    assert json.loads(out)["accounting"]["holds"]
    assert counting.outcome(tallies, operation_id) == expected


def test_a_client_killed_while_it_submits(tallies: str, twin: str, project: Path, tmp_path: Path) -> None:
    expected = undisturbed(twin, "items")
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(map(str, SUBMISSIONS["items"][1]["ids"])))  # type: ignore[arg-type]
    started = counting.specgen(
        tallies, "run", "count_items", "-p", f"ids=@{ids}", "--workers", "2", "--project", str(project)
    )
    kill_at(tallies, started, 1)
    operation_id = counting.latest(tallies)
    work(tallies, operation_id)
    assert counting.outcome(tallies, operation_id) == expected


@pytest.mark.parametrize("strategy", SUBMISSIONS)
def test_backends_terminated_again_and_again(tallies: str, twin: str, strategy: str) -> None:
    expected = undisturbed(twin, strategy)
    operation_id = submit(tallies, strategy)
    chance = random.Random(strategy)
    killed = 0
    with (
        working(tallies, operation_id) as (run, _),
        psycopg.connect(tallies, autocommit=True) as connection,
    ):
        while run.report is None and killed < 6:
            # The workers, in the middle of a batch; not the connection that reads the progress.
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name = 'specgen test' AND query LIKE '%%batch_step%%' "
                "ORDER BY random() LIMIT 1"
            ).fetchall()
            killed += len(found)
            time.sleep(chance.uniform(0.005, 0.06))
    assert killed
    assert counting.outcome(tallies, operation_id) == expected


def test_a_terminated_worker_says_so_and_comes_back(tallies: str) -> None:
    operation_id = submit(tallies, "items")
    seen: list[Event] = []
    with psycopg.connect(tallies, autocommit=True) as connection:
        for event in Run(tallies, "public", operation_id, "specgen test", 1).events():
            seen.append(event)
            if isinstance(event, BatchDone) and not any(isinstance(item, Reconnecting) for item in seen):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                    "current_database() AND query LIKE '%%batch_step%%' AND pid <> pg_backend_pid()"
                )
    lost = next(item for item in seen if isinstance(item, Reconnecting))
    assert lost.attempt == 1
    assert "terminating connection" in lost.message
    assert not any(isinstance(item, WorkerFailed) for item in seen)
    counting.check_exact(counting.outcome(tallies, operation_id))


@pytest.fixture
def durable(project: Path) -> Iterator[tuple[EmbeddedProvider, str]]:
    """A server with PostgreSQL's own guarantees, to be killed."""
    provider = EmbeddedProvider(postgres=18, durable=True, in_memory=True)
    with provider as server:
        counting.build(server.dsn, project, ROWS)
        yield provider, server.dsn


def test_a_killed_server_that_comes_back(
    durable: tuple[EmbeddedProvider, str], twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = undisturbed(twin, "items")
    provider, dsn = durable
    operation_id = submit(dsn, "items")
    chance = random.Random(3)
    with working(dsn, operation_id):
        for threshold in (ROWS // 5, ROWS // 2):
            with psycopg.connect(dsn, autocommit=True) as connection:
                wait_until(lambda at=threshold: counting.done(connection) >= at)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.02))
            provider.kill()
            provider.restart()
    assert counting.outcome(dsn, operation_id) == expected


def test_a_killed_server_that_stays_away(
    durable: tuple[EmbeddedProvider, str], twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "RECONNECT_DELAYS", (0.01, 0.02))
    expected = undisturbed(twin, "ranges")
    provider, dsn = durable
    operation_id = submit(dsn, "ranges")
    with working(dsn, operation_id) as (run, events):
        with psycopg.connect(dsn, autocommit=True) as connection:
            wait_until(lambda: counting.done(connection) > ROWS // 3)
        provider.kill()
    assert run.report is not None
    assert run.report.result is None
    failures = [event for event in events if isinstance(event, WorkerFailed)]
    assert len(failures) == 2, "each worker's failure is kept"
    assert run.report.failures == tuple(failures)
    assert all(isinstance(failure.error, DatabaseUnavailable) for failure in failures)
    provider.restart()
    work(dsn, operation_id)
    assert counting.outcome(dsn, operation_id) == expected


def test_the_program_says_how_to_go_on_when_the_server_is_gone(
    durable: tuple[EmbeddedProvider, str], project: Path, tmp_path: Path
) -> None:
    provider, dsn = durable
    quick = (
        "from specgen.runtime import workers; workers.RECONNECT_DELAYS = (0.01,); "
        "from specgen.cli.main import main; main()"
    )
    operation_id = submit(dsn, "items")
    process = counting.specgen(
        dsn, "run", "--resume", str(operation_id), "--project", str(project), code=quick
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        wait_until(lambda: counting.done(connection) > 100)
    provider.kill()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert f"specgen run --resume {operation_id}" in err
    provider.restart()
    work(dsn, operation_id)
    counting.check_exact(counting.outcome(dsn, operation_id))


def test_ctrl_c_stops_after_the_batches(tallies: str, twin: str, project: Path) -> None:
    expected = undisturbed(twin, "items")
    operation_id = submit(tallies, "items")
    resume = ("run", "--resume", str(operation_id), "--project", str(project))
    process = counting.specgen(tallies, *resume)
    with psycopg.connect(tallies, autocommit=True) as connection:
        wait_until(lambda: counting.done(connection) >= 200)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert f"specgen run --resume {operation_id}" in err
    interrupted = counting.outcome(tallies, operation_id)
    assert interrupted.account[0] == "running"
    code, _, err = counting.run(tallies, *resume)
    assert code == 1, err
    assert counting.outcome(tallies, operation_id) == expected
