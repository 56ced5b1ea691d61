"""``specgen run`` with the workers that a spec asks for, and ``specgen status`` that shows them."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest

from specgen.database.deploy import Script, deploy
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

ENTITY = """
name: slow
fields:
  id: bigint
  n: {type: integer, nullable: false, default: 0}
patterns:
  - name: batch_operations
    operation: count_parallel
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "id = ANY(:ids)"
    batch_size: 10
    parallel: true
    max_workers: 3
    heartbeat_interval: "200ms"
  - name: batch_operations
    operation: count_in_turn
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "id = ANY(:ids)"
    parallel: false
  - name: batch_operations
    operation: count_rows
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "n = :old"
    batch_size: 5
  - name: batch_operations
    operation: mark
    operation_type: update
    update_data: {n: :mark}
    where_condition: "id = ANY(:ids)"
    parameters: {since: {type: date, default: "CURRENT_DATE"}}
    preconditions: [":since IS NOT NULL"]
  - name: batch_operations
    operation: add
    operation_type: insert
    insert_data: {n: :item.n}
    data_source: :records
"""
# Whoever holds this lock holds up every batch.
GATE = 4711
SETUP = f"""
    INSERT INTO slow (id) OVERRIDING SYSTEM VALUE SELECT i FROM generate_series(1, 100) AS i;
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NEW; END $$;
    CREATE TRIGGER wait BEFORE UPDATE ON slow FOR EACH ROW EXECUTE FUNCTION wait();
"""
ALL = "ids={" + ",".join(map(str, range(1, 101))) + "}"


@pytest.fixture(scope="session")
def slow_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slow")
    (folder / "entities").mkdir()
    (folder / "entities" / "slow.yaml").write_text(ENTITY)
    return folder


@pytest.fixture
def slow(
    postgres_server: Server, template_of: Template, new_database: NewDatabase, slow_project: Path
) -> str:
    def build(dsn: str) -> None:
        loaded = load_project([], root=slow_project)
        assert loaded.project, loaded.findings
        planned = plan_project(loaded.project)
        assert planned.plan, planned.findings
        with psycopg.connect(dsn, autocommit=True) as connection:
            list(deploy(connection, [Script(file.name, file.text) for file in render_plan(planned.plan)]))
            connection.execute(SETUP.encode())

    return new_database(postgres_server, template_of(postgres_server, "slow", build))


@pytest.fixture
def specgen(slow: str, slow_project: Path) -> Callable[..., tuple[int, str, str]]:
    return lambda *arguments: counting.run(slow, *arguments, "--project", str(slow_project))


def query(dsn: str, sql: str) -> list[Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchall()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def held_up(dsn: str, count: int) -> bool:
    """Whether so many workers are in the middle of a batch."""
    waiting = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {GATE} AND NOT granted"
    return bool(query(dsn, waiting)[0][0] == count)


@pytest.mark.parametrize(("given", "expected"), [((), 3), (("--workers", "2"), 2)])
def test_a_parallel_operation_has_the_workers_of_its_spec_or_fewer(
    specgen, slow: str, given: tuple[str, ...], expected: int
) -> None:
    code, _, err = specgen("run", "count_parallel", "-p", ALL, *given)
    assert code == 0, err
    assert query(slow, "SELECT n, count(*) FROM slow GROUP BY n") == [(1, 100)]
    # Who finds it finished at once has no row; nobody has more than one.
    ((workers, left),) = query(slow, "SELECT count(*), bool_and(left_at IS NOT NULL) FROM batch_workers")
    assert 1 <= workers <= expected
    assert left


@pytest.mark.parametrize(("operation", "most"), [("count_parallel", 3), ("count_in_turn", 1)])
def test_more_workers_than_the_spec_allows_are_refused_before_anything_is_submitted(
    specgen, slow: str, operation: str, most: int
) -> None:
    code, _, err = specgen("run", operation, "-p", ALL, "--workers", "4")
    assert code == 2
    assert f"--workers 4 is more than the operation's max_workers ({most})" in err
    assert query(slow, "SELECT FROM batch_operations") == []


def test_workers_share_the_rows_of_an_operation_that_does_not_say_parallel(slow: str) -> None:
    """With one range for all of its 20 batches, --workers 4 would be one that works and three that watch."""
    with psycopg.connect(slow) as connection:
        connection.execute("SELECT count_rows_submit(0)")
        strategy = connection.execute("SELECT DISTINCT strategy FROM batch_operations").fetchall()
        ranges = connection.execute("SELECT count(*) FROM batch_ranges").fetchall()
        connection.rollback()
    assert strategy == [("ranges",)]
    assert ranges == [(20,)]


def test_a_resume_has_the_workers_of_the_operation_too(specgen, slow: str) -> None:
    ((operation_id,),) = query(slow, "SELECT count_parallel_submit('{1,2,3}')")
    code, _, err = specgen("run", "--resume", str(operation_id), "--workers", "4")
    assert code == 2, err
    code, _, err = specgen("run", "--resume", str(operation_id))
    assert code == 0, err


def test_a_long_batch_does_not_look_dead_and_a_killed_worker_does(
    specgen, slow: str, slow_project: Path
) -> None:
    with psycopg.connect(slow, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        runner = counting.specgen(slow, "run", "count_parallel", "-p", ALL, "--project", str(slow_project))
        until(lambda: held_up(slow, 3))
        operation_id = counting.latest(slow)
        beats = "SELECT min(heartbeat_at) FROM batch_workers"
        # No batch ends, and yet every worker's heartbeat goes on.
        before = query(slow, beats)[0][0]
        until(lambda: query(slow, beats)[0][0] > before)
        states = [worker["state"] for worker in workers_of(specgen, operation_id)]
        assert len(states) == 3
        assert "gone: its session no longer exists" not in states

        runner.send_signal(signal.SIGKILL)
        runner.communicate()
        # The backends are still at their batches and nobody beats for them any more.
        until(
            lambda: all(
                worker["missed_heartbeats"] >= 3 and worker["state"].startswith("silent: missed ")
                for worker in workers_of(specgen, operation_id)
            )
        )
        code, out, _ = specgen("status", str(operation_id))
        assert code == 0
        assert "silent: missed" in out
        query(slow, "SELECT pg_terminate_backend(worker_pid, 10000) FROM batch_workers")
    assert {worker["state"] for worker in workers_of(specgen, operation_id)} == {
        "gone: its session no longer exists"
    }
    code, _, err = specgen("run", "--resume", str(operation_id))
    assert code == 0, err
    assert query(slow, "SELECT n, count(*) FROM slow GROUP BY n") == [(1, 100)]
    ended = [worker["state"] for worker in workers_of(specgen, operation_id)]
    assert sum(state.startswith("gone") for state in ended) == 3
    assert all(state.startswith(("gone", "left at")) for state in ended)
    ((account,),) = query(slow, "SELECT sum(record_count) FROM batch_workers WHERE left_at IS NOT NULL")
    assert account == 100


def workers_of(specgen, operation_id: UUID) -> list[dict[str, Any]]:
    code, out, err = specgen("status", str(operation_id), "--json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)["workers"]
    return found


def test_a_worker_that_is_stopped_says_that_it_has_left(specgen, slow: str, slow_project: Path) -> None:
    with psycopg.connect(slow, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        runner = counting.specgen(slow, "run", "count_parallel", "-p", ALL, "--project", str(slow_project))
        until(lambda: held_up(slow, 3))
        runner.send_signal(signal.SIGINT)
    runner.communicate(timeout=30)
    states = [worker["state"] for worker in workers_of(specgen, counting.latest(slow))]
    assert len(states) == 3
    assert all(state.startswith("left at ") for state in states)


# What is passed on the command line


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_a_value_that_does_not_fit_is_refused_by_its_parameters_name(specgen, how: tuple[str, ...]) -> None:
    code, _, err = specgen("run", "mark", "-p", "ids=1", "-p", "mark=12", "-p", "since=soon", *how)
    assert code == 2
    assert 'parameter since (date): invalid input syntax for type date: "soon"' in err
    code, _, err = specgen("run", "mark", "-p", "ids={1,x}", "-p", "mark=12", *how)
    assert code == 2
    assert 'parameter ids (bigint[]): invalid input syntax for type bigint: "x"' in err


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_null_can_be_passed(specgen, slow: str, how: tuple[str, ...]) -> None:
    code, out, err = specgen("run", "mark", "-p", "ids=1", "--null", "mark", *how)
    assert code == 1, err
    assert "23502" in out  # the column takes no NULL: it arrived as one
    code, _, err = specgen("run", "mark", "-p", "ids=1", "-p", "mark=1", "--null", "since", *how)
    assert code == 4
    assert ":since IS NOT NULL" in err
    code, _, err = specgen("run", "mark", "-p", "ids=1", "-p", "mark=1", "--null", "mrak", *how)
    assert code == 2
    assert 'did you mean "mark"?' in err
    code, _, err = specgen("run", "mark", "-p", "ids=1", "-p", "mark=1", "--null", "mark", *how)
    assert code == 2


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_an_option_that_is_no_span_of_time_is_wrong_usage(specgen, how: tuple[str, ...]) -> None:
    code, _, err = specgen("run", "mark", "-p", "ids=1", "-p", "mark=1", "-o", "timeout=soon", *how)
    assert code == 2
    assert 'option timeout: "soon" is not a span of time' in err
    assert "PL/pgSQL" not in err


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_records_with_a_field_that_nobody_reads_are_refused_before_anything_is_written(
    specgen, slow: str, how: tuple[str, ...]
) -> None:
    code, _, err = specgen("run", "add", "-p", 'records=[{"n": 1}, {"m": 2, "n": 3}, {"l": 1}]', *how)
    assert code == 2
    assert 'add: it reads no field "l", "m"; record 2 has it' in err
    assert "It reads n." in err
    assert query(slow, "SELECT count(*) FROM slow") == [(100,)]
    assert query(slow, "SELECT FROM batch_operations") == []


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_an_idempotency_key_means_one_set_of_parameters(specgen, slow: str, how: tuple[str, ...]) -> None:
    def marked(ids: str, mark: int) -> tuple[int, str, str]:
        given = ("-p", f"ids={ids}", "-p", f"mark={mark}", "-o", "idempotency_key=k1", "--json")
        return specgen("run", "mark", *given, *how)

    code, first, err = marked("{1,2}", 5)
    assert code == 0, err
    code, again, err = marked("{1,2}", 5)
    assert code == 0, err
    assert json.loads(again)["operation_id"] == json.loads(first)["operation_id"]
    for ids, mark in (("{1,2}", 6), ("{1,3}", 5)):
        code, _, err = marked(ids, mark)
        assert code == 4
        assert 'mark: idempotency key "k1" was used with other parameters before, by operation ' in err
        assert json.loads(first)["operation_id"] in err
    assert query(slow, "SELECT n, count(*) FROM slow GROUP BY n ORDER BY n") == [(0, 98), (5, 2)]


def test_json_is_one_document_and_progress_is_elsewhere(specgen) -> None:
    code, out, err = specgen("run", "count_parallel", "-p", ALL, "--json")
    assert code == 0, err
    assert json.loads(out)["status"] == "completed"


def test_in_an_empty_folder_it_says_how_a_project_starts(slow: str, tmp_path: Path) -> None:
    for command in (("validate",), ("generate",), ("run", "mark"), ("test", "run")):
        code, _, err = counting.run(slow, *command, "--project", str(tmp_path))
        assert code == 1
        assert 'here is no specgen project: neither specgen.yaml nor a folder "entities"' in err
        assert "specgen init" in err
