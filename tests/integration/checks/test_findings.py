"""What ``validate --database-url`` says: every message, on record, and that nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from corpus import PROJECTS, case_name, execute, set_up

from specgen.cli.main import main

CASES = sorted((Path(__file__).parents[2] / "golden" / "database").iterdir())
CONTENT = """
    SELECT 'relation', oid::bigint, xmin::text FROM pg_catalog.pg_class WHERE oid >= 16384
     UNION ALL
    SELECT 'function', oid::bigint, xmin::text FROM pg_catalog.pg_proc WHERE oid >= 16384
     UNION ALL
    SELECT 'schema', oid::bigint, xmin::text FROM pg_catalog.pg_namespace WHERE oid >= 16384
     ORDER BY 1, 2
"""


def content(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(CONTENT).fetchall()


def validate(project: Path, dsn: str, *more: str) -> tuple[int, str, str]:
    lone = project / "entity.yaml"
    paths = [str(lone)] if lone.exists() else []
    command = ["validate", *paths, "--project", str(project), "--database-url", dsn, *more]
    result = CliRunner().invoke(main, command)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_findings_are_those_on_record(case: Path, database: str, update_golden: bool) -> None:
    execute(database, (case / "setup.sql").read_text(encoding="utf-8"))
    before = content(database)
    code, _, err = validate(case, database)
    expected = case / "stderr.txt"
    if update_golden:
        expected.write_text(err, encoding="utf-8")
    assert err == expected.read_text(encoding="utf-8")
    assert code == 1
    assert content(database) == before, "something stayed in the database"


@pytest.mark.parametrize("project", PROJECTS, ids=case_name)
def test_a_project_that_fits_has_no_findings(project: Path, database: str) -> None:
    set_up(project, database)
    before = content(database)
    assert validate(project, database)[0] == 0
    assert content(database) == before
