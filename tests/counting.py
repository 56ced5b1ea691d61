"""A project made for counting what happened: every record says how often it was written.

``n`` starts at 0 and every operation adds 1, so a record that was done twice shows; a blocked record
cannot be written, so it must be named among the errors.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from gates import PATIENCE

from specgen.database.deploy import Script, deploy
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from uuid import UUID

ROOT = Path(__file__).parents[1]

ENTITY = """
name: tally
fields:
  id: bigint
  n: {type: integer, nullable: false, default: 0, check: "n < 1 OR NOT blocked"}
  blocked: {type: boolean, nullable: false, default: false}
  part: {type: integer, nullable: false, default: 0}
indexes:
  - part

patterns:
  - name: batch_operations
    operation: count_items
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "id = ANY(:ids)"
    batch_size: 50
  - name: batch_operations
    operation: count_rows
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "part >= :lowest"
    batch_size: 50
  - name: batch_operations
    operation: count_part
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "part = :part"
    batch_size: 20
  - name: batch_operations
    operation: count_records
    operation_type: update
    update_data: {n: {sql: "n + :item.n"}}
    data_source: :records
    batch_size: 50
  - name: batch_operations
    operation: add_records
    operation_type: insert
    insert_data: {part: :item.part, blocked: :item.blocked, n: 1}
    data_source: :records
    batch_size: 50
  - name: batch_operations
    operation: count_patiently
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "id = ANY(:ids)"
    batch_size: 50
    lock_timeout: "100ms"
    retry: {max_attempts: 6, backoff: "50ms"}
  - name: batch_operations
    operation: count_in_time
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "id = ANY(:ids)"
    batch_size: 50
    timeout: "1 second"
  - name: batch_operations
    operation: count_briefly
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "id = ANY(:ids)"
    batch_size: 50
    statement_timeout: "200ms"
  - name: batch_operations
    operation: count_confirmed
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "part >= :lowest"
    requires_confirmation: true
  - name: batch_operations
    operation: count_atomic
    operation_type: update
    update_data: {n: {sql: "n + 1"}}
    where_condition: "id = ANY(:ids)"
    atomic: true
    progress_tracking: true
    batch_size: 50
"""


def write_project(folder: Path) -> Path:
    """Write the project's files; its folder."""
    (folder / "entities").mkdir(parents=True, exist_ok=True)
    (folder / "entities" / "tally.yaml").write_text(ENTITY)
    return folder


def scripts(folder: Path) -> list[Script]:
    """The SQL of the project."""
    loaded = load_project([], root=write_project(folder))
    assert loaded.project is not None, loaded.findings
    planned = plan_project(loaded.project)
    assert planned.plan is not None, planned.findings
    return [Script(file.name, file.text) for file in render_plan(planned.plan)]


def build(dsn: str, folder: Path, rows: int, blocked_each: int = 97) -> None:
    """Deploy and fill; every ``blocked_each``-th record cannot be written."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        list(deploy(connection, scripts(folder)))
        connection.execute(
            "INSERT INTO tally (id, blocked, part) OVERRIDING SYSTEM VALUE "
            "SELECT i, i %% %s = 0, i %% 20 FROM generate_series(1, %s) AS i",
            (blocked_each, rows),
        )
        connection.execute("SELECT setval(pg_get_serial_sequence('tally', 'id'), %s)", (rows,))


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that must not depend on what went wrong on the way."""

    rows: list[tuple[Any, ...]]
    errors: list[tuple[Any, ...]]
    account: tuple[Any, ...]


def outcome(dsn: str, operation_id: UUID) -> Outcome:
    """Read the outcome of an operation."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute("SELECT id, n, blocked, part FROM tally ORDER BY id").fetchall()
        errors = connection.execute(
            "SELECT record_key ->> 'id', record_number, sqlstate, constraint_name, column_name, "
            "error_message FROM batch_operation_errors WHERE operation_id = %s "
            "ORDER BY (record_key ->> 'id')::bigint",
            (operation_id,),
        ).fetchall()
        account = connection.execute(
            "SELECT status, total_records, processed_records, skipped_records, error_count "
            "FROM batch_operations WHERE operation_id = %s",
            (operation_id,),
        ).fetchone()
    assert account is not None
    return Outcome(rows, errors, account)


def check_exact(found: Outcome) -> None:
    """Each record is written once or named once, never both, and the account says so."""
    status, total, processed, skipped, failed = found.account
    assert status in ("completed", "completed_with_errors")
    assert total == processed + skipped + failed
    written = {row[0] for row in found.rows if row[1] == 1}
    assert {row[1] for row in found.rows} <= {0, 1}
    named = [int(error[0]) for error in found.errors]
    assert len(named) == len(set(named)) == failed
    assert not written & set(named)
    assert len(written) == processed


def latest(dsn: str) -> UUID:
    """The id of the operation that was submitted last."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT operation_id FROM batch_operations ORDER BY created_at DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    operation_id: UUID = row[0]
    return operation_id


def done(connection: psycopg.Connection[Any]) -> int:
    """How many records are settled so far."""
    row = connection.execute(
        "SELECT coalesce(sum(processed_records + skipped_records + error_count), 0)::bigint FROM batch_ranges"
    ).fetchone()
    assert row is not None
    return int(row[0])


PROGRAM = "from specgen.cli.main import main; main()"


def specgen(dsn: str, *arguments: str, code: str = PROGRAM, **options: Any) -> subprocess.Popen[str]:
    """Start the program."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        text=True,
        env=os.environ | {"PYTHONPATH": path, "SPECGEN_DATABASE_URL": dsn},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


def run(dsn: str, *arguments: str) -> tuple[int, str, str]:
    """Run the program to its end: exit code, stdout, stderr."""
    process = specgen(dsn, *arguments)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err
