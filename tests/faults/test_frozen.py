"""A session that is frozen in the middle of a batch: the others say so, end without it, and stay exact."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest
from gates import PATIENCE, wait_until

from .driving import working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

IDS = list(range(1, 151))  # in three ranges; 97 cannot be written
ALL = ("completed_with_errors", 150, 149, 0, 1)


def submit(dsn: str, timeout: str) -> UUID:
    with psycopg.connect(dsn, autocommit=True) as connection:
        options = f'{{"timeout": "{timeout}"}}'
        row = connection.execute("SELECT count_items_submit(%s, options => %s)", (IDS, options)).fetchone()
        assert row is not None
        connection.execute("SELECT batch_step(%s)", row)  # begins
    return row[0]  # type: ignore[no-any-return]


@contextmanager
def frozen(
    dsn: str, operation_id: UUID, isolation: str = "READ COMMITTED"
) -> Iterator[psycopg.Connection[Any]]:
    """A session that has done a batch of 50 records and does not commit it."""
    with psycopg.connect(dsn, autocommit=True, application_name="frozen") as session:
        session.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
        step = "SELECT processed_records FROM batch_step(%s)"
        done = session.execute(step, (operation_id,)).fetchone()
        if done == (0,):  # a serializable session looks for a gap first
            done = session.execute(step, (operation_id,)).fetchone()
        assert done == (50,)
        yield session


def one(dsn: str, query: str, *values: Any) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    return row[0] if row else None


def resume(dsn: str, project: Path, operation_id: UUID, *more: str) -> tuple[int, str, str]:
    return counting.run(dsn, "run", "--resume", str(operation_id), "--project", str(project), *more)


def check_the_rest_is_done(dsn: str, project: Path, operation_id: UUID) -> None:
    one(dsn, "UPDATE batch_operations SET timeout = '1 hour' RETURNING 1")
    code, _, err = resume(dsn, project, operation_id)
    assert code == 1, err
    found = counting.outcome(dsn, operation_id)
    assert found.account == ALL
    counting.check_exact(found)


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("stopped", [False, True], ids=["idle", "SIGSTOP"])
def test_an_operation_whose_range_is_held_by_a_frozen_session_ends_when_its_time_is_over(
    tallies: str, project: Path, isolation: str, stopped: bool
) -> None:
    operation_id = submit(tallies, "3 seconds")
    with frozen(tallies, operation_id, isolation) as session:
        pid = session.info.backend_pid
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            code, out, err = resume(tallies, project, operation_id, "--workers", "2")
        finally:
            os.kill(pid, signal.SIGCONT)
        assert code == 1, err
        assert f"waiting for session {pid}, frozen, " in err
        assert err.count("waiting for") == 1
        assert "stopped after 00:00:03 (timeout); ended without session" in out
        found = counting.outcome(tallies, operation_id)
        assert found.account == ("timed_out", 150, 99, 50, 1)
        assert sum(row[1] for row in found.rows) == 99
        with pytest.raises(psycopg.Error) as caught:
            session.execute("COMMIT")
        expected = "P0B12" if isolation == "READ COMMITTED" else "40001"
        assert caught.value.sqlstate == expected, caught.value
    assert counting.outcome(tallies, operation_id) == found
    check_the_rest_is_done(tallies, project, operation_id)


def test_a_frozen_session_that_wakes_up_after_a_resume_counts(tallies: str, project: Path) -> None:
    operation_id = submit(tallies, "1 second")
    with frozen(tallies, operation_id) as session:
        assert resume(tallies, project, operation_id)[0] == 1
        assert counting.outcome(tallies, operation_id).account == ("timed_out", 150, 99, 50, 1)
        one(tallies, "UPDATE batch_operations SET timeout = '1 hour' RETURNING 1")
        one(tallies, "SELECT batch_resume(%s)", operation_id)
        with working(tallies, operation_id) as (_, _events):
            session.execute("COMMIT")
    found = counting.outcome(tallies, operation_id)
    assert found.account == ALL
    counting.check_exact(found)


def test_a_session_that_is_only_slow_is_named_and_waited_for(tallies: str, project: Path) -> None:
    operation_id = submit(tallies, "1 hour")
    with frozen(tallies, operation_id) as session:
        process = counting.specgen(tallies, "run", "--resume", str(operation_id), "--project", str(project))
        assert process.stderr is not None
        assert any(f"waiting for session {session.info.backend_pid}" in line for line in process.stderr)
        code, out, err = counting.run(tallies, "status", str(operation_id), "--project", str(project))
        assert (code, f"session {session.info.backend_pid}, frozen, " in out) == (0, True), err
        session.execute("COMMIT")
        process.communicate(timeout=PATIENCE)
    found = counting.outcome(tallies, operation_id)
    assert found.account == ALL
    counting.check_exact(found)


def test_an_operation_that_a_frozen_session_was_about_to_begin_is_not_waited_for_in_silence(
    tallies: str, project: Path
) -> None:
    with psycopg.connect(tallies) as session:
        row = session.execute("SELECT count_items_submit(%s)", (IDS,)).fetchone()
        assert row is not None
        session.commit()
        session.execute("SELECT batch_step(%s)", row)
        process = counting.specgen(tallies, "run", "--resume", str(row[0]), "--project", str(project))
        assert process.stderr is not None
        assert any(f"waiting for session {session.info.backend_pid}" in line for line in process.stderr)
        session.commit()
        process.communicate(timeout=PATIENCE)
    found = counting.outcome(tallies, row[0])
    assert found.account == ALL
    counting.check_exact(found)


def test_a_session_that_calls_batch_work_is_told_whom_it_waits_for(tallies: str, project: Path) -> None:
    operation_id = submit(tallies, "3 seconds")
    told: list[str | None] = []
    with frozen(tallies, operation_id) as session, psycopg.connect(tallies, autocommit=True) as worker:
        worker.add_notice_handler(lambda notice: told.append(notice.message_primary))
        worker.execute("CALL batch_work(%s)", (operation_id,))
        assert len(told) == 1
        assert str(told[0]).startswith(
            f"waiting for session {session.info.backend_pid}, frozen, idle in tran"
        )
        assert counting.outcome(tallies, operation_id).account == ("timed_out", 150, 99, 50, 1)
        session.execute("ROLLBACK")
    check_the_rest_is_done(tallies, project, operation_id)


def test_all_batches_of_one_transaction_are_undone_when_it_wakes_up_too_late(
    tallies: str, project: Path
) -> None:
    operation_id = submit(tallies, "1 second")
    with frozen(tallies, operation_id) as session:
        session.execute("SELECT batch_step(%s)", (operation_id,))
        assert resume(tallies, project, operation_id)[0] == 1
        assert counting.outcome(tallies, operation_id).account[0] == "timed_out"
        with pytest.raises(psycopg.Error, match="was ended meanwhile \\(timed_out\\): this batch is undone"):
            session.execute("COMMIT")
    check_the_rest_is_done(tallies, project, operation_id)


def test_one_transaction_may_do_all_batches_of_several_operations_and_end_them(tallies: str) -> None:
    with psycopg.connect(tallies) as session:
        ids = []
        for first in (1, 101):
            row = session.execute(
                "SELECT count_items_submit(%s)", (list(range(first, first + 96)),)
            ).fetchone()
            assert row is not None
            ids.append(row[0])
            while session.execute("SELECT state FROM batch_step(%s)", row).fetchone() != ("finished",):
                pass
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        session.commit()
    for operation_id in ids:
        status, total, processed, *_ = counting.outcome(tallies, operation_id).account
        assert (status, total, processed) in (("completed", 96, 96), ("completed_with_errors", 96, 95))


def test_a_worker_whose_batch_was_ended_without_it_leaves_in_peace(tallies: str) -> None:
    operation_id = submit(tallies, "1 hour")
    with (
        psycopg.connect(tallies) as foreign,
        working(tallies, operation_id, count=1) as (_, events),
    ):
        foreign.execute("SELECT FROM tally WHERE id = 1 FOR UPDATE")
        wait_until(lambda: one(tallies, "SELECT count(*) FROM batch_holders(%s)", operation_id))
        with psycopg.connect(tallies, autocommit=True) as other:
            other.execute("UPDATE batch_operations SET deadline = clock_timestamp() - interval '5 seconds'")
            other.execute("CALL batch_work(%s)", (operation_id,))
        foreign.rollback()
    assert not [event for event in events if type(event).__name__ == "WorkerFailed"]
    found = counting.outcome(tallies, operation_id)
    assert found.account[0] == "timed_out"
    assert sum(row[1] for row in found.rows) == found.account[2]
