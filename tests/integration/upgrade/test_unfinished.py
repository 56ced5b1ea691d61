"""What an earlier version left unfinished goes on after the upgrade, and comes to what it would have come to."""

from __future__ import annotations

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
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import NewDatabase

    from specgen.database.server import Server

UNDISTURBED: dict[str, Outcome] = {}


@pytest.fixture
def undisturbed(postgres_server: Server, new_database: NewDatabase) -> Outcome:
    """What the operations come to where version 1 does all of them."""
    if postgres_server.dsn not in UNDISTURBED:
        dsn = new_database(postgres_server)
        build(dsn)
        work_in_sql(dsn)
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


@pytest.mark.parametrize("work", [work_in_sql, work_by_program])
@pytest.mark.parametrize("steps", [0, 1, 3, 10, 17])
def test_what_was_begun_before_the_upgrade_goes_on_and_loses_nothing(
    version_1: str, undisturbed: Outcome, steps: int, work: Callable[[str], None]
) -> None:
    begin(version_1, steps)
    upgrade(version_1)
    work(version_1)
    assert outcome(version_1) == undisturbed


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
