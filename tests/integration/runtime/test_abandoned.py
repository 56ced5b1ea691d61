"""Operations that nobody is at work on: who looks is told so, and their time is the time that was worked."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest
from gates import GATES, PATIENCE, blocked_by, closed, row_gate, wait_until

from specgen.database.deploy import Script, deploy
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

SPEC = """
name: tock
fields: {id: bigint, n: {type: integer, nullable: false, default: 0}}
patterns:
  - {name: batch_operations, operation: tick, operation_type: update, update_data: {n: {sql: "n + 1"}},
     where_condition: "n = 0", batch_size: 10, collect_metrics: true}
  - {name: batch_operations, operation: tick_beating, operation_type: update, update_data: {n: {sql: "n + 1"}},
     where_condition: "n = 0", batch_size: 10, heartbeat_interval: "500ms"}
  - name: batch_operations
    operation: tick_twice
    batch_size: 10
    steps:
      - {name: first_tick, operation_type: update, update_data: {n: 1}, where_condition: "id > 0"}
      - {name: second_tick, operation_type: update, update_data: {n: 2}, where_condition: "id > 0"}
"""
GATE = 4712
HALF = 55
THREE_DAYS = 3 * 86400


@pytest.fixture(scope="session")
def tocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project."""
    folder = tmp_path_factory.mktemp("tocks")
    (folder / "entities").mkdir()
    (folder / "entities" / "tock.yaml").write_text(SPEC)
    return folder


def build(dsn: str, folder: Path) -> None:
    loaded = load_project([], root=folder)
    assert loaded.project is not None, loaded.findings
    plan = plan_project(loaded.project).plan
    assert plan is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        list(deploy(connection, [Script(file.name, file.text) for file in render_plan(plan)]))
        connection.execute("INSERT INTO tock (id) SELECT i FROM generate_series(1, 100) AS i")
        connection.execute((GATES + row_gate(GATE, "tock", HALF)).encode())


class Tocks:
    """The program in the project, on the test's database."""

    def __init__(self, dsn: str, project: Path) -> None:
        self.dsn = dsn
        self.project = project

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        return counting.run(self.dsn, *arguments, "--project", str(self.project))

    def status(self, operation: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", operation, "--json")[1])
        return found

    def do(self, query: str) -> Any:
        # No trigger has a say in how old something is.
        options = "-c session_replication_role=replica"
        with psycopg.connect(self.dsn, autocommit=True, options=options) as connection:
            cursor = connection.execute(query.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def interrupted(self, operation: str, number: int = signal.SIGKILL) -> str:
        """Run an operation, and end the program in the middle of a batch; the operation's id."""
        with closed(self.dsn, GATE) as gate:
            process = counting.specgen(self.dsn, "run", operation, "--project", str(self.project))
            wait_until(lambda: blocked_by(gate))
            process.send_signal(number)
            assert process.stderr is not None
            told = "submitted"
            while told and "stopping" not in told:
                told = process.stderr.readline()
        process.communicate(timeout=PATIENCE)
        found = str(counting.latest(self.dsn))
        wait_until(lambda: self.do("SELECT batch_is_abandoned(o) FROM batch_operations AS o"))
        return found

    def age(self) -> None:
        """Let three days pass."""
        self.do(
            "UPDATE batch_ranges AS r SET worked_at = r.worked_at - interval '3 days' FROM ("
            "SELECT range_number FROM batch_ranges FOR UPDATE SKIP LOCKED) AS free "
            "WHERE r.range_number = free.range_number"
        )
        self.do("UPDATE batch_workers SET heartbeat_at = heartbeat_at - interval '3 days'")
        self.do("UPDATE batch_steps SET started_at = started_at - interval '3 days'")
        self.do(
            "UPDATE batch_operations SET started_at = started_at - interval '3 days', "
            "active_at = active_at - interval '3 days'"
        )


@pytest.fixture
def tock(postgres_server: Server, template_of: Template, new_database: NewDatabase, tocks: Path) -> Tocks:
    template = template_of(postgres_server, "tocks", lambda dsn: build(dsn, tocks))
    return Tocks(new_database(postgres_server, template), tocks)


@pytest.mark.parametrize(("operation", "number"), [("tick", signal.SIGKILL), ("tick_beating", signal.SIGINT)])
def test_status_tells_that_a_killed_run_has_left_its_operation_and_since_when(
    tock: Tocks, operation: str, number: int
) -> None:
    found = tock.interrupted(operation, number)
    tock.age()
    code, out, err = tock("status", found)
    assert code == 0, err
    assert "at work    nobody since " in out
    assert "(3 d" in out
    assert f"go on with: specgen run --resume {found}" in err
    assert "running (nobody at work)" in tock("status")[1]
    shown = tock.status(found)
    assert shown["abandoned"]
    assert shown["status"] == "running"
    assert shown["silent"] > THREE_DAYS


@pytest.mark.parametrize("operation", ["tick", "tick_twice"])
def test_three_days_between_kill_and_resume_are_not_in_the_time_of_an_operation(
    tock: Tocks, operation: str
) -> None:
    found = tock.interrupted(operation)
    tock.age()
    before = tock.status(found)["seconds"]
    assert 0 < before < PATIENCE
    code, out, err = tock("run", "--resume", found, "--json")
    assert code == 0, out + err
    result = json.loads(out)
    shown = tock.status(found)
    assert before < shown["seconds"] == result["seconds"] < 2 * PATIENCE
    assert shown["idle_seconds"] > THREE_DAYS
    assert not shown["abandoned"]
    if operation == "tick":
        metrics = "SELECT metric_value FROM batch_performance_metrics WHERE metric_name = 'duration_seconds'"
        assert float(tock.do(metrics)) == pytest.approx(shown["seconds"])
    if operation == "tick_twice":
        assert sum(step["seconds"] for step in shown["steps"]) <= shown["seconds"]
    out = tock("run", "--resume", found)[1]
    time = next(line for line in out.splitlines() if line.startswith("time"))
    assert time.split()[1] == f"{shown['seconds']:,.2f}"


def test_the_gap_is_left_out_for_whoever_goes_on_and_once(tock: Tocks) -> None:
    found = tock.interrupted("tick")
    tock.age()
    with (
        psycopg.connect(tock.dsn, autocommit=True) as one,
        psycopg.connect(tock.dsn, autocommit=True) as two,
    ):
        for connection in (one, two, one, two):
            connection.execute("SELECT batch_step(%s)", (found,))
        one.execute("CALL batch_work(%s)", (found,))
    shown = tock.status(found)
    assert shown["status"] == "completed"
    assert shown["seconds"] < PATIENCE
    assert THREE_DAYS < shown["idle_seconds"] < THREE_DAYS + PATIENCE


def test_whoever_holds_a_range_for_long_is_at_work(tock: Tocks) -> None:
    with closed(tock.dsn, GATE) as gate:
        process = counting.specgen(tock.dsn, "run", "tick", "--project", str(tock.project))
        wait_until(lambda: blocked_by(gate))
        tock.age()
        found = str(counting.latest(tock.dsn))
        shown = tock.status(found)
        assert not shown["abandoned"]
        assert shown["seconds"] > THREE_DAYS
        assert "nobody" not in tock("status", found)[1]
        with psycopg.connect(tock.dsn, autocommit=True) as another:
            another.execute("SELECT batch_step(%s)", (found,))
        assert tock.status(found)["idle_seconds"] == 0
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_what_was_submitted_and_not_begun_is_told_to_be_nobodys(tock: Tocks) -> None:
    found = str(tock.do("SELECT tick_submit()"))
    code, out, err = tock("status", found)
    assert code == 0, err
    assert "nobody yet" in out
    assert f"specgen run --resume {found}" in err


def test_time_over_and_resumed_later_leaves_the_days_between_out(tock: Tocks) -> None:
    found = tock.interrupted("tick")
    tock.do("UPDATE batch_operations SET deadline = clock_timestamp() - interval '1 minute'")
    with psycopg.connect(tock.dsn, autocommit=True) as connection:
        connection.execute("CALL batch_work(%s)", (found,))
    assert tock.status(found)["status"] == "timed_out"
    ended = tock.status(found)["seconds"]
    tock.age()
    tock.do("UPDATE batch_operations SET completed_at = completed_at - interval '3 days'")
    code, _, err = tock("run", "--resume", found)
    assert code == 0, err
    assert ended < tock.status(found)["seconds"] < 2 * PATIENCE
