"""Text in a database does nothing to the terminal of whoever looks at it, in any command that prints it."""

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
from hostile import TEXT, check_harmless, check_shown

if TYPE_CHECKING:
    from pathlib import Path

OPERATION = """
UPDATE batch_operations
   SET operation = $1, entity = $1, message = $1, strategy_reason = $1, step = $1
"""
ERRORS = """
UPDATE batch_operation_errors
   SET error_message = $1, constraint_name = $1, column_name = $1, value = $1, detail = $1, step = $1,
       record_key = jsonb_build_object($1, $1), failed_records = jsonb_build_array($1)
"""
STEPS = """
INSERT INTO batch_steps (operation_id, step_number, step, depends_on, status, message)
SELECT operation_id, n, $1, '{}', 'completed', $1 FROM batch_operations CROSS JOIN generate_series(1, 2) AS n
    ON CONFLICT (operation_id, step_number) DO UPDATE SET step = excluded.step, message = excluded.message
"""
WORKERS = """
INSERT INTO batch_workers (operation_id, worker_pid, backend_start, application_name)
SELECT operation_id, 1, now(), $1 FROM batch_operations
"""


def plant(dsn: str, *queries: str) -> None:
    """Run queries in which $1 is the text."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        text = psycopg.sql.Literal(TEXT).as_string(connection)
        for query in queries:
            connection.execute(query.replace("$1", f"{text}::text").encode())


def show(dsn: str, project: Path, *arguments: str) -> tuple[str, str]:
    _, out, err = counting.run(dsn, *arguments, "--project", str(project))
    assert "internal error" not in err, err
    check_harmless(out)
    check_harmless(err)
    return out, err


@pytest.fixture
def planted(tallies: str, project: Path) -> tuple[str, Path, str]:
    code, out, err = counting.run(
        tallies, "run", "count_items", "-p", 'ids=["1","97"]', "--json", "--project", str(project)
    )
    assert code == 1, err
    plant(tallies, OPERATION, ERRORS, STEPS, WORKERS)
    return tallies, project, str(json.loads(out)["operation_id"])


def test_the_list_of_operations(planted: tuple[str, Path, str]) -> None:
    dsn, project, _ = planted
    check_shown(show(dsn, project, "status")[0])


def test_an_operation_with_its_errors_steps_and_workers(planted: tuple[str, Path, str]) -> None:
    dsn, project, operation_id = planted
    out, _ = show(dsn, project, "status", operation_id)
    check_shown(out)
    for heading in ("steps:", "workers:", "failed records by cause:"):
        assert "owned" in out[out.index(heading) :].partition("\n\n")[0]


def test_the_outcome_of_one_that_has_ended(planted: tuple[str, Path, str]) -> None:
    dsn, project, operation_id = planted
    for text in show(dsn, project, "run", "--resume", operation_id):
        check_shown(text)


@pytest.mark.parametrize("command", ["status", "status ID", "run --resume ID"])
def test_json_too(planted: tuple[str, Path, str], command: str) -> None:
    dsn, project, operation_id = planted
    out, _ = show(dsn, project, *command.replace("ID", operation_id).split(), "--json")
    assert TEXT in values(json.loads(out))


def values(document: Any) -> list[Any]:
    """All texts in a document."""
    match document:
        case dict():
            return [item for value in document.values() for item in values(value)]
        case list():
            return [item for value in document for item in values(value)]
        case _:
            return [document]


RAISING = """
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = {text}, DETAIL = {text}, HINT = {text}, ERRCODE = '{code}';
END $$;
CREATE TRIGGER shout BEFORE UPDATE ON tally FOR EACH ROW EXECUTE FUNCTION shout();
"""


@pytest.mark.parametrize("code", ["P0001", "53100", "40P01", "42P01"])
@pytest.mark.parametrize("how", [(), ("--once",), ("--dry-run",), ("--json",)])
def test_what_a_trigger_raises_while_it_runs(
    tallies: str, project: Path, code: str, how: tuple[str, ...]
) -> None:
    with psycopg.connect(tallies, autocommit=True) as connection:
        text = psycopg.sql.Literal(TEXT).as_string(connection)
        connection.execute(RAISING.format(text=text, code=code).encode())
    out, err = show(tallies, project, "run", "count_items", "-p", "ids=1", *how)
    assert "owned" in out + err


def test_a_live_bar(tallies: str, project: Path) -> None:
    with psycopg.connect(tallies, autocommit=True) as connection:
        row = connection.execute("SELECT count_rows_submit(lowest => 0)").fetchone()
    assert row is not None
    plant(tallies, OPERATION)
    master, slave = pty.openpty()
    process = counting.specgen(
        tallies, "run", "--resume", str(row[0]), "--project", str(project), stderr=slave
    )
    os.close(slave)
    shown = b""
    with suppress(OSError):  # what a terminal says when its last user has left
        while received := os.read(master, 4096):
            shown += received
    process.communicate(timeout=PATIENCE)
    os.close(master)
    text = shown.decode()
    assert "\x1b[" in text, "specgen's own colours and movements are there"
    for sequence in ("\x1b]0;", "\x07", "\x1b[2J", "\x9b", "\x7f", "\u202e", "\u2066", "\u2028", "\nFORGED"):
        assert sequence not in text, ascii(text[:500])
    assert "\\x1b]0;owned" in text, ascii(text[:500])
