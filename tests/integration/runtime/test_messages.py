"""What ``run`` and ``status`` say of keys, of calls that come again, and of what was typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

from specgen.database.deploy import Script, deploy
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

SPEC = """
name: rate
fields: {size: "decimal(30,10)", code: string, label: {type: string, check: "label <> 'bad'"}}
primary_key: [size, code]
patterns:
  - {name: batch_operations, operation: add_rates, operation_type: insert, data_source: :records,
     insert_data: {size: :item.size, code: :item.code, label: :item.label}}
  - {name: batch_operations, operation: relabel, operation_type: update, update_data: {label: :label},
     where_condition: "label IS NOT NULL"}
  - {name: batch_operations, operation: trip, operation_type: update, update_data: {label: {sql: "trip(label)"}},
     where_condition: "label IS NOT NULL", preconditions: ["trip('x') = 'x'"]}
"""
TRIP = """
CREATE FUNCTION trip(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1
      FROM nowhere
     WHERE true;
    RETURN $1;
END $$
"""
RECORDS = [
    '{"size": 1.10, "code": "a", "label": "bad"}',
    '{"size": 12345678901234567890.0123456789, "code": "b", "label": "bad"}',
    '{"size": null, "code": true, "label": "x"}',
]


@pytest.fixture(scope="session")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project."""
    folder = tmp_path_factory.mktemp("rates")
    (folder / "entities").mkdir()
    (folder / "entities" / "rate.yaml").write_text(SPEC)
    return folder


def build(dsn: str, folder: Path) -> None:
    loaded = load_project([], root=folder)
    assert loaded.project is not None, loaded.findings
    plan = plan_project(loaded.project).plan
    assert plan is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TRIP.encode())
        list(deploy(connection, [Script(file.name, file.text) for file in render_plan(plan)]))


class Rates:
    """The program in the project, on the test's database."""

    def __init__(self, dsn: str, project: Path) -> None:
        self.dsn = dsn
        self.project = project

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        return counting.run(self.dsn, *arguments, "--project", str(self.project))


@pytest.fixture
def specgen(postgres_server: Server, template_of: Template, new_database: NewDatabase, rates: Path) -> Rates:
    template = template_of(postgres_server, "rates", lambda dsn: build(dsn, rates))
    return Rates(new_database(postgres_server, template), rates)


@pytest.mark.parametrize("how", [(), ("--once",), ("--dry-run",)])
def test_keys_have_all_their_digits_and_null_is_called_null(specgen: Rates, how: tuple[str, ...]) -> None:
    records = f"records=[{','.join(RECORDS)}]"
    code, out, err = specgen("run", "add_rates", "-p", records, *how)
    assert code == 1, err
    assert "code=a, size=1.10" in out
    assert "code=b, size=12345678901234567890.0123456789" in out
    assert "code=true, size=NULL" in out
    code, out, err = specgen("run", "add_rates", "-p", records, *how, "--json")
    assert code == 1, err
    assert '"size": 12345678901234567890.0123456789' in out
    assert '"size": 1.10' in out
    assert json.loads(out)["errors"][2]["record_key"]["size"] is None
    if how != ("--dry-run",):
        out = specgen("status", str(counting.latest(specgen.dsn)))[1]
        assert "code=a, size=1.10" in out


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_an_operation_id_that_was_used_before_is_told(specgen: Rates, how: tuple[str, ...]) -> None:
    again = ("-o", "operation_id=6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11")
    first = specgen("run", "relabel", "-p", "label=x", *again, *how)
    assert first[0] == 0, first[2]
    assert "begun before" not in first[2]
    code, _, err = specgen("run", "relabel", "-p", "label=x", *again, *how)
    assert code == 0, err
    assert "operation 6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11 was begun before and is completed" in err


def test_an_idempotency_key_that_comes_again_with_a_file_is_told(specgen: Rates, tmp_path: Path) -> None:
    file = tmp_path / "rates.jsonl"
    file.write_text('{"size": 1, "code": "a", "label": "x"}\n')
    command = ("run", "add_rates", "--input", str(file), "-o", "idempotency_key=k")
    assert "used before" not in specgen(*command)[2]
    assert "the idempotency key was used before" in specgen(*command)[2]


def test_an_error_names_the_function_and_cuts_no_statement(specgen: Rates) -> None:
    code, _, err = specgen("run", "trip")
    assert code == 1
    assert 'relation "nowhere" does not exist (SQLSTATE 42P01)' in err
    assert "   in: PL/pgSQL function trip(text) line 3 at PERFORM" in err
    assert "SQL statement" not in err


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("-o", "batch_size=5"), "--resume goes without -o: "),
        (("-p", "label=x", "--once"), "--resume goes without -p and --once: "),
        (("relabel",), "--resume goes without an operation: "),
    ],
)
def test_what_does_not_go_with_resume_is_named(rates: Path, given: tuple[str, ...], named: str) -> None:
    identity = "6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11"
    code, _, err = counting.run("", "run", "--resume", identity, *given, "--project", str(rates))
    assert code == 2
    assert named in err


@pytest.mark.parametrize("url", ["localhost/db", "me:s3cret@localhost:5432/db?sslmode=require", "somewhere"])
def test_an_address_without_a_scheme_is_told_what_it_begins_with(rates: Path, url: str) -> None:
    code, _, err = counting.run(url, "status", "--project", str(rates))
    assert code == 3
    assert "postgresql://HOST/DATABASE" in err
    assert "s3cret" not in err


@pytest.mark.parametrize("command", ["run", "status", "output", "deploy", "notify"])
def test_help_names_the_variables_that_name_a_database(command: str) -> None:
    code, out, _ = counting.run("", command, "--help")
    assert code == 0
    for name in ("SPECGEN_DATABASE_URL", "PGHOST", "PGSERVICE", "PGDATABASE"):
        assert name in out
