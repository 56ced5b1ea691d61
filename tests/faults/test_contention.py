"""Several at once: workers that race, that hang, and foreign sessions that hold what a batch needs."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest

from specgen.runtime.events import Retrying, WorkerFailed
from specgen.runtime.runner import Run
from specgen.runtime.store import Store

from .conftest import ROWS
from .driving import submit, undisturbed, wait_until, work, working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID


def call(dsn: str, query: str, *parameters: Any) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None


@contextmanager
def holding(dsn: str, query: str) -> Iterator[psycopg.Connection[Any]]:
    """A foreign session in a transaction that has run the query; rolled back at the end."""
    with psycopg.connect(dsn) as connection:
        connection.execute(query)
        yield connection
        if not connection.closed:
            connection.rollback()


@pytest.mark.parametrize("strategy", ["items", "ranges"])
def test_sessions_that_call_batch_work_at_once(tallies: str, twin: str, strategy: str) -> None:
    expected = undisturbed(twin, strategy)
    operation_id = submit(tallies, strategy)
    failures: list[BaseException] = []

    def session() -> None:
        try:
            with psycopg.connect(tallies, autocommit=True) as connection:
                connection.execute("CALL batch_work(%s)", (operation_id,))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=session) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=40)
    assert failures == []
    assert counting.outcome(tallies, operation_id) == expected


def test_workers_of_the_program_beside_a_session(tallies: str, twin: str) -> None:
    expected = undisturbed(twin, "ranges")
    operation_id = submit(tallies, "ranges")
    with working(tallies, operation_id), psycopg.connect(tallies, autocommit=True) as connection:
        connection.execute("CALL batch_work(%s)", (operation_id,))
    assert counting.outcome(tallies, operation_id) == expected


@pytest.mark.parametrize("strategy", ["items", "ranges"])
def test_a_worker_that_hangs_with_its_claim(tallies: str, twin: str, strategy: str) -> None:
    expected = undisturbed(twin, strategy)
    operation_id = submit(tallies, strategy)
    call(tallies, "SELECT batch_step(%s)", operation_id)
    with holding(tallies, f"SELECT batch_step('{operation_id}')") as hung, working(tallies, operation_id):
        with psycopg.connect(tallies, autocommit=True) as connection:
            store = Store(connection, "public")

            def all_but_the_claim() -> bool:
                row = store.operation(operation_id)
                return row is not None and row.ranges - row.ranges_done == 1

            wait_until(all_but_the_claim)
            time.sleep(0.2)
            row = store.operation(operation_id)
            assert row is not None
            assert row.status == "running", "nobody ends an operation that somebody works on"
        hung.close()
    assert counting.outcome(tallies, operation_id) == expected


def test_a_hung_worker_that_commits_after_all(tallies: str, twin: str) -> None:
    expected = undisturbed(twin, "items")
    operation_id = submit(tallies, "items")
    call(tallies, "SELECT batch_step(%s)", operation_id)
    with psycopg.connect(tallies) as hung:
        hung.execute("SELECT batch_step(%s)", (operation_id,))
        with working(tallies, operation_id):
            time.sleep(0.3)
            hung.commit()
    assert counting.outcome(tallies, operation_id) == expected


def test_workers_that_finish_at_the_same_moment(tallies: str) -> None:
    """The last two ranges are done at once, again and again; exactly one worker closes the account."""
    ids: list[UUID] = []
    with psycopg.connect(tallies, autocommit=True) as connection:
        for round_ in range(25):
            numbers = list(range(1 + round_ * 100, 101 + round_ * 100))
            row = connection.execute("SELECT count_items_submit(%s)", (numbers,)).fetchone()
            assert row is not None
            ids.append(row[0])
    for operation_id in ids:
        barrier = threading.Barrier(2)
        states: list[list[str]] = [[], []]

        def session(mine: list[str], operation: UUID = operation_id, gate: Any = barrier) -> None:
            with psycopg.connect(tallies, autocommit=True) as connection:
                connection.execute("SELECT batch_step(%s)", (operation,))
                gate.wait()
                while "finished" not in mine:
                    row = connection.execute("SELECT (batch_step(%s)).state", (operation,)).fetchone()
                    assert row is not None
                    mine.append(row[0])

        threads = [threading.Thread(target=session, args=(mine,)) for mine in states]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert all(mine[-1] == "finished" for mine in states)
        status, total, processed, skipped, failed = counting.outcome(tallies, operation_id).account
        assert status in ("completed", "completed_with_errors")
        assert total == processed + skipped + failed == 100
        logged = call(
            tallies,
            "SELECT count(*) FROM batch_operation_logs WHERE operation_id = %s AND batch_number IS NULL",
            operation_id,
        )
        assert logged == 1


def test_a_deadlock_with_a_foreign_session_is_nobodys_fault(tallies: str) -> None:
    with psycopg.connect(tallies, autocommit=True) as connection:
        row = connection.execute("SELECT count_items_submit(%s)", (list(range(1, 51)),)).fetchone()
        assert row is not None
    operation_id = row[0]
    locked, freed = threading.Event(), threading.Event()

    def foreign() -> None:
        with psycopg.connect(tallies, options="-c deadlock_timeout=20s") as connection:
            connection.execute("UPDATE tally SET part = part WHERE id = 50")
            locked.set()
            # By now the batch holds 1 and waits for 50.
            wait_until(lambda: waiting(tallies))
            connection.execute("UPDATE tally SET part = part WHERE id = 1")
            connection.commit()
        freed.set()

    call_database(tallies, "ALTER DATABASE {} SET deadlock_timeout = '50ms'")
    thread = threading.Thread(target=foreign)
    thread.start()
    assert locked.wait(10)
    events = work(tallies, operation_id, count=1)
    thread.join(timeout=20)
    assert freed.is_set()
    found = counting.outcome(tallies, operation_id)
    assert found.account == ("completed", 50, 50, 0, 0)
    assert found.errors == []
    retries = call(tallies, "SELECT retries FROM batch_operations WHERE operation_id = %s", operation_id)
    assert retries + sum(isinstance(event, Retrying) for event in events) >= 1


def test_a_lock_timeout_is_nobodys_fault(tallies: str) -> None:
    operation_id = call(tallies, "SELECT count_patiently_submit(%s)", list(range(1, 51)))
    with (
        holding(tallies, "UPDATE tally SET part = part WHERE id = 25") as foreign,
        working(tallies, operation_id, count=1),
    ):
        time.sleep(0.4)
        foreign.rollback()
    found = counting.outcome(tallies, operation_id)
    assert found.account == ("completed", 50, 50, 0, 0)
    assert found.errors == []
    retries = call(tallies, "SELECT retries FROM batch_operations WHERE operation_id = %s", operation_id)
    assert retries >= 1


def test_a_serialization_failure_is_tried_again(tallies: str) -> None:
    """The batch function raises 40001, as a serializable transaction must begin anew; the worker does."""
    call_database(tallies, "ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'")
    operation_id = call(tallies, "SELECT count_items_submit(%s)", list(range(1, 51)))
    with (
        holding(tallies, "UPDATE tally SET part = part WHERE id = 25") as foreign,
        working(tallies, operation_id, count=1) as (_, events),
    ):
        wait_until(lambda: waiting(tallies))
        foreign.commit()
    retried = [event for event in events if isinstance(event, Retrying)]
    assert [event.sqlstate for event in retried] == ["40001"]
    assert counting.outcome(tallies, operation_id).account == ("completed", 50, 50, 0, 0)


def test_a_batch_that_runs_into_the_timeout(tallies: str, project: Path) -> None:
    operation_id = call(tallies, "SELECT count_in_time_submit(%s)", list(range(1, 151)))
    with holding(tallies, "UPDATE tally SET part = part WHERE id = 125"):
        code, out, err = counting.run(
            tallies, "run", "--resume", str(operation_id), "--project", str(project)
        )
    assert code == 1, err
    assert "timed_out" in out
    assert f"specgen run --resume {operation_id}" in err
    stopped = counting.outcome(tallies, operation_id)
    assert stopped.account[0] == "timed_out"
    assert stopped.account[1] == sum(stopped.account[2:])
    code, _, err = counting.run(tallies, "run", "--resume", str(operation_id), "--project", str(project))
    assert code == 1, err
    found = counting.outcome(tallies, operation_id)
    assert found.account == ("completed_with_errors", 150, 149, 0, 1)
    counting.check_exact(found)


def test_a_batch_that_takes_too_long_stops_the_run_not_the_operation(tallies: str) -> None:
    operation_id = call(tallies, "SELECT count_briefly_submit(%s)", list(range(1, 51)))
    run = Run(tallies, "public", operation_id, "specgen test", 1)
    with holding(tallies, "UPDATE tally SET part = part WHERE id = 25"):
        failures = [event for event in run.events() if isinstance(event, WorkerFailed)]
    assert [getattr(failure.error, "sqlstate", None) for failure in failures] == ["57014"]
    assert counting.outcome(tallies, operation_id).account[0] == "running"
    work(tallies, operation_id)
    assert counting.outcome(tallies, operation_id).account == ("completed", 50, 50, 0, 0)


def test_sql_that_fits_the_database_no_longer_stops_all_workers(
    tallies: str, twin: str, project: Path
) -> None:
    expected = undisturbed(twin, "items")
    operation_id = submit(tallies, "items")
    with psycopg.connect(tallies, autocommit=True) as connection:
        for _ in range(4):
            connection.execute("SELECT batch_step(%s)", (operation_id,))
        connection.execute("ALTER TABLE tally RENAME n TO m")
    code, out, err = counting.run(
        tallies, "run", "--resume", str(operation_id), "--workers", "2", "--project", str(project)
    )
    assert code == 1, err
    assert "SQLSTATE 42703" in err
    assert f"specgen run --resume {operation_id}" in err
    assert "running" in out
    call_database(tallies, "ALTER TABLE tally RENAME m TO n")
    work(tallies, operation_id)
    assert counting.outcome(tallies, operation_id) == expected
    assert expected.account[1] == ROWS + 100


def waiting(dsn: str) -> bool:
    """Whether a batch waits for somebody's lock."""
    return bool(
        call(
            dsn,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock' AND query LIKE '%%batch_step%%'",
        )
    )


def call_database(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.format(connection.info.dbname))
