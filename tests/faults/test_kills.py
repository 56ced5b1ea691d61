"""Whatever is killed, and whenever: after a resume the outcome equals an undisturbed run's."""

from __future__ import annotations

import json
import random
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest
from crashing import crash, port_of_its_own
from gates import PATIENCE, blocked_by, holding, terminate, wait_until

from specgen.database.embedded import EmbeddedProvider
from specgen.errors import DatabaseUnavailable
from specgen.runtime import workers
from specgen.runtime.events import Reconnecting, WorkerFailed

from .conftest import ROWS
from .driving import LATE, SUBMISSIONS, submit, undisturbed, work, working

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


def kill_at(dsn: str, process: subprocess.Popen[str], threshold: int) -> int:
    """Kill the client without warning when so many records are done; how many are then."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        wait_until(lambda: process.poll() is not None or counting.done(connection) >= threshold)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        return counting.done(connection)


@pytest.mark.parametrize("strategy", SUBMISSIONS)
def test_a_client_killed_at_random_points(tallies: str, twin: str, strategy: str, project: Path) -> None:
    expected = undisturbed(twin, strategy)
    operation_id = submit(tallies, strategy)
    total = expected.account[1]
    resume = ("run", "--resume", str(operation_id), "--workers", "2", "--project", str(project))
    # Somebody holds a late record, so that however slowly this looks, no client has finished.
    with holding(tallies, LATE):
        reached = [
            kill_at(tallies, counting.specgen(tallies, *resume), threshold)
            for threshold in sorted(random.Random(strategy).sample(range(1, total // 2), 3))
        ]
    assert all(0 < done < total for done in reached)
    code, out, err = counting.run(tallies, *resume, "--json")
    assert code == (1 if expected.errors else 0), err
    assert json.loads(out)["accounting"]["holds"]
    assert counting.outcome(tallies, operation_id) == expected


def test_a_client_killed_while_it_submits(tallies: str, project: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(map(str, range(1, 201))))
    with holding(tallies, "LOCK TABLE batch_ranges IN EXCLUSIVE MODE") as foreign:
        started = counting.specgen(
            tallies, "run", "count_items", "-p", f"ids=@{ids}", "--project", str(project)
        )
        wait_until(lambda: started.poll() is not None or blocked_by(foreign))
        assert started.poll() is None, started.communicate()
        started.kill()
        started.communicate()
        (orphan,) = blocked_by(foreign)
    with psycopg.connect(tallies, autocommit=True) as connection:
        # The server notices that nobody listens when it has done what it was told.
        still_there = "SELECT FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: connection.execute(still_there, (orphan,)).fetchone() is None)
    operation_id = counting.latest(tallies)
    work(tallies, operation_id)
    found = counting.outcome(tallies, operation_id)
    assert found.account == ("completed_with_errors", 200, 198, 0, 2)
    counting.check_exact(found)


@pytest.mark.parametrize("strategy", SUBMISSIONS)
def test_backends_terminated_again_and_again(
    tallies: str, twin: str, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "RECONNECT_DELAYS", (0.01,) * 1000)
    expected = undisturbed(twin, strategy)
    operation_id = submit(tallies, strategy)
    killed = 0
    with ExitStack() as stack, psycopg.connect(tallies, autocommit=True) as connection:
        # Foreign sessions hold all records, a thousand each: a batch meets one, waits and is killed there.
        held = [
            stack.enter_context(
                holding(tallies, f"SELECT FROM tally WHERE id BETWEEN {first} AND {first + 999} FOR UPDATE")
            )
            for first in range(1, ROWS, 1000)
        ]
        with working(tallies, operation_id):
            while held:
                for _ in range(2):
                    wait_until(lambda: blocked_by(*held))
                    for pid in set(blocked_by(*held)):
                        terminate(connection, pid)
                        killed += 1
                held.pop(0).rollback()
            kill_at_random(connection, random.Random(strategy))
    assert killed >= 8
    assert counting.outcome(tallies, operation_id) == expected


def kill_at_random(connection: psycopg.Connection, chance: random.Random) -> None:
    """Terminate workers wherever they happen to be, if there are any left."""
    for _ in range(4):
        # Not the connection that reads the progress: it is no worker's.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'specgen test' AND query LIKE '%batch_step%' "
            "ORDER BY random() LIMIT 1"
        )
        time.sleep(chance.uniform(0.001, 0.03))


def test_a_terminated_worker_says_so_and_comes_back(tallies: str) -> None:
    operation_id = submit(tallies, "items")
    with holding(tallies, LATE) as foreign, working(tallies, operation_id, count=1) as (_, events):
        wait_until(lambda: blocked_by(foreign))
        (pid,) = blocked_by(foreign)
        terminate(foreign, pid)
        foreign.rollback()
    (lost,) = [event for event in events if isinstance(event, Reconnecting)]
    assert lost.attempt == 1
    assert "terminating connection" in lost.message
    assert not any(isinstance(event, WorkerFailed) for event in events)
    counting.check_exact(counting.outcome(tallies, operation_id))


@pytest.fixture
def durable(project: Path) -> Iterator[tuple[EmbeddedProvider, str]]:
    """A server with PostgreSQL's own guarantees, to be killed."""
    settings = {"max_prepared_transactions": "1"}
    provider = EmbeddedProvider(postgres=18, durable=True, in_memory=True, settings=settings)
    with port_of_its_own(), provider as server:
        counting.build(server.dsn, project, ROWS)
        yield provider, server.dsn


def hold_throughout(dsn: str, query: str) -> None:
    """Hold what the query locks in a prepared transaction, whatever becomes of the server."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in ("BEGIN", query, "PREPARE TRANSACTION 'held'"):
            connection.execute(statement.encode())


def release(dsn: str) -> None:
    """Hold it no longer."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ROLLBACK PREPARED 'held'")


def wait_for_progress(dsn: str, threshold: int) -> None:
    """Wait until so many records are done."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        wait_until(lambda: counting.done(connection) >= threshold)


def test_a_killed_server_that_comes_back(
    durable: tuple[EmbeddedProvider, str], twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the server takes to recover, the workers try on.
    monkeypatch.setattr(workers, "RECONNECT_DELAYS", (0.1,) * 3000)
    expected = undisturbed(twin, "items")
    provider, dsn = durable
    operation_id = submit(dsn, "items")
    chance = random.Random(3)
    hold_throughout(dsn, LATE)
    with working(dsn, operation_id):
        for threshold in (ROWS // 5, ROWS // 2):
            wait_for_progress(dsn, threshold)
            time.sleep(chance.uniform(0, 0.02))
            crash(provider)
            provider.restart()
        release(dsn)
    assert counting.outcome(dsn, operation_id) == expected


def test_a_killed_server_that_stays_away(
    durable: tuple[EmbeddedProvider, str], twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "RECONNECT_DELAYS", (0.01, 0.02))
    expected = undisturbed(twin, "ranges")
    provider, dsn = durable
    operation_id = submit(dsn, "ranges")
    hold_throughout(dsn, LATE)
    with working(dsn, operation_id) as (run, events):
        wait_for_progress(dsn, ROWS // 3)
        crash(provider)
    assert run.report is not None
    assert run.report.result is None
    failures = [event for event in events if isinstance(event, WorkerFailed)]
    assert len(failures) == 2, "each worker's failure is kept"
    assert run.report.failures == tuple(failures)
    assert all(isinstance(failure.error, DatabaseUnavailable) for failure in failures)
    provider.restart()
    release(dsn)
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
    hold_throughout(dsn, LATE)
    process = counting.specgen(
        dsn, "run", "--resume", str(operation_id), "--project", str(project), code=quick
    )
    wait_for_progress(dsn, 100)
    crash(provider)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    assert f"specgen run --resume {operation_id}" in err
    provider.restart()
    release(dsn)
    work(dsn, operation_id)
    counting.check_exact(counting.outcome(dsn, operation_id))


def test_ctrl_c_stops_after_the_batches(tallies: str, twin: str, project: Path, tmp_path: Path) -> None:
    expected = undisturbed(twin, "items")
    operation_id = submit(tallies, "items")
    resume = ("run", "--resume", str(operation_id), "--project", str(project))
    told = tmp_path / "stderr"
    # The batch of 951 to 1000 waits for its last record until the program has heard of Ctrl-C.
    with (
        holding(tallies, "SELECT FROM tally WHERE id = 1000 FOR UPDATE") as foreign,
        told.open("w") as stderr,
    ):
        process = counting.specgen(tallies, *resume, stderr=stderr)
        wait_until(lambda: process.poll() is not None or blocked_by(foreign))
        process.send_signal(signal.SIGINT)
        wait_until(lambda: process.poll() is not None or "stopping after" in told.read_text())
        foreign.rollback()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told.read_text()
    assert f"specgen run --resume {operation_id}" in told.read_text()
    interrupted = counting.outcome(tallies, operation_id)
    assert interrupted.account[0] == "running"
    with psycopg.connect(tallies, autocommit=True) as connection:
        assert counting.done(connection) == 1000, "the batch that was under way is done, and no other"
    code, _, err = counting.run(tallies, *resume)
    assert code == 1, err
    assert counting.outcome(tallies, operation_id) == expected
