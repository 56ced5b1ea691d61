"""The program on a database whose settings write times and texts in a way of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from specgen.database.deploy import Script, deploy
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
name: visit
fields:
  id: bigint
  day: {type: date, nullable: false}
  note: {type: text, nullable: false, default: ''}
  tags: text[]
patterns:
  - name: batch_operations
    operation: note_visits
    operation_type: update
    update_data: {note: :note}
    where_condition: "day = :day"
    heartbeat_interval: "1 second"
  - name: batch_operations
    operation: tag_visits
    operation_type: update
    update_data: {tags: :tags}
    where_condition: "true"
"""
SETTINGS = [
    "DateStyle = 'SQL, DMY'",
    "DateStyle = 'German'",
    "DateStyle = 'Postgres, DMY'",
    "DateStyle = 'ISO, DMY'",
    "IntervalStyle = 'sql_standard'",
    "IntervalStyle = 'iso_8601'",
    "client_encoding = 'LATIN1'",
    "TimeZone = 'Europe/Berlin'",
]


@pytest.fixture
def visits(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database with visits on the 2nd of March and on the 3rd of February, and a setting."""
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "visit.yaml").write_text(SPEC, encoding="utf-8")
    loaded = load_project([], root=tmp_path)
    assert loaded.project is not None, loaded.findings
    plan = plan_project(loaded.project).plan
    assert plan is not None
    with psycopg.connect(database, autocommit=True) as connection:
        list(deploy(connection, [Script(file.name, file.text) for file in render_plan(plan)]))
        connection.execute("INSERT INTO visit (day) VALUES ('2026-03-02'), ('2026-02-03')")
        setting = request.getfixturevalue("setting")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {setting}".encode())
    return database


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_database_that_writes_times_its_own_way_is_worked_on_and_watched(
    visits: str, tmp_path: Path, setting: str
) -> None:
    project = ("--project", str(tmp_path))
    # The second of March to whoever has said that the day comes first.
    german = "DMY" in setting or "German" in setting
    given = ("note_visits", "-p", "day=02/03/2026", "-p", "note=schön 你好", *project)
    for way in ((), ("--once",), ("--dry-run",)):
        code, out, err = counting.run(visits, "run", *given, *way)
        assert code == 0, err
        assert "1 total = 1 processed" in out
    with psycopg.connect(make_conninfo(visits, options="-c client_encoding=utf8")) as connection:
        connection.execute("SET DateStyle = ISO; SET client_encoding = 'UTF8'")
        written = connection.execute("SELECT day::text, note FROM visit WHERE note <> ''").fetchall()
        assert written == [("2026-03-02" if german else "2026-02-03", "schön 你好")]
        (operation_id,) = connection.execute(
            "SELECT operation_id FROM batch_operations WHERE submitted"
        ).fetchone() or [None]
    code, out, err = counting.run(visits, "status", *project)
    assert (code, out.count("note_visits")) == (0, 2), err
    for way in ((), ("--json",)):
        code, out, err = counting.run(visits, "status", str(operation_id), *project, *way)
        assert (code, "completed" in out) == (0, True), err
    assert json.loads(out)["workers"]
    code, out, err = counting.run(visits, "run", "--resume", str(operation_id), *project)
    assert (code, "1 total" in out) == (0, True), err
    for command in (("deploy",), ("validate", "--database-url", visits)):
        code, _, err = counting.run(visits, *command, *project)
        assert code == 0, err


@pytest.mark.parametrize("setting", ["array_nulls = off"])
def test_null_in_an_array_is_no_word_where_the_database_reads_it_as_one(
    visits: str, tmp_path: Path, setting: str
) -> None:
    for way in ((), ("--once",)):
        given = ("tag_visits", "-p", 'tags=["a", null, "NULL"]', "--project", str(tmp_path))
        code, _, err = counting.run(visits, "run", *given, *way)
        assert code == 0, err
        with psycopg.connect(visits) as connection:
            row = connection.execute("SELECT DISTINCT tags, array_position(tags, NULL) FROM visit").fetchall()
            assert row == [(["a", None, "NULL"], 2)], setting
            connection.execute("UPDATE visit SET tags = NULL")
