"""``specgen output`` and the first rows that ``specgen run`` shows: what operations have kept."""

from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest
from gates import PATIENCE

from specgen.database.deploy import Script, deploy
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

NOWHERE = "6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11"
SPEC = """
name: part
fields:
  id: bigint
  name: string
  price: "decimal(40,10)"
  tags: "text[]"
  made_at: timestamptz
  extra: jsonb
  sold: {type: boolean, nullable: false, default: false}

patterns:
  - {name: batch_operations, operation: list_parts, operation_type: select, batch_size: 400,
     select_fields: [name, id, price, tags, made_at, extra, sold], where_condition: "id >= :lowest"}
  - {name: batch_operations, operation: sell_parts, operation_type: update, update_data: {sold: true},
     where_condition: "id = ANY(:ids)", returning: [name]}
  - {name: batch_operations, operation: hush_parts, operation_type: update, update_data: {sold: true},
     where_condition: "id = ANY(:ids)"}
  - name: batch_operations
    operation: sell_cheap
    steps:
      - {name: find_cheap, operation_type: select, select_fields: [id, price], where_condition: "price < 3"}
      - {name: sell_them, operation_type: update, update_data: {sold: true}, where_condition: "id = ANY(:cheap_ids)"}
  - name: batch_operations
    operation: weigh_parts
    steps:
      - {name: find_first, operation_type: select, select_fields: [id], where_condition: "id < 4"}
      - {name: weigh_each, operation_type: custom_function, function: weigh, input: :first_ids}
      - {name: name_weighed, operation_type: update, update_data: {name: :each.weight},
         where_condition: "id = :each.id", depends_on: weigh_each}
"""
HOSTILE = [
    (1, "plain", "1.10", ["a", "b,c"], "2026-01-02 03:04:05+00", '{"a": 1e400}'),
    (2, None, None, None, None, None),
    (3, "", "12345678901234567890.5000000000", [], None, "null"),
    (4, '=1+1,"x"\n\x1b[2J\u202e', "-7", None, None, '{"b": "\\u009b"}'),
]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project."""
    folder = tmp_path_factory.mktemp("parts")
    (folder / "entities").mkdir()
    (folder / "entities" / "part.yaml").write_text(SPEC)
    return folder


def build(dsn: str, folder: Path) -> None:
    loaded = load_project([], root=folder)
    assert loaded.project is not None, loaded.findings
    plan = plan_project(loaded.project).plan
    assert plan is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION weigh(ids bigint[]) RETURNS TABLE (weight text, id bigint) LANGUAGE sql "
            "AS $$ SELECT 'w' || i, i FROM unnest(ids) AS i $$"
        )
        list(deploy(connection, [Script(file.name, file.text) for file in render_plan(plan)]))
        for row in HOSTILE:
            connection.execute(
                "INSERT INTO part (id, name, price, tags, made_at, extra) VALUES (%s, %s, %s, %s, %s, %s)",
                row,
            )
        connection.execute(
            "INSERT INTO part (id, name) SELECT i, 'part ' || i FROM generate_series(1001, 2000) AS i"
        )


class Parts:
    """The program in the project, on the test's database."""

    def __init__(self, dsn: str, project: Path) -> None:
        self.dsn = dsn
        self.project = project

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        return counting.run(self.dsn, *arguments, "--project", str(self.project))

    def call(self, query: str) -> str:
        with psycopg.connect(self.dsn, autocommit=True, options="-c TimeZone=UTC") as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture
def parts(postgres_server: Server, template_of: Template, new_database: NewDatabase, shop: Path) -> Parts:
    template = template_of(postgres_server, "parts", lambda dsn: build(dsn, shop))
    return Parts(new_database(postgres_server, template), shop)


def test_a_selects_rows_can_be_read_as_csv_and_nothing_of_them_is_lost(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM list_parts(1)")
    code, out, err = parts("output", operation, "--csv")
    assert (code, err) == (0, "")
    assert out.startswith("name,id,price,tags,made_at,extra,sold\n")
    lines = out.split("\n", 4)
    assert lines[1].startswith('plain,1,1.1000000000,"[""a"", ""b,c""]",2026-01-02T03:04:05+00:00,')
    assert lines[2] == ",2,,,,,false"
    assert lines[3] == '"",3,12345678901234567890.5000000000,[],,,false'
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [int(row["id"]) for row in rows] == [1, 2, 3, 4, *range(1001, 2001)]
    assert rows[3]["name"] == HOSTILE[3][1]


def test_a_selects_rows_can_be_read_as_json_lines_with_every_digit(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM list_parts(1)")
    code, out, err = parts("output", operation, "--jsonl")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 1004
    assert lines[0].startswith('{"name": "plain", "id": 1, "price": 1.1000000000, "tags": ["a", "b,c"], ')
    assert '"price": 12345678901234567890.5000000000' in lines[2]
    assert json.loads(lines[1])["name"] is None
    assert (json.loads(lines[2])["name"], json.loads(lines[2])["extra"]) == ("", None)
    assert json.loads(lines[3])["name"] == HOSTILE[3][1]
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_the_table_shows_the_first_rows_and_does_nothing_to_a_terminal(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM list_parts(1)")
    code, out, err = parts("output", operation)
    assert code == 0
    assert out.splitlines()[0].split() == ["name", "id", "price", "tags", "made_at", "extra", "sold"]
    assert out.splitlines()[2].split() == ["NULL", "2", *["NULL"] * 4, "false"]
    assert "\\n\\x1b[2J\\u202e" in out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 101
    assert "904 more" in err
    assert "--csv" in err
    code, out, err = parts("output", operation, "--limit", "2", "--csv")
    assert (code, len(out.splitlines()), err) == (0, 3, "")


@pytest.mark.parametrize("how", [(), ("--once",), ("--workers", "2")])
def test_a_run_shows_the_first_rows_of_a_select_and_where_the_others_are(
    parts: Parts, how: tuple[str, ...]
) -> None:
    code, out, err = parts("run", "list_parts", "-p", "lowest=1001", *how)
    assert code == 0, err
    assert "part 1001" in out
    assert "part 1010" in out
    assert "part 1011" not in out
    told = next(line for line in out.splitlines() if line.startswith("… and 990 more: specgen output "))
    words = shlex.split(told.partition("specgen ")[2])
    code, out, err = counting.run(parts.dsn, *words, "--jsonl")
    assert (code, len(out.splitlines())) == (0, 1000), err


def test_a_run_shows_no_rows_of_a_step_that_only_feeds_the_next(parts: Parts) -> None:
    code, out, err = parts("run", "sell_cheap")
    assert code == 0, err
    assert "specgen output" not in out
    assert "kept (" not in out


def test_what_returning_keeps_is_shown_in_input_order(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM sell_parts('{1002, 3, 7, 1001}')")
    code, out, err = parts("output", operation, "--csv")
    assert (code, out, err) == (0, 'id,name\n1002,part 1002\n3,""\n1001,part 1001\n', "")


def test_an_operation_that_keeps_nothing_is_told_with_the_key_that_would(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM hush_parts('{1}')")
    code, out, err = parts("output", operation)
    assert (code, out) == (1, "")
    assert "hush_parts keeps no records" in err
    assert "returning: true" in err


def test_an_operation_that_found_nothing_has_an_empty_output(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM list_parts(9999)")
    assert parts("output", operation) == (0, "", "no records\n")
    assert parts("output", operation, "--csv") == (0, "name,id,price,tags,made_at,extra,sold\n", "")
    assert parts("output", operation, "--jsonl") == (0, "", "")


def test_each_steps_records_can_be_read(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM sell_cheap()")
    expected = "id,price\n1,1.1000000000\n4,-7.0000000000\n"
    assert parts("output", operation, "--csv") == (0, expected, "")
    assert parts("output", operation, "--csv", "--step", "find_cheap") == (0, expected, "")
    code, out, err = parts("output", operation, "--step", "sell_them")
    assert (code, out) == (1, "")
    assert "step sell_them of sell_cheap keeps no records" in err
    code, out, err = parts("output", operation, "--step", "find_cheep")
    assert (code, out) == (2, "")
    assert 'did you mean "find_cheap"?' in err


def test_what_a_function_returned_can_be_read_under_its_own_columns(parts: Parts) -> None:
    code, out, err = parts("run", "weigh_parts")
    assert code == 0, out + err
    operation = str(counting.latest(parts.dsn))
    code, out, err = parts("output", operation, "--step", "weigh_each", "--csv")
    assert (code, out, err) == (0, "id,weight\n1,w1\n2,w2\n3,w3\n", "")


def test_the_partial_output_of_a_running_operation_is_told_to_be_partial(parts: Parts) -> None:
    with psycopg.connect(parts.dsn, autocommit=True) as connection:
        row = connection.execute("SELECT list_parts_submit(1001)").fetchone()
        assert row is not None
        for _ in range(2):
            connection.execute("SELECT batch_step(%s)", row)
    code, out, err = parts("output", str(row[0]), "--jsonl")
    assert code == 0
    assert len(out.splitlines()) == 400
    assert "running: 400 of 1,000 records are done" in err
    submitted = parts.call("SELECT sell_cheap_submit()")
    code, out, err = parts("output", submitted)
    assert (code, out) == (0, "")
    assert "pending: 0 of " in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("7",), "no id of an operation"),
        ((NOWHERE,), "there is no operation"),
        ((NOWHERE, "--csv", "--jsonl"), "exclude each other"),
        ((), "Missing argument"),
    ],
)
def test_wrong_usage_of_output_is_told(parts: Parts, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = parts("output", *arguments)
    assert (code, out) == (2, ""), err
    assert told in err


def test_a_large_output_is_passed_on_without_being_held(parts: Parts) -> None:
    operation = parts.call("SELECT operation_id FROM sell_parts('{1}')")
    parts.call(
        "INSERT INTO batch_outputs (operation_id, batch_number, record_number, record) "
        f"SELECT '{operation}', 1, n, jsonb_build_object('id', n, 'name', repeat('x', 2000)) "
        "FROM generate_series(2, 60000) AS n RETURNING 1"
    )
    code = (
        "from specgen.cli.main import main\n"
        "try: main()\n"
        "finally:\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    most = next(line for line in lines if line.startswith('VmHWM:'))  # getrusage tells the parent's, too\n"
        "    print(most.split()[1], file=__import__('sys').stderr)"
    )
    process = counting.specgen(
        parts.dsn,
        *("output", operation, "--csv", "--project", str(parts.project)),
        code=code,
        stdout=subprocess.DEVNULL,
    )
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert int(err) < 110_000, "120 MB of records went through a process that holds about 60"
