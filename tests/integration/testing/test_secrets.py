"""``specgen test run`` on a server of one's own: its password is in no command line, and in nothing printed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.database.server import Server

# The tests' process and the one that started it, as every user of the machine sees them; and a test that
# fails, of which pytest shows the arguments.
CONFTEST = """
import os
import pathlib

import pytest


@pytest.fixture(scope="session")
def specgen_setup(specgen_database):
    for pid in (os.getpid(), os.getppid()):
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace(chr(0), " ")
        print(line, file=open(pathlib.Path.cwd() / "seen", "a"))
    raise AssertionError("shown with its arguments")
"""


def test_the_password_is_in_no_command_line_and_in_nothing_printed(
    postgres_server: Server, tmp_path: Path
) -> None:
    counting.write_project(tmp_path)
    tests = tmp_path / "tests" / "generated"
    tests.mkdir(parents=True)
    (tests / "conftest.py").write_text(CONFTEST)
    dsn = postgres_server.dsn
    secret = str(conninfo_to_dict(dsn)["password"])
    process = counting.specgen(
        dsn, "test", "run", "--project", str(tmp_path), "--database-url", dsn, "-k", "add_records", "--keep",
        cwd=tmp_path,
    )  # fmt: skip
    out, err = process.communicate(timeout=120)
    assert "shown with its arguments" in out, err
    assert "specgen_database = " in out
    assert secret not in out + err
    seen = (tmp_path / "seen").read_text()
    assert "pytest" in seen
    assert "--database-url ***" in seen
    assert secret not in seen
    kept = out.strip().splitlines()[-1]
    assert kept.startswith("postgresql://postgres@127.0.0.1:")
    with psycopg.connect(kept, password=secret) as connection:
        assert connection.execute("SELECT count(*) FROM batch_operations").fetchone() == (0,)
    # What is printed drops it: psql's arguments are taken as psql would take them.
    told = next(line for line in err.splitlines() if line.startswith("drop it with: "))
    psql, server, option, statement = shlex.split(told.removeprefix("drop it with: "))
    assert (psql, option) == ("psql", "-c")
    with psycopg.connect(server, password=secret, autocommit=True) as connection:
        connection.execute(statement.encode())
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(kept, password=secret)
