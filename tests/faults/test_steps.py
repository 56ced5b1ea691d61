"""Kills and races between steps: who dies while a step is planned, in its last range, or at its end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest
from crashing import crash, port_of_its_own
from gates import GATES, PATIENCE, blocked_by, closed, row_gate, terminate, wait_until

from specgen.database.deploy import Script, deploy
from specgen.database.embedded import EmbeddedProvider
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.runtime import workers
from specgen.runtime.events import WorkerFailed
from specgen.spec.build import load_project

from .driving import working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

ROWS = 60
SPEC = """
name: tally
fields:
  id: bigint
  n: {type: integer, nullable: false, default: 0, check: "n < 1 OR id % 17 <> 0"}
  told: {type: integer, nullable: false, default: 0}
patterns:
  - name: batch_operations
    operation: in_steps
    batch_size: 5
    lock_timeout: "50ms"
    statement_timeout: "1 second"
    steps:
      - {name: count_rows, operation_type: update, update_data: {n: {sql: "n + 1"}}, where_condition: "n = 0", output: counted}
      - {name: tell_each, function: tell, input: [":counted.id"], output: told_rows}
      - {name: tell_again, function: tell_list, data_source: {query: "SELECT * FROM slowly()"}, input: [":item.id"]}
      - {name: mark_told, operation_type: update, update_data: {told: {sql: "told + 1"}}, data_source: ":told_rows",
         match_on: [id], depends_on: [tell_each, tell_again]}
"""
SETUP = f"""
    {GATES}
    CREATE TABLE log (what text NOT NULL, id bigint NOT NULL);
    CREATE SEQUENCE planned;
    CREATE FUNCTION tell(i bigint) RETURNS TABLE (id bigint) LANGUAGE sql AS
        $$ INSERT INTO public.log VALUES ('each', i) RETURNING id $$;
    CREATE FUNCTION tell_list(i bigint) RETURNS void LANGUAGE sql AS
        $$ INSERT INTO public.log VALUES ('again', i) $$;
    -- Waits while gate 1 is closed: planning that takes long.
    CREATE FUNCTION slowly() RETURNS SETOF tally LANGUAGE plpgsql SET search_path = public SET lock_timeout = 0 AS $$
    BEGIN
        PERFORM nextval('planned');
        PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1);
        RETURN QUERY SELECT * FROM tally WHERE n = 1 ORDER BY id;
    END $$;
    INSERT INTO tally (id) OVERRIDING SYSTEM VALUE SELECT generate_series(1, {ROWS});
    {row_gate(2, "tally", 59)}
"""


def build(dsn: str, folder: Path) -> None:
    (folder / "entities").mkdir(parents=True, exist_ok=True)
    (folder / "entities" / "tally.yaml").write_text(SPEC)
    loaded = load_project([], root=folder)
    assert loaded.project is not None, loaded.findings
    planned = plan_project(loaded.project)
    assert planned.plan is not None, planned.findings
    with psycopg.connect(dsn, autocommit=True) as connection:
        list(deploy(connection, [Script(file.name, file.text) for file in render_plan(planned.plan)]))
        connection.execute(SETUP.encode())


@pytest.fixture(scope="session")
def steps_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps")


@pytest.fixture
def dsn(
    postgres_server: Server, template_of: Template, new_database: NewDatabase, steps_project: Path
) -> str:
    return new_database(
        postgres_server, template_of(postgres_server, "steps", lambda dsn: build(dsn, steps_project))
    )


def ask(dsn: str, query: str, *values: Any) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode(), values or None).fetchone()
    assert row is not None
    return row[0]


def submit(dsn: str) -> UUID:
    return ask(dsn, "SELECT in_steps_submit()")  # type: ignore[no-any-return]


def check(dsn: str, operation_id: UUID) -> None:
    """What an undisturbed run comes to: each record counted, told twice and marked once; every 17th fails."""
    failed = [17, 34, 51]
    whole = [n for n in range(1, ROWS + 1) if n not in failed]
    with psycopg.connect(dsn, autocommit=True) as connection:
        steps = connection.execute(
            "SELECT step, status, total_records, processed_records, skipped_records, error_count"
            " FROM batch_steps WHERE operation_id = %s ORDER BY step_number",
            (operation_id,),
        ).fetchall()
        log = connection.execute("SELECT what, id FROM log ORDER BY what, id").fetchall()
        marked = connection.execute("SELECT id FROM tally WHERE n = 1 AND told = 1 ORDER BY id").fetchall()
        written = connection.execute("SELECT count(*) FROM tally WHERE n > 0 OR told > 0").fetchone()
        errors = connection.execute(
            "SELECT (record_key ->> 'id')::integer FROM batch_operation_errors"
        ).fetchall()
    assert steps == [
        ("count_rows", "completed_with_errors", 60, 57, 0, 3),
        ("tell_each", "completed", 57, 57, 0, 0),
        ("tell_again", "completed", 57, 57, 0, 0),
        ("mark_told", "completed", 57, 57, 0, 0),
    ]
    assert log == [(what, n) for what in ("again", "each") for n in whole], (
        "each told once, whatever was tried"
    )
    assert [row[0] for row in marked] == whole
    assert written == (57,)
    assert sorted(row[0] for row in errors) == failed


def test_a_step_that_takes_long_to_plan_makes_nobody_fail_who_waits(dsn: str) -> None:
    operation_id = submit(dsn)
    with closed(dsn, 1) as gate, working(dsn, operation_id, count=3) as (run, _):
        wait_until(lambda: blocked_by(gate))
        with psycopg.connect(dsn, autocommit=True) as impatient:
            impatient.execute("SET lock_timeout = '20ms'; SET statement_timeout = '2s'")
            row = impatient.execute("SELECT (batch_step(%s)).state", (operation_id,)).fetchone()
            assert row == ("idle",)
        assert len(blocked_by(gate)) == 1, "one plans, and nobody waits for its locks"
        gate.rollback()
    assert run.report is not None
    assert run.report.failures == ()
    check(dsn, operation_id)
    assert ask(dsn, "SELECT last_value FROM planned") == 1


def test_a_plan_may_take_longer_than_a_batch(dsn: str) -> None:
    operation_id = submit(dsn)
    patient = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND query_start < clock_timestamp() - interval '1.2 seconds'"
    )
    with closed(dsn, 1) as gate, working(dsn, operation_id) as (run, events):
        wait_until(lambda: ask(dsn, patient) or run.report)
        gate.rollback()
    assert [event for event in events if isinstance(event, WorkerFailed)] == []
    check(dsn, operation_id)


def test_whoever_is_killed_while_planning_leaves_it_to_the_next(dsn: str) -> None:
    operation_id = submit(dsn)
    with closed(dsn, 1) as gate, working(dsn, operation_id):
        for _ in range(3):
            wait_until(lambda: blocked_by(gate))
            terminate(gate, blocked_by(gate)[0])
        gate.rollback()
    check(dsn, operation_id)


@pytest.mark.parametrize("phase", ["planning", "last range"])
def test_a_program_that_is_killed_and_another_that_resumes(dsn: str, steps_project: Path, phase: str) -> None:
    operation_id = submit(dsn)
    resume = ("run", "--resume", str(operation_id), "--project", str(steps_project))
    with closed(dsn, 1 if phase == "planning" else 2) as gate:
        process = counting.specgen(dsn, *resume)
        wait_until(lambda: process.poll() is not None or blocked_by(gate))
        process.kill()
        process.communicate(timeout=PATIENCE)
        for pid in blocked_by(gate):
            terminate(gate, pid)
    code, _, err = counting.run(dsn, *resume)
    assert code == 1, err
    check(dsn, operation_id)


def test_workers_that_finish_a_step_at_the_same_moment_plan_the_next_once(dsn: str) -> None:
    failures: list[BaseException] = []

    def session(operation: UUID, barrier: threading.Barrier) -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                barrier.wait(PATIENCE)
                connection.execute("CALL batch_work(%s)", (operation,))
        except BaseException as error:
            failures.append(error)

    for _ in range(8):
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("UPDATE tally SET n = 0, told = 0")
            connection.execute("TRUNCATE log, batch_operation_errors")
            connection.execute("SELECT setval('planned', 1, false)")
        operation_id = submit(dsn)
        barrier = threading.Barrier(3)
        threads = [threading.Thread(target=session, args=(operation_id, barrier)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert failures == []
        check(dsn, operation_id)
        assert ask(dsn, "SELECT last_value FROM planned") == 1


@pytest.fixture
def durable(steps_project: Path) -> Iterator[tuple[EmbeddedProvider, str]]:
    """A server with PostgreSQL's own guarantees, to be killed."""
    provider = EmbeddedProvider(postgres=18, durable=True, in_memory=True)
    with port_of_its_own(), provider as server:
        build(server.dsn, steps_project)
        yield provider, server.dsn


@pytest.mark.parametrize("gate", [1, 2], ids=["planning", "last range"])
def test_a_server_that_is_killed_and_comes_back(
    durable: tuple[EmbeddedProvider, str], monkeypatch: pytest.MonkeyPatch, gate: int
) -> None:
    monkeypatch.setattr(workers, "RECONNECT_DELAYS", (0.1,) * 3000)
    provider, dsn = durable
    operation_id = submit(dsn)
    holder = psycopg.connect(dsn)
    holder.execute("SELECT pg_advisory_xact_lock(%s)", (gate,))
    with working(dsn, operation_id):
        wait_until(lambda: blocked_by(holder))
        crash(provider)
        holder.close()
        provider.restart()
    check(dsn, operation_id)
