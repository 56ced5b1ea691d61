"""What is generated, byte for byte, and that it loads, twice, and changes nothing the second time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import psycopg
import pytest
from corpus import CASES, PROJECTS, RUNTIME, case_name, generate, load, set_up

from specgen.plan.driving import Driving
from specgen.plan.project import plan_project
from specgen.plan.snapshot import snapshot_text
from specgen.plan.writes import Write
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from specgen.plan.project import Plan


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_generated_files_are_those_on_record(case: Path, tmp_path: Path, update_golden: bool) -> None:
    generate(case, tmp_path)
    expected = case / "expected"
    found = texts(tmp_path)
    if not (expected / RUNTIME).exists():
        # The same everywhere but for its schema; one case keeps it, so that a change of it is seen once.
        del found[RUNTIME]
    if update_golden:
        expected.mkdir(exist_ok=True)
        for path in expected.iterdir():
            path.unlink()
        for name, text in found.items():
            (expected / name).write_text(text, encoding="utf-8")
    recorded = texts(expected)
    assert sorted(found) == sorted(recorded)
    for name, text in found.items():
        assert text == recorded[name], name


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_plan_is_that_on_record(case: Path, update_golden: bool) -> None:
    found = snapshot_text(planned(case))
    recorded = case / "plan.json"
    if update_golden:
        recorded.write_text(found, encoding="utf-8")
    assert found == recorded.read_text(encoding="utf-8")
    # Whoever reads it finds in each step what it goes through and what it writes.
    entities = json.loads(found)["entities"]
    operations = [item for entity in entities for item in entity.get("operations", ())]
    steps = [step for operation in operations for step in operation["steps"]]
    assert {step["driving"]["kind"] for step in steps} <= {item.kind for item in get_args(Driving)}
    assert {step["write"]["kind"] for step in steps} <= {item.kind for item in get_args(Write)}


def planned(case: Path) -> Plan:
    lone = case / "entity.yaml"
    loaded = load_project((lone,) if lone.exists() else (), root=case)
    assert loaded.project is not None
    plan = plan_project(loaded.project).plan
    assert plan is not None
    return plan


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_one_case_records_the_runtime() -> None:
    assert [case.name for case in CASES if (case / "expected" / RUNTIME).exists()] == ["schemas"]


@pytest.mark.parametrize("project", PROJECTS, ids=case_name)
def test_generated_files_load_twice(project: Path, tmp_path: Path, database: str) -> None:
    generate(project, tmp_path)
    set_up(project, database)
    load(tmp_path, database)
    before = catalog(database)
    load(tmp_path, database)
    assert catalog(database) == before


CATALOG = """
    SELECT 'function', oid::bigint, oid::regprocedure::text FROM pg_catalog.pg_proc WHERE oid >= 16384
     UNION ALL
    SELECT 'relation', oid::bigint, oid::regclass::text FROM pg_catalog.pg_class
     WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace
     UNION ALL
    SELECT 'constraint', oid::bigint, conname::text FROM pg_catalog.pg_constraint WHERE oid >= 16384
     UNION ALL
    SELECT 'type', oid::bigint, oid::regtype::text FROM pg_catalog.pg_type WHERE oid >= 16384
     ORDER BY 1, 2
"""


def catalog(dsn: str) -> list[tuple[object, ...]]:
    """All objects with their object ids: what is dropped and made again has a new one."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(CATALOG).fetchall()


def test_a_function_whose_signature_changed_is_replaced(
    tmp_path: Path, database: str, write_project: Callable[[str], Path]
) -> None:
    spec = """
name: thing
fields: {{id: bigint, label: {type}}}
patterns:
  - name: batch_operations
    operation: label_things
    operation_type: update
    update_data: {{label: :label}}
    where_condition: "id = ANY(:ids)"
"""
    for type_ in ("text", "varchar(20)", "text"):
        project = write_project(spec.format(type=type_))
        generate(project, tmp_path / "sql")
        load(tmp_path / "sql", database)
    query = "SELECT count(*) FROM pg_catalog.pg_proc WHERE proname = 'label_things'"
    with psycopg.connect(database) as connection:
        assert connection.execute(query).fetchone() == (1,)


@pytest.fixture
def write_project(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a project of one spec file."""

    def write(spec: str) -> Path:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "entity.yaml").write_text(spec, encoding="utf-8")
        return folder

    return write
