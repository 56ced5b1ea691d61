"""``specgen test run`` that is ended leaves nothing running."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import counting
import psycopg

if TYPE_CHECKING:
    from specgen.database.server import Server

# Every test waits for a lock that is never free.
CONFTEST = """
import pytest


@pytest.fixture(scope="session")
def specgen_setup():
    return "SELECT pg_sleep(600)"
"""
SLEEPING = (
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(600)%%' AND pid <> pg_backend_pid()"
)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_its_pytest_ends_with_it_and_takes_its_databases_along(
    postgres_server: Server, tmp_path: Path
) -> None:
    counting.write_project(tmp_path)
    tests = tmp_path / "tests" / "generated"
    tests.mkdir(parents=True)
    (tests / "conftest.py").write_text(CONFTEST)
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:

        def databases() -> set[str]:
            return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}

        before = databases()
        dsn = postgres_server.dsn
        process = counting.specgen(
            dsn, "test", "run", "--project", str(tmp_path), "--database-url", dsn, "-k", "add_records"
        )
        while connection.execute(SLEEPING).fetchone() == (0,):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        mine = children(process.pid)
        assert mine
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 128 + signal.SIGTERM
        assert not [pid for pid in mine if Path(f"/proc/{pid}").exists()]
        assert databases() - before == set()
