"""``specgen run`` and ``specgen status`` as people use them."""

from __future__ import annotations

import json
import os
import pty
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest
from gates import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.database.server import Server


NOWHERE = "6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11"
IDS = '["1","2","97","5000"]'


class Specgen:
    """The program in the project, on the test's database."""

    def __init__(self, dsn: str, project: Path) -> None:
        self.dsn = dsn
        self.project = project

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        return counting.run(self.dsn, *arguments, "--project", str(self.project))

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def specgen(tallies: str, project: Path) -> Specgen:
    return Specgen(tallies, project)


@pytest.mark.parametrize("how", [(), ("--workers", "3"), ("--once",)])
def test_a_run_with_failures(specgen: Specgen, how: tuple[str, ...]) -> None:
    code, out, err = specgen("run", "count_items", "-p", f"ids={IDS}", *how)
    assert code == 1, err
    assert "completed_with_errors" in out
    assert "4 total = 2 processed + 1 skipped + 1 failed" in out
    assert "tally_n_check" in out
    assert "#3 id=97" in out
    assert "SELECT * FROM public.batch_operation_errors WHERE operation_id = " in out
    assert specgen.rows("SELECT id FROM tally WHERE n = 1 ORDER BY id") == [(1,), (2,)]
    query = out[out.index("SELECT * FROM public.batch_operation_errors") :].strip()
    assert len(specgen.rows(query)) == 1


def test_a_run_without_failures_as_json(specgen: Specgen) -> None:
    code, out, err = specgen("run", "count_items", "-p", "ids=1", "-p", "ids=2", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["operation"] == "count_items"
    assert result["status"] == "completed"
    counts = {"total": 2, "processed": 2, "skipped": 0, "failed": 0, "open": 0}
    assert result["accounting"] == counts | {"holds": True}
    assert result["errors"] == result["failures"] == []


def test_json_names_the_failed_records(specgen: Specgen) -> None:
    code, out, _ = specgen("run", "count_items", "-p", f"ids={IDS}", "--json")
    assert code == 1
    (error,) = json.loads(out)["errors"]
    assert error["record_key"] == {"id": 97}
    assert error["sqlstate"] == "23514"
    assert error["constraint_name"] == "tally_n_check"
    assert error["failed_records"] == [{"id": 97, "n": 0, "part": 17, "blocked": True}]


def test_arrays_from_a_file_and_options(specgen: Specgen, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(map(str, range(1, 1001))) + "\n\n")
    code, out, err = specgen("run", "count_items", "-p", f"ids=@{ids}", "-o", "batch_size=100", "--json")
    assert code == 1, err
    result = json.loads(out)
    assert (result["batch_count"], result["processed_records"], result["error_count"]) == (10, 990, 10)


def test_records_as_json(specgen: Specgen, tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_text('[{"part": 7, "blocked": false}, {"part": 8, "blocked": true}]')
    code, out, err = specgen("run", "add_records", "-p", f"records=@{file}", "--json")
    assert code == 1, err
    assert json.loads(out)["processed_records"] == 1


def test_a_dry_run_changes_nothing_and_names_the_failures(specgen: Specgen) -> None:
    code, out, err = specgen("run", "count_items", "-p", f"ids={IDS}", "--dry-run")
    assert code == 1, err
    assert "dry_run" in out
    assert "2 processed + 1 skipped + 1 failed" in out
    assert "id=97" in out
    assert specgen.rows("SELECT FROM tally WHERE n > 0") == []
    assert specgen.rows("SELECT FROM batch_operation_errors") == []


def test_an_atomic_operation_runs_once_and_says_so(specgen: Specgen) -> None:
    code, out, err = specgen("run", "count_atomic", "-p", f"ids={IDS}")
    assert code == 1
    assert "atomic" in err
    assert "everything was undone" in out
    assert specgen.rows("SELECT FROM tally WHERE n > 0") == []


@pytest.mark.parametrize("how", [(), ("--once",)])
def test_confirmation(specgen: Specgen, how: tuple[str, ...]) -> None:
    code, _, err = specgen("run", "count_confirmed", "-p", "lowest=10", *how)
    assert code == 4
    assert "count_confirmed: 500 records; nothing was changed" in err
    assert "--yes" in err
    assert specgen.rows("SELECT FROM tally WHERE n > 0") == []
    code, out, err = specgen("run", "count_confirmed", "-p", "lowest=10", "--yes", *how)
    assert code == 1, err
    assert "500 total = 493 processed + 0 skipped + 7 failed" in out


@pytest.mark.parametrize(("answer", "expected"), [("y", 1), ("n", 4)])
def test_a_terminal_is_asked(specgen: Specgen, answer: str, expected: int) -> None:
    master, slave = pty.openpty()
    process = counting.specgen(
        specgen.dsn,
        *("run", "count_confirmed", "-p", "lowest=10", "--project", str(specgen.project)),
        stdin=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    while b"Go on?" not in shown:
        shown += os.read(master, 1024)
    assert b"500 records" in shown
    os.write(master, f"{answer}\n".encode())
    with suppress(OSError):  # what a terminal says when its last user has left
        while received := os.read(master, 4096):
            shown += received
    process.communicate(timeout=PATIENCE)
    os.close(master)
    assert process.returncode == expected, shown
    assert bool(specgen.rows("SELECT FROM tally WHERE n > 0")) == (answer == "y")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["count_itmes"], 'did you mean "count_items"?'),
        (["count_items"], "missing parameter: ids (bigint[])"),
        (["count_items", "-p", "idz=1"], 'did you mean "ids"?'),
        (["count_items", "-p", "ids"], 'parameter ids (bigint[]) has no value in -p "ids"'),
        (["count_items", "-p", "ids=x"], 'invalid input syntax for type bigint: "x"'),
        (["count_items", "-p", "ids=[1"], "no JSON"),
        (["count_items", "-p", "ids=@/nowhere/ids.txt"], "No such file"),
        (["count_items", "-p", "ids=1", "-o", "batchsize=2"], 'did you mean "batch_size"?'),
        (["count_items", "-p", "ids=1", "-o", "batch_size=0"], "not a whole number"),
        (["count_part", "-p", "part=1", "-p", "part=2"], "takes one value"),
        ([], "name an operation"),
        (["--resume", "7"], "no id of an operation"),
        (["count_items", "--resume", NOWHERE], "--resume goes with"),
        (["--resume", NOWHERE], "there is no operation"),
    ],
)
def test_wrong_usage(specgen: Specgen, arguments: list[str], told: str) -> None:
    code, out, err = specgen("run", *arguments)
    assert (code, out) == (2, ""), err
    assert told in err
    assert "Traceback" not in err
    assert specgen.rows("SELECT FROM batch_operations") == []


@pytest.mark.parametrize("command", ["run", "status", "resume"])
def test_a_database_without_the_functions(database: str, project: Path, command: str) -> None:
    arguments = {
        "run": ["run", "count_items", "-p", "ids=1"],
        "status": ["status"],
        "resume": ["run", "--resume", NOWHERE],
    }
    code, _, err = Specgen(database, project)(*arguments[command])
    assert code == 2
    assert 'run "specgen deploy" first' in err


@pytest.mark.parametrize("command", [["run", "count_items", "-p", "ids=1"], ["status"], ["deploy"]])
def test_no_database(project: Path, command: list[str]) -> None:
    code, out, err = Specgen("postgresql://127.0.0.1:1/nowhere", project)(*command)
    assert (code, out) == (3, "")
    assert "refused" in err
    code, out, err = Specgen("", project)(*command)
    assert (code, out) == (2, "")
    assert "--database-url" in err


def test_resuming_what_has_ended_prints_its_result(specgen: Specgen) -> None:
    specgen("run", "count_items", "-p", f"ids={IDS}")
    operation_id = str(counting.latest(specgen.dsn))
    code, out, err = specgen("run", "--resume", operation_id)
    assert code == 1
    assert "has ended: completed_with_errors" in err
    assert "4 total = 2 processed" in out


def test_an_idempotency_key_yields_the_earlier_run(specgen: Specgen) -> None:
    arguments = ("run", "count_items", "-p", "ids=1", "-o", "idempotency_key=k", "--json")
    first, second = json.loads(specgen(*arguments)[1]), json.loads(specgen(*arguments)[1])
    assert first["operation_id"] == second["operation_id"]
    assert specgen.rows("SELECT n FROM tally WHERE id = 1") == [(1,)]


def test_a_dry_run_of_a_known_call_says_so_and_tries_nothing(specgen: Specgen) -> None:
    arguments = ("run", "count_items", "-p", "ids=1", "-o", "idempotency_key=k")
    assert "used before" not in specgen(*arguments, "--dry-run")[2], "a dry run uses no key up"
    assert specgen(*arguments)[0] == 0
    operation_id = counting.latest(specgen.dsn)
    code, out, err = specgen(*arguments, "--dry-run")
    assert code == 0, err
    assert (
        f"the idempotency key was used before, by operation {operation_id}: nothing new would be begun" in err
    )
    assert "would have ended" not in out
    code, out, err = specgen(
        "run", "count_items", "-p", "ids=1", "-o", f"operation_id={operation_id}", "--dry-run"
    )
    assert code == 0, err
    assert f"the operation id was used before, by operation {operation_id}: nothing new would be begun" in err
    assert "would have ended" not in out


def test_a_dry_run_with_workers_is_one_call_and_says_so(specgen: Specgen) -> None:
    code, out, err = specgen("run", "count_items", "-p", "ids=1", "--dry-run", "--workers", "2")
    assert code == 0, err
    assert "a dry run is one call in one transaction; the run itself will have 2 workers" in err
    assert "it would have ended as completed" in out
    assert specgen.rows("SELECT FROM tally WHERE n > 0") == []
    assert specgen("run", "count_items", "-p", "ids=1", "--once", "--workers", "2")[0] == 2


def test_a_dry_run_that_takes_too_long_is_not_sent_to_workers(specgen: Specgen) -> None:
    slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'"
    with psycopg.connect(specgen.dsn, autocommit=True) as connection:
        connection.execute(slow)
        connection.execute("CREATE TRIGGER slow BEFORE UPDATE ON tally FOR EACH ROW EXECUTE FUNCTION slow()")
        connection.execute(
            "ALTER ROLE CURRENT_USER IN DATABASE "
            + connection.info.dbname
            + " SET statement_timeout = '500ms'"
        )
    helps = []
    for how in ("--dry-run", "--once"):
        code, _, err = specgen("run", "count_items", "-p", "ids=1", how)
        assert code == 1
        helps.append("workers" in err)
        assert "statement_timeout" in err
    assert helps == [False, True]


def test_status(specgen: Specgen) -> None:
    code, out, err = specgen("status")
    assert (code, out) == (0, "")
    assert "no operations yet" in err
    specgen("run", "count_items", "-p", f"ids={IDS}")
    operation_id = str(counting.latest(specgen.dsn))
    code, out, _ = specgen("status")
    assert code == 0
    assert operation_id in out
    code, out, _ = specgen("status", operation_id)
    assert code == 0
    assert "4 total = 2 processed + 1 skipped + 1 failed" in out
    assert "items: the keys are handed in" in out
    assert "tally_n_check" in out
    listed = json.loads(specgen("status", "--json")[1])
    shown = json.loads(specgen("status", operation_id, "--json")[1])
    assert listed[0]["operation_id"] == shown["operation_id"] == operation_id
    assert shown["accounting"]["holds"]
    assert shown["errors"][0]["records"] == 1
    assert not shown["resumable"]


def test_status_of_what_is_under_way(specgen: Specgen) -> None:
    with psycopg.connect(specgen.dsn, autocommit=True) as connection:
        row = connection.execute("SELECT count_rows_submit(0)").fetchone()
        assert row is not None
        for _ in range(4):
            connection.execute("SELECT batch_step(%s)", row)
    code, out, err = specgen("status", str(row[0]))
    assert code == 0
    assert "150 of 1,000 = 149 processed + 0 skipped + 1 failed" in out
    assert "ranges: most rows between two matching keys match" in out
    assert f"specgen run --resume {row[0]}" in err
    shown = json.loads(specgen("status", str(row[0]), "--json")[1])
    assert shown["resumable"]
    assert (shown["accounting"]["processed"], shown["accounting"]["open"]) == (149, 850)


@pytest.mark.parametrize("wrong", ["7", NOWHERE])
def test_status_of_what_is_not_there(specgen: Specgen, wrong: str) -> None:
    code, out, _ = specgen("status", wrong)
    assert (code, out) == (2, "")


def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    process = counting.specgen("", "demo", "--rows", "3000", "--output", str(tmp_path / "sql"), cwd=tmp_path)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "3,000 total = 2,970 processed + 0 skipped + 30 failed" in out
    assert "3,000 users, 2,970 active, 30 blocked" in out
    assert "user_blocked_reason_check" in out
    assert (tmp_path / "sql" / "00_runtime.sql").exists()


def test_a_test_run_without_operations_says_that_there_is_nothing_to_test(
    postgres_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "note.yaml").write_text("name: note\nfields: {id: uuid}\n", encoding="utf-8")
    dsn = postgres_server.dsn
    code, _, err = counting.run(dsn, "test", "run", "--project", str(tmp_path), "--database-url", dsn)
    assert code == 0, err
    assert "there is no operation to test" in err
