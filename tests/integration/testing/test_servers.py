"""``specgen test run``: on which server, and what it says of one that lacks what the tests need."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import counting
import pytest

from specgen.testing.run import plugin_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.database.server import Server

# Nobody answers at any of them: who asks them fails.
PRODUCTION = {
    "SPECGEN_DATABASE_URL": "postgresql://127.0.0.2:1/production",
    "PGHOST": "127.0.0.2",
    "PGHOSTADDR": "127.0.0.2",
    "PGPORT": "1",
    "PGDATABASE": "production",
    "DOCKER_HOST": "unix:///nowhere/docker.sock",
}
PAGE = """
name: page
managed: false
schema: cms
table: pages
fields:
  id: bigint
  title: {type: string, nullable: false}
  views: integer
patterns:
  - name: batch_operations
    operation: reset_views
    operation_type: update
    update_data: {views: {sql: "lowered(views)"}}
    where_condition: "views > :least"
"""
SETUP = """
CREATE SCHEMA cms;
CREATE TABLE cms.pages (id bigint PRIMARY KEY, title text NOT NULL, views integer);
CREATE FUNCTION lowered(views integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT views - 1';
"""


def test_run(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(counting.ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-c", counting.PROGRAM, "test", "run", "--project", str(project), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path} | variables,
        cwd=project,
        timeout=120,
        check=False,
    )


test_run.__test__ = False  # type: ignore[attr-defined]


def test_no_variable_that_names_production_leads_tests_there(tmp_path: Path) -> None:
    counting.write_project(tmp_path)
    done = test_run(tmp_path, "-k", "add_records_dry_run", **PRODUCTION)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("on PostgreSQL ")
    assert ", embedded (" in done.stderr.splitlines()[0]


def test_the_server_for_tests_is_said(postgres_server: Server, tmp_path: Path) -> None:
    counting.write_project(tmp_path)
    done = test_run(tmp_path, "-k", "nothing at all", SPECGEN_TEST_DATABASE_URL=postgres_server.dsn)
    assert " at 127.0.0.1:" in done.stderr.splitlines()[0], done.stderr


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "page.yaml").write_text(PAGE)
    return tmp_path


def test_a_table_that_setup_sql_has_to_make_is_named_with_its_statement(
    postgres_server: Server, pages: Path
) -> None:
    done = test_run(pages, "--database-url", postgres_server.dsn)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.split("\n", 1)[1] == (
        "entities/page.yaml:2:7: error[unknown-table]: the database has no table cms.pages\n"
        "    2 | name: page\n"
        "      |       ^^^^\n"
        "   help: create it in a file of setup_sql, such as CREATE SCHEMA cms; CREATE TABLE cms.pages "
        "(id bigint NOT NULL, title text NOT NULL, views integer, PRIMARY KEY (id));\n"
        "1 error in 1 file\n"
        "error: the database for tests begins empty, and lacks what operations need\n"
        "   help: write a file with what is not generated, such as sql/setup.sql, and name it in "
        "specgen.yaml: setup_sql: [sql/setup.sql]\n"
    )


def test_a_function_that_setup_sql_has_to_make_is_named(postgres_server: Server, pages: Path) -> None:
    (pages / "setup.sql").write_text(SETUP.partition("CREATE FUNCTION")[0])
    (pages / "specgen.yaml").write_text("setup_sql: [setup.sql]\n")
    done = test_run(pages, "--database-url", postgres_server.dsn)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.split("\n", 1)[1] == (
        'entities/page.yaml:14:33: error[unknown-function]: the database has no function "lowered"\n'
        '   14 |     update_data: {views: {sql: "lowered(views)"}}\n'
        "      |                                 ^^^^^^^\n"
        "   help: create it in a file of setup_sql\n"
        "1 error in 1 file\n"
        "error: the database for tests begins empty, and lacks what operations need\n"
        "   help: add what is missing to what setup_sql in specgen.yaml names: setup.sql\n"
    )


def test_with_setup_sql_the_tests_of_a_table_of_ones_own_run(postgres_server: Server, pages: Path) -> None:
    (pages / "setup.sql").write_text(SETUP)
    (pages / "specgen.yaml").write_text("setup_sql: [setup.sql]\n")
    done = test_run(pages, "--database-url", postgres_server.dsn, "-k", "does_every_record")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_plugin_alone_says_it_without_a_traceback(postgres_server: Server, pages: Path) -> None:
    tests = pages / "tests"
    tests.mkdir()
    (tests / "test_page.py").write_text("def test_page(sandbox):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", *plugin_arguments(), "-p", "no:xdist", str(tests)]
    done = subprocess.run(
        [*command, f"--specgen-root={pages}", f"--specgen-database-url={postgres_server.dsn}"],
        capture_output=True,
        text=True,
        cwd=pages,
        timeout=120,
        check=False,
    )
    assert "entities/page.yaml:2: the database has no table cms.pages\n" in done.stdout
    assert "setup_sql: [sql/setup.sql]" in done.stdout
    assert "Traceback" not in done.stdout
    assert "lacking.py" not in done.stdout
