"""The file of rejected lines: what the client itself names is written, as a file of its own, and nothing else."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from gates import blocked_by, closed, wait_until
from psycopg.conninfo import make_conninfo

from .conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Shop

HEADER = "Name,SKU,Unit price\n"
FILE = HEADER + "a,1,1\nb,2\n"
REJECTED = HEADER + "b,2\n"
SECRET = "belongs to the operating system\n"


def imported(shop: Shop, *more: str) -> str:
    """Import a file of which a line is rejected; the operation's id."""
    shop.write("p.csv", FILE)
    code, _, err = shop.run("import_strict", "--input", "p.csv", *more)
    assert code == 1, err
    (operation_id,) = shop.rows(
        "SELECT operation_id::text FROM batch_operations ORDER BY created_at DESC LIMIT 1"
    )
    return operation_id


@pytest.fixture
def submitter(shop: Shop) -> Iterator[str]:
    """The connection string of a role that may submit and work, and nothing else."""
    name = f"submitter_{os.getpid()}"
    with psycopg.connect(shop.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")  # type: ignore[arg-type]
        connection.execute(
            f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {name};"  # type: ignore[arg-type]
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}"
        )
        yield make_conninfo(shop.dsn, user=name, password="x")
        connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")  # type: ignore[arg-type]


@pytest.mark.parametrize("ended", [True, False])
def test_who_may_only_submit_does_not_choose_what_the_administrator_overwrites(
    shop: Shop, submitter: str, ended: bool
) -> None:
    operation_id = imported(shop)
    victim = shop.write("victim", SECRET)
    row = {"kind": "csv", "encoding": "utf-8", "newline": "\n", "bom": False, "file": "p.csv", "digest": None}
    row |= {"reject_file": str(victim), "header": "* * * * * root id"}
    with psycopg.connect(submitter) as connection:
        connection.execute("UPDATE batch_operations SET input = %s", [json.dumps(row)])
        if not ended:
            connection.execute("UPDATE batch_operations SET status = 'timed_out', completed_at = NULL")
    before = sorted(shop.folder.iterdir())
    code, _, err = shop.run("--resume", operation_id)
    assert code in (0, 1), err
    assert "specgen run --resume" in err
    assert "--input INPUT --reject-file REJECTS" in err
    assert "root id" not in err
    assert victim.read_text() == SECRET
    assert sorted(shop.folder.iterdir()) == before
    code, _, err = shop.run("--resume", operation_id, "--input", "p.csv", "--reject-file", "r.csv")
    assert (shop.folder / "r.csv").read_text() == REJECTED, err
    assert victim.read_text() == SECRET


def test_the_row_holds_neither_path_nor_header(shop: Shop) -> None:
    imported(shop, "--reject-file", "r.csv", "-o", "idempotency_key=k")
    (row,) = shop.rows("SELECT input FROM batch_operations")
    assert set(row) == {"head", "digest"}
    assert all(len(digest) == 64 for digest in row.values())


def test_another_file_is_not_taken_for_the_one_that_was_read(shop: Shop) -> None:
    operation_id = imported(shop)
    shop.write("other.csv", "Name,SKU,Unit price,Colour\na,1,1,red\n")
    code, _, err = shop.run("--resume", operation_id, "--input", "other.csv", "--reject-file", "r.csv")
    assert (code, "other.csv is not the file that operation" in err) == (2, True), err
    assert not (shop.folder / "r.csv").exists()


def test_a_reject_file_of_an_operation_that_is_resumed_needs_the_file_that_was_read(shop: Shop) -> None:
    operation_id = imported(shop)
    code, _, err = shop.run("--resume", operation_id, "--reject-file", "r.csv")
    assert (code, "--reject-file goes with --input" in err) == (2, True), err


def test_a_file_for_an_operation_that_has_read_none_is_refused(shop: Shop) -> None:
    assert shop.run("touch")[0] == 0
    (operation_id,) = shop.rows("SELECT operation_id::text FROM batch_operations")
    shop.write("p.csv", FILE)
    code, _, err = shop.run("--resume", operation_id, "--input", "p.csv")
    assert code == 2, err


def test_the_spec_names_the_reject_file_of_what_is_resumed(shop: Shop) -> None:
    shop.write("p.csv", "name,price,category\na,1,x\nb\n")
    assert shop.run("import_products", "--input", "p.csv")[0] == 0
    (shop.folder / "rejects.csv").unlink()
    (operation_id,) = shop.rows("SELECT operation_id::text FROM batch_operations")
    code, _, err = shop.run("--resume", operation_id, "--input", "p.csv")
    assert code == 0, err
    assert (shop.folder / "rejects.csv").read_text() == "name,price,category\nb\n"


@pytest.mark.parametrize("name", ["r.csv", "r.reasons.csv"])
@pytest.mark.parametrize("there", [True, False])
def test_no_link_is_followed_to_a_file_that_somebody_else_wants_overwritten(
    shop: Shop, name: str, there: bool
) -> None:
    victim = shop.folder / "victim"
    if there:
        victim.write_text(SECRET)
    (shop.folder / name).symlink_to(victim)
    shop.write("p.csv", FILE)
    code, _, err = shop.run("import_strict", "--input", "p.csv", "--reject-file", "r.csv")
    assert (code, "is a symbolic link" in err) == (2, True), err
    assert victim.exists() == there
    if there:
        assert victim.read_text() == SECRET
    assert (shop.folder / name).is_symlink()
    assert shop.rows("SELECT FROM product") == shop.rows("SELECT FROM batch_operations") == []


@pytest.mark.parametrize(("kind", "told"), [("folder", "is a folder"), ("pipe", "is a named pipe")])
def test_what_is_no_file_is_not_replaced(shop: Shop, kind: str, told: str) -> None:
    target = shop.folder / "r.csv"
    target.mkdir() if kind == "folder" else os.mkfifo(target)
    shop.write("p.csv", FILE)
    code, _, err = shop.run("import_strict", "--input", "p.csv", "--reject-file", "r.csv")
    assert (code, told in err) == (2, True), err
    assert not stat.S_ISREG(target.lstat().st_mode)


def test_a_device_is_not_replaced(shop: Shop) -> None:
    # A terminal of the test's own, in a folder where nothing can be renamed: a client that did not refuse would
    # replace the machine's /dev/null.
    master, slave = os.openpty()
    device = Path(os.ttyname(slave))
    if device.parent != Path("/dev/pts"):
        pytest.skip("terminals lie among the other devices")
    shop.write("p.csv", FILE)
    code, _, err = shop.run("import_strict", "--input", "p.csv", "--reject-file", str(device))
    os.close(slave)
    os.close(master)
    assert (code, f"{device} is a device" in err) == (2, True), err


def slow_reading(dsn: str, number: int) -> None:
    """Have whoever fetches rejected lines wait at a gate; their files have been made by then."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            f"""
            CREATE FUNCTION gated(p_text text) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
                IF current_query() LIKE 'FETCH%' THEN
                    PERFORM pg_advisory_xact_lock_shared({number});
                END IF;
                RETURN p_text;
            END $$;
            ALTER TABLE batch_operation_errors RENAME TO all_errors;
            """.encode()
        )
        columns = connection.execute(
            "SELECT string_agg(CASE attname WHEN 'raw_text' THEN 'gated(raw_text) AS raw_text' ELSE attname END,"
            " ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'all_errors'::regclass AND attnum > 0"
            " AND NOT attisdropped"
        ).fetchone()
        assert columns is not None
        connection.execute(
            f"CREATE VIEW batch_operation_errors AS SELECT {columns[0]} FROM all_errors".encode()
        )


def test_nobody_else_reads_or_plants_what_is_being_written(shop: Shop) -> None:
    operation_id = imported(shop)
    slow_reading(shop.dsn, 7)
    victim = shop.write("victim", SECRET)
    for guess in ("r.csv.part", "r.reasons.csv.part", ".r.csv.part"):
        (shop.folder / guess).symlink_to(victim)
    before = set(shop.folder.iterdir())
    command = [sys.executable, "-m", "specgen", "run", "--resume", operation_id, "--input", "p.csv"]
    command += ["--reject-file", "r.csv", "--database-url", shop.dsn]
    with closed(shop.dsn, 7) as gate:
        process = subprocess.Popen(
            ["sh", "-c", 'umask 027; exec "$@"', "sh", *command], cwd=shop.folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda: blocked_by(gate) or process.poll() is not None)
        drafts = set(shop.folder.iterdir()) - before
        assert len(drafts) == 2
        assert {stat.S_IMODE(path.lstat().st_mode) for path in drafts} == {0o600}
        assert all(stat.S_ISREG(path.lstat().st_mode) for path in drafts)
        assert not {"r.csv", "r.reasons.csv"} & {path.name for path in drafts}
    assert process.wait() == 1
    written = set(shop.folder.iterdir()) - before
    assert {path.name for path in written} == {"r.csv", "r.reasons.csv"}
    assert {stat.S_IMODE(path.lstat().st_mode) for path in written} == {0o640}
    assert victim.read_text() == SECRET
    assert (shop.folder / "r.csv").read_text() == REJECTED


FORMULAS = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\uff1d1"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_spreadsheet_shows_the_text_of_a_bad_value_and_runs_no_formula(shop: Shop, formula: str) -> None:
    line = f"{formula},s,{formula}"
    shop.write("p.csv", f"{HEADER}{line}\n-5,-6,-7\n-5,-6\n")
    code, _, err = shop.run("import_strict", "--input", "p.csv", "--reject-file", "r.csv")
    assert code == 1, err
    rejected = (shop.folder / "r.csv").read_text().splitlines()
    assert rejected == [HEADER.strip(), line, "-5,-6"], "what is imported again stays as it was"
    with (shop.folder / "r.reasons.csv").open(newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    assert rows[0]["value"] == f"'{formula}"
    assert [row["input_line"] for row in rows] == ["2", "4"]
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
