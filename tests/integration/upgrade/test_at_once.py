"""Upgrades beside others: two at once, and while workers are at it. Nothing is lost, and nothing half done."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import gates
import psycopg
import pytest
from gates import PATIENCE

from specgen.database.connection import connect
from specgen.database.deploy import Script, deploy
from specgen.runtime.runner import Run

from .catalogue import catalogue, differences
from .earlier import SCHEMA, UNFINISHED, Outcome, build, named, outcome, rendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import NewDatabase

    from specgen.database.server import Server


class Doing:
    """Something that is done in a thread of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.failure: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.failure = error

    def end(self) -> None:
        """Wait for its end.

        Raises:
            BaseException: What it failed with.
        """
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure


def upgrade(dsn: str) -> None:
    with connect(dsn, application="upgrade") as connection:
        list(deploy(connection, [Script(file.name, file.text) for file in rendered()]))


def load_file(dsn: str) -> None:
    """As ``psql -1 -f 00_runtime.sql`` does, which knows nothing of the program's own lock."""
    with psycopg.connect(dsn, application_name="psql") as connection:
        connection.execute(rendered()[0].text.encode())


def test_many_upgrades_at_once_are_one(version_1: str) -> None:
    doings = [Doing(lambda work=work: work(version_1)) for work in (upgrade, load_file) * 5]
    for doing in doings:
        doing.end()
    alone = catalogue(version_1)
    with psycopg.connect(version_1) as connection:
        rows = connection.execute("SELECT version FROM batch.batch_runtime").fetchall()
    assert sorted(rows) == [(1,), (2,)]
    upgrade(version_1)
    assert differences(catalogue(version_1), alone) == {}


@pytest.fixture
def undisturbed(postgres_server: Server, new_database: NewDatabase) -> Outcome:
    dsn = new_database(postgres_server)
    build(dsn)
    for operation_id in UNFINISHED:
        work(dsn, operation_id)
    return outcome(dsn)


def work(dsn: str, operation_id: object) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CALL batch.batch_work(%s)", (operation_id,))


def run(dsn: str, operation_id: object) -> None:
    run = Run(dsn, SCHEMA, operation_id, "run", 2)  # type: ignore[arg-type]
    list(run.events())
    assert run.report is not None
    assert run.report.finished, run.report.failures


@pytest.mark.parametrize("way", [work, run])
def test_workers_of_an_earlier_version_that_are_at_a_batch_end_it_and_go_on_after_the_upgrade(
    version_1: str, undisturbed: Outcome, way: Callable[[str, object], None]
) -> None:
    touch = named(2)
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute((gates.GATES + gates.row_gate(1, "public.account", 31)).encode())
    with gates.closed(version_1, 1) as gate, psycopg.connect(version_1, autocommit=True) as asking:
        at_work = Doing(lambda: way(version_1, touch))
        gates.wait_until(lambda: gates.blocked_by(gate))
        upgrading = Doing(lambda: upgrade(version_1))
        # Behind the upgrade, which waits for the batch, others wait that would begin one.
        gates.wait_until(lambda: waiting_for_table(asking, "upgrade"))
        behind = Doing(lambda: way(version_1, named(3)))
        gates.wait_until(lambda: waiting_for_table(asking, "") > 1)
        gate.rollback()
        for doing in (at_work, upgrading, behind):
            doing.end()
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute("DROP FUNCTION pass_gate CASCADE")
    for operation_id in UNFINISHED:
        work(version_1, operation_id)
    found = outcome(version_1)
    # The second began before the first was over, so what it found to close differs; its account is right.
    assert [row for row in found.operations if row[0] == touch] == [
        row for row in undisturbed.operations if row[0] == touch
    ]
    assert [row for row in found.kept if row[0] == touch] == [
        row for row in undisturbed.kept if row[0] == touch
    ]


def test_a_call_of_version_1_that_waited_for_the_end_of_the_upgrade_has_done_nothing_and_says_so(
    version_1: str,
) -> None:
    calls = ("touch_accounts(ARRAY[1, 2])", "touch_accounts_submit(ARRAY[1, 2])", "charge_fee(1, 1)")
    everything = """
        SELECT (SELECT count(*) FROM batch.batch_operations), (SELECT sum(touched + balance) FROM account)
    """
    with (
        psycopg.connect(version_1, autocommit=True) as asking,
        psycopg.connect(version_1) as reading,
        psycopg.connect(version_1, autocommit=True) as one,
        psycopg.connect(version_1, autocommit=True) as two,
        psycopg.connect(version_1, autocommit=True) as three,
    ):
        before = asking.execute(everything).fetchone()
        reading.execute("SELECT FROM batch.batch_operations")
        upgrading = Doing(lambda: upgrade(version_1))
        gates.wait_until(lambda: waiting_for_table(asking, "upgrade"))
        behind = [
            Doing(lambda session=session, text=text: session.execute(f"SELECT {text}".encode()))
            for session, text in zip((one, two, three), calls, strict=True)
        ]
        gates.wait_until(lambda: waiting_for_table(asking, "") == 4)
        reading.rollback()
        upgrading.end()
        for doing in behind:
            with pytest.raises(psycopg.Error):
                doing.end()
        assert asking.execute(everything).fetchone() == before
        for session, text in zip((one, two, three), calls, strict=True):
            session.execute(f"SELECT {text}".encode())


def waiting_for_table(asking: psycopg.Connection[tuple[int]], application: str) -> int:
    """How many sessions, of an application if one is given, wait for the table that all work goes through."""
    row = asking.execute(
        "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
        " WHERE NOT l.granted AND l.relation = 'batch.batch_operations'::regclass"
        "   AND a.application_name LIKE %s || '%%'",
        (application,),
    ).fetchone()
    assert row is not None
    return row[0]
