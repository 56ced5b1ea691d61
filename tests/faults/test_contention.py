"""Several at once: workers that race, that hang, and foreign sessions that hold what a batch needs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest
from gates import (
    GATES,
    PATIENCE,
    blocked_by,
    closed,
    holding,
    is_blocked,
    row_gate,
    statement_gate,
    wait_until,
)

from specgen.runtime.events import Retrying, WorkerFailed
from specgen.runtime.runner import Run
from specgen.runtime.store import Store

from .conftest import ROWS
from .driving import submit, undisturbed, work, working

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID


def call(dsn: str, query: str, *parameters: Any) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(query, parameters)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


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
        thread.join(PATIENCE)
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
        wait_until(lambda: all_but_one_range(tallies, operation_id))
        state = call(tallies, "SELECT (batch_step(%s)).state", operation_id)
        assert state == "idle", "nobody ends an operation that somebody works on"
        hung.close()
    assert counting.outcome(tallies, operation_id) == expected


def test_a_hung_worker_that_commits_after_all(tallies: str, twin: str) -> None:
    expected = undisturbed(twin, "items")
    operation_id = submit(tallies, "items")
    call(tallies, "SELECT batch_step(%s)", operation_id)
    with psycopg.connect(tallies) as hung:
        hung.execute("SELECT batch_step(%s)", (operation_id,))
        with working(tallies, operation_id):
            wait_until(lambda: all_but_one_range(tallies, operation_id))
            hung.commit()
    assert counting.outcome(tallies, operation_id) == expected


def all_but_one_range(dsn: str, operation_id: UUID) -> bool:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = Store(connection, "public").operation(operation_id)
    return row is not None and row.ranges - row.ranges_done == 1


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
                gate.wait(PATIENCE)
                while "finished" not in mine:
                    row = connection.execute("SELECT (batch_step(%s)).state", (operation,)).fetchone()
                    assert row is not None
                    mine.append(row[0])

        threads = [threading.Thread(target=session, args=(mine,)) for mine in states]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
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
    call_database(tallies, "ALTER DATABASE {} SET deadlock_timeout = '10ms'")
    call(tallies, GATES + row_gate(1, "tally", 25) + statement_gate(2, "tally", 2))
    operation_id = call(tallies, "SELECT count_items_submit(%s)", list(range(1, 51)))
    with (
        # Whoever closes the circle looks for it once, so the batch has to be the last to wait.
        psycopg.connect(tallies, options="-c deadlock_timeout=1h") as foreign,
        closed(tallies, 2) as second_attempt,
        closed(tallies, 1) as halfway,
        working(tallies, operation_id, count=1) as (_, events),
    ):
        foreign.execute("SELECT FROM tally WHERE id = 50 FOR UPDATE")
        wait_until(lambda: blocked_by(halfway))  # the batch holds 1 and comes to 50 later
        taking = threading.Thread(
            target=foreign.execute, args=("SELECT FROM tally WHERE id = 1 FOR UPDATE",), daemon=True
        )
        taking.start()
        wait_until(lambda: is_blocked(halfway, foreign))
        halfway.rollback()
        taking.join(PATIENCE)
        foreign.commit()
        # A second attempt before this would take the record back, and it would all begin again.
        second_attempt.rollback()
    found = counting.outcome(tallies, operation_id)
    assert found.account == ("completed", 50, 50, 0, 0)
    assert found.errors == []
    retries = call(tallies, "SELECT retries FROM batch_operations WHERE operation_id = %s", operation_id)
    assert retries + sum(isinstance(event, Retrying) for event in events) == 1


def test_a_lock_timeout_is_nobodys_fault(tallies: str) -> None:
    call(tallies, GATES + statement_gate(1, "tally", 2))
    operation_id = call(tallies, "SELECT count_patiently_submit(%s)", list(range(1, 51)))
    with (
        holding(tallies, "SELECT FROM tally WHERE id = 25 FOR UPDATE") as foreign,
        closed(tallies, 1) as second_attempt,
        working(tallies, operation_id, count=1),
    ):
        wait_until(lambda: blocked_by(second_attempt))
        foreign.rollback()
        second_attempt.rollback()
    found = counting.outcome(tallies, operation_id)
    assert found.account == ("completed", 50, 50, 0, 0)
    assert found.errors == []
    retries = call(tallies, "SELECT retries FROM batch_operations WHERE operation_id = %s", operation_id)
    assert retries == 1


def test_a_serialization_failure_is_tried_again(tallies: str) -> None:
    """The batch function raises 40001, as a serializable transaction must begin anew; the worker does."""
    call_database(tallies, "ALTER DATABASE {} SET default_transaction_isolation = 'repeatable read'")
    operation_id = call(tallies, "SELECT count_items_submit(%s)", list(range(1, 51)))
    with (
        holding(tallies, "UPDATE tally SET part = part WHERE id = 25") as foreign,
        working(tallies, operation_id, count=1) as (_, events),
    ):
        wait_until(lambda: blocked_by(foreign))
        foreign.commit()
    retried = [event for event in events if isinstance(event, Retrying)]
    assert [event.sqlstate for event in retried] == ["40001"]
    assert counting.outcome(tallies, operation_id).account == ("completed", 50, 50, 0, 0)


@pytest.mark.parametrize("strategy", ["items", "ranges"])
@pytest.mark.parametrize("isolation", ["serializable", "repeatable read"])
def test_four_workers_in_isolation_do_every_record_once(
    tallies: str, twin: str, project: Path, isolation: str, strategy: str
) -> None:
    expected = undisturbed(twin, strategy)
    call_database(tallies, f"ALTER DATABASE {{}} SET default_transaction_isolation = '{isolation}'")
    operation_id = submit(tallies, strategy)
    code, _, err = counting.run(
        tallies, "run", "--resume", str(operation_id), "--workers", "4", "--project", str(project)
    )
    assert (code, "gave up" in err) == (1, False), err
    assert counting.outcome(tallies, operation_id) == expected


@pytest.mark.parametrize("isolation", ["serializable", "repeatable read"])
def test_sessions_that_call_batch_work_in_isolation_do_every_record_once(
    tallies: str, twin: str, isolation: str
) -> None:
    expected = undisturbed(twin, "items")
    call_database(tallies, f"ALTER DATABASE {{}} SET default_transaction_isolation = '{isolation}'")
    operation_id = submit(tallies, "items")

    def work_in_the_database() -> None:
        with psycopg.connect(tallies, autocommit=True) as connection:
            while True:
                try:
                    connection.execute("CALL batch_work(%s)", (operation_id,))
                except psycopg.errors.SerializationFailure:
                    continue  # it came with a COMMIT, where no procedure can catch it
                return

    sessions = [threading.Thread(target=work_in_the_database, daemon=True) for _ in range(4)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join(PATIENCE)
    assert counting.outcome(tallies, operation_id) == expected


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_submissions_in_isolation_are_made_again_where_another_was_quicker(
    tallies: str, project: Path, how: tuple[str, ...]
) -> None:
    call_database(tallies, "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'")
    given = ("run", "count_rows", "-p", "lowest=0", *how, "--project", str(project))
    with holding(tallies, "UPDATE tally SET part = part WHERE id = 25") as foreign:
        process = counting.specgen(tallies, *given)
        wait_until(lambda: blocked_by(foreign))
        foreign.commit()
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    assert f"{ROWS:,} total = {ROWS - 41:,} processed + 0 skipped + 41 failed" in out


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_a_timeout_of_the_database_that_is_too_short_is_named(
    tallies: str, project: Path, how: tuple[str, ...]
) -> None:
    call_database(tallies, "ALTER DATABASE {} SET statement_timeout = '700ms'")
    given = ("run", "count_items", "-p", "ids=25", "-p", "ids=26", *how, "--project", str(project))
    with holding(tallies, "UPDATE tally SET part = part WHERE id = 25"):
        code, _, err = counting.run(tallies, *given)
    assert code == 1
    assert "took longer than statement_timeout allows (0.7 s, set for the database) and was undone" in err
    assert "PGOPTIONS='-c statement_timeout=1h'" in err


def test_a_timeout_of_the_operation_that_is_too_short_is_named(tallies: str, project: Path) -> None:
    given = ("run", "count_briefly", "-p", "ids=25", "--project", str(project))
    with holding(tallies, "UPDATE tally SET part = part WHERE id = 25"):
        code, _, err = counting.run(tallies, *given)
    assert code == 1
    assert "a batch took longer than statement_timeout allows (0.2 s, the operation's own)" in err
    assert "specgen run --resume" in err


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
    # This time the clock is not what is tested.
    call(tallies, "UPDATE batch_operations SET timeout = '1 hour'")
    code, _, err = counting.run(tallies, "run", "--resume", str(operation_id), "--project", str(project))
    assert code == 1, err
    found = counting.outcome(tallies, operation_id)
    assert found.account == ("completed_with_errors", 150, 149, 0, 1)
    counting.check_exact(found)


def test_a_batch_that_takes_too_long_stops_the_run_not_the_operation(tallies: str) -> None:
    operation_id = call(tallies, "SELECT count_briefly_submit(%s)", list(range(1, 51)))
    call(tallies, "SELECT batch_step(%s)", operation_id)  # begins; only the batch is to take too long
    run = Run(tallies, "public", operation_id, "specgen test", 1)
    with holding(tallies, "UPDATE tally SET part = part WHERE id = 25"):
        failures = [event for event in run.events() if isinstance(event, WorkerFailed)]
    assert [getattr(failure.error, "sqlstate", None) for failure in failures] == ["57014"]
    assert counting.outcome(tallies, operation_id).account[0] == "running"
    call(tallies, "UPDATE batch_operations SET statement_timeout = '1 hour'")
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


def call_database(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.format(connection.info.dbname))
