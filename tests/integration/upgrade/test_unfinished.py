"""What an earlier version left unfinished goes on after the upgrade, and comes to what it would have come to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

from specgen.runtime.runner import Run

from .earlier import (
    CALLED,
    IMPORT,
    SCHEMA,
    UNFINISHED,
    VERSION_1,
    Outcome,
    begin,
    build,
    call,
    named,
    outcome,
    rendered,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from conftest import NewDatabase

    from specgen.database.server import Server

UNDISTURBED: dict[str, Outcome] = {}


@pytest.fixture
def undisturbed(postgres_server: Server, new_database: NewDatabase) -> Outcome:
    """What the operations come to where version 1 does all of them, as it is told after an upgrade."""
    if postgres_server.dsn not in UNDISTURBED:
        dsn = new_database(postgres_server)
        build(dsn)
        work_in_sql(dsn)
        upgrade(dsn)
        UNDISTURBED[postgres_server.dsn] = outcome(dsn)
    return UNDISTURBED[postgres_server.dsn]


def upgrade(dsn: str) -> str:
    """Deploy the project of that time with today's specgen; returns what it says."""
    code, out, err = counting.run(dsn, "deploy", "--project", str(VERSION_1))
    assert code == 0, err
    return out + err


def work_in_sql(dsn: str) -> None:
    """Go on with one operation after the other, in one session."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for operation_id in UNFINISHED:
            connection.execute("CALL batch.batch_work(%s)", (operation_id,))


def work_by_program(dsn: str) -> None:
    """Go on with one operation after the other, as ``specgen run --resume`` does, with two workers."""
    for operation_id in UNFINISHED:
        run = Run(dsn, SCHEMA, operation_id, "test", 2)
        list(run.events())
        assert run.report is not None
        assert run.report.finished, run.report.failures


@pytest.mark.parametrize(
    ("work", "steps"),
    [*((work_in_sql, steps) for steps in (0, 1, 3, 10, 17)), (work_by_program, 1), (work_by_program, 5)],
)
def test_what_was_begun_before_the_upgrade_goes_on_and_loses_nothing(
    version_1: str, undisturbed: Outcome, steps: int, work: Callable[[str], None]
) -> None:
    begin(version_1, steps)
    assert strategies(version_1) >= {"items", "keys", "ranges"} or steps > 5, "some of each are open"
    upgrade(version_1)
    work(version_1)
    assert outcome(version_1) == undisturbed


def strategies(dsn: str) -> set[str]:
    """How what has not ended is cut into batches."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute("SELECT strategy FROM batch.batch_operations WHERE completed_at IS NULL")
        return {row[0] for row in rows}


@pytest.mark.parametrize("steps", [1, 4])
def test_what_was_stopped_before_the_upgrade_is_resumed_after_it(
    version_1: str, undisturbed: Outcome, steps: int
) -> None:
    begin(version_1, steps)
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute(
            "UPDATE batch.batch_operations SET deadline = now() - interval '1 hour' WHERE timeout IS NOT NULL"
        )
        for operation_id in UNFINISHED:
            connection.execute(
                "SELECT batch.batch_stop(operation_id, 'cancelled', 'for an upgrade')"
                "  FROM batch.batch_operations WHERE operation_id = %s AND timeout IS NULL",
                (operation_id,),
            )
            connection.execute("CALL batch.batch_work(%s)", (operation_id,))
        stopped = connection.execute(
            "SELECT status, count(*) FROM batch.batch_operations WHERE operation_id = ANY (%s) GROUP BY 1 ORDER BY 1",
            (list(UNFINISHED),),
        ).fetchall()
        assert ("timed_out", 1) in stopped
        assert ("cancelled", len(UNFINISHED) - 1) in stopped or steps > 1
        upgrade(version_1)
        for operation_id in UNFINISHED:
            connection.execute("SELECT batch.batch_resume(%s)", (operation_id,))
    work_in_sql(version_1)
    assert outcome(version_1) == undisturbed


def test_what_belongs_to_a_project_that_was_not_deployed_again_waits_for_that(
    version_1: str, undisturbed: Outcome
) -> None:
    begin(version_1, 2)
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute(rendered()[0].text.encode())
        for operation_id in UNFINISHED:
            with pytest.raises(
                psycopg.Error, match=r"^public\..* is not deployed to this runtime"
            ) as refused:
                connection.execute("CALL batch.batch_work(%s)", (operation_id,))
            assert refused.value.sqlstate == "P0B11"
            assert refused.value.diag.message_hint == "Deploy the project that it belongs to (again)."
    upgrade(version_1)
    work_in_sql(version_1)
    assert outcome(version_1) == undisturbed


def test_an_exclusive_operation_that_is_open_still_keeps_others_away(version_1: str) -> None:
    begin(version_1, 2)
    upgrade(version_1)
    with psycopg.connect(version_1, autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="mark_stock is already running as") as refused:
            connection.execute("SELECT mark_stock_submit()")
        assert refused.value.sqlstate == "P0B03"
        work_in_sql(version_1)
        connection.execute("SELECT mark_stock_submit()")


def test_steps_and_contracts_are_told_as_they_are_of_what_is_begun_afterwards(version_1: str) -> None:
    """Of operations that were of one step there was no row for it, and no name."""
    begin(version_1, 3)
    upgrade(version_1)
    with psycopg.connect(version_1, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT o.operation, o.contract = d.contract, o.schema_name = d.schema_name,"
            "       array_agg(s.step ORDER BY s.step_number)"
            "       = (SELECT array_agg(p.step ORDER BY p.step_number) FROM batch.batch_step_definitions AS p"
            "           WHERE (p.schema_name, p.operation) = (d.schema_name, d.operation)),"
            "       array_agg(s.depends_on::text ORDER BY s.step_number)"
            "       = (SELECT array_agg(p.depends_on::text ORDER BY p.step_number) FROM batch.batch_step_definitions AS p"
            "           WHERE (p.schema_name, p.operation) = (d.schema_name, d.operation))"
            "  FROM batch.batch_operations AS o"
            "  LEFT JOIN batch.batch_definitions AS d ON d.operation = o.operation"
            "  LEFT JOIN batch.batch_steps AS s USING (operation_id)"
            " GROUP BY o.operation_id, d.schema_name, d.operation ORDER BY 1"
        ).fetchall()
        unnamed = connection.execute(
            "SELECT count(*) FROM batch.batch_operation_errors WHERE step IS NULL AND batch_number IS NOT NULL"
        ).fetchone()
    assert len(rows) == len(UNFINISHED) + len(CALLED)
    assert [row for row in rows if row[1:] != (True, True, True, True)] == []
    assert unnamed == (0,)


def test_a_call_that_is_known_by_its_key_is_not_done_again_after_the_upgrade(version_1: str) -> None:
    """It is known by its schema and its name, of steps that write into other schemas as well."""
    calls = [
        f"""SELECT operation_id FROM {function} options => '{{"idempotency_key": "k"}}')"""
        for function in ("touch_accounts(ARRAY[1, 2],", "move_stock(", "charge_fee(1, 1,")
    ]
    with psycopg.connect(version_1, autocommit=True) as connection:
        before = [connection.execute(text.encode()).fetchone() for text in calls]
        upgrade(version_1)
        assert [connection.execute(text.encode()).fetchone() for text in calls] == before


def test_a_call_that_was_undone_before_is_still_told(version_1: str) -> None:
    undone = named(20)
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO account OVERRIDING SYSTEM VALUE VALUES (300, 'kept', 0, 'closed'), (301, 'gone', 0, 'closed')"
        )
        connection.execute("CREATE TABLE held (account_id integer REFERENCES account)")
        connection.execute("INSERT INTO held VALUES (300)")
        assert connection.execute(call(undone, "remove_closed(").encode()).fetchone()
    before = told(version_1, undone)
    upgrade(version_1)
    assert told(version_1, undone) == before
    with psycopg.connect(version_1) as connection:
        step = connection.execute(
            "SELECT step, status, total_records, processed_records, skipped_records, error_count, message"
            " FROM batch.batch_steps WHERE operation_id = %s",
            (undone,),
        ).fetchall()
    assert step == [("delete", "failed", 2, 0, 1, 1, "it was undone (atomic)")]
    code, out, err = counting.run(version_1, "status", str(undone), "--project", str(VERSION_1))
    assert code == 0, err
    assert re.search(r"1 +23503 +held_account_id_fkey +id +id=300: ", out), out


def told(dsn: str, operation_id: UUID) -> object:
    """The result of an operation, but for the name of a step that had none."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT to_jsonb(batch.batch_status(%s)) #- '{errors,0,step}'", (operation_id,)
        ).fetchone()
    assert row is not None
    return row[0]


def test_an_import_whose_lines_were_loaded_before_is_resumed_by_its_id(version_1: str) -> None:
    begin(version_1, 3)
    upgrade(version_1)
    with psycopg.connect(version_1, autocommit=True) as connection:
        before = connection.execute("SELECT count(*) FROM account WHERE id > 100").fetchone()
    assert before is not None
    assert 0 < before[0] < 45, "half of it"
    rejects = VERSION_1 / "accounts.csv"
    code, out, err = counting.run(
        version_1, "run", "--resume", str(IMPORT), "--project", str(VERSION_1), "--input", str(rejects)
    )
    assert code == 1, err
    assert "50 total = 44 processed + 0 skipped + 6 failed" in out


def test_a_call_that_was_over_before_is_not_done_again(version_1: str) -> None:
    with psycopg.connect(version_1, autocommit=True) as connection:
        touched = "SELECT sum(touched) FROM account"
        before = connection.execute(touched).fetchone()
        results = [connection.execute(call(*item).encode()).fetchone() for item in CALLED.items()]
        upgrade(version_1)
        assert [connection.execute(call(*item).encode()).fetchone() for item in CALLED.items()] == results
        assert connection.execute(touched).fetchone() == before


def test_the_upgrade_says_what_is_open_and_what_became_of_the_runtime(version_1: str) -> None:
    said = upgrade(version_1)
    assert (
        f"the runtime in schema batch goes from version 1 to 2; {len(UNFINISHED)} operations submitted to it"
        in said
    )
    assert said.endswith("the runtime in schema batch is version 2\n")
    assert "goes from" not in upgrade(version_1)


def test_what_was_kept_before_is_still_shown(version_1: str) -> None:
    upgrade(version_1)
    code, out, err = counting.run(version_1, "output", str(named(7)), "--jsonl", "--project", str(VERSION_1))
    assert code == 0, err
    assert out.count("\n") == 3
    code, out, err = counting.run(version_1, "status", str(IMPORT), "--project", str(VERSION_1))
    assert code == 0, err
    assert "import_accounts" in out
