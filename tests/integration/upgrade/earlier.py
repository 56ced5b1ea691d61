"""Databases as earlier versions of the runtime left them, and all that is to be seen of their operations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from specgen.render.engine import RenderedFile

VERSION_1 = Path(__file__).with_name("version_1")
SCHEMA = "batch"
OLDER_FILES = ("setup.sql", "00_runtime.sql", "10_account.sql", "10_moved.sql", "10_stock.sql")

ACCOUNTS = """
    INSERT INTO public.account (id, name, balance, state)
    OVERRIDING SYSTEM VALUE
    SELECT n, 'holder ' || n, (n % 7) * 10, CASE WHEN n % 12 = 0 THEN 'owing' ELSE 'open' END
      FROM generate_series(1, 80) AS n
     WHERE n % 13 <> 0;
"""
STOCK = """
    INSERT INTO public.stock (place, since, code, amount, marked)
    SELECT CASE n % 5
               WHEN 0 THEN to_jsonb(n % 4)
               WHEN 1 THEN '"a \\"place\\""'
               WHEN 2 THEN '{"row": 1, "shelf": null}'
               WHEN 3 THEN '["1", 1]'
               ELSE 'null'
           END,
           timestamptz '2026-03-29 00:59:59.999999+00' + n * interval '1 hour',
           ARRAY[n::text, 'a,"b"', NULL],
           CASE WHEN n <= 20 THEN 3 * n WHEN n <= 32 THEN 0 ELSE 100 + n END,
           CASE WHEN n % 10 = 7 THEN 49 ELSE 0 END
      FROM generate_series(1, 80) AS n;
"""
"""Each operation has rows of its own there: they could be worked on in any order."""
LOADED = """
    WITH line AS (
        SELECT n, (n - 1) / 5 + 1 AS number,
               jsonb_build_object(
                   'place', '{"aisle": ' || mod(n, 3) || '}',
                   'since', '2025-10-26 02:30:00+0' || mod(n, 2),
                   'code', '{"' || CASE n WHEN 14 THEN 2 ELSE n END || '"}',
                   'amount', CASE WHEN n = 9 THEN 'many' WHEN n = 17 THEN '1000' ELSE (60 + n)::text END
               ) AS record
          FROM generate_series(1, 23) AS n
    ),
    loaded AS (
        INSERT INTO batch.batch_ranges
            (operation_id, range_number, first_batch, items, item_count, record_numbers, line_numbers, raw_lines)
        SELECT submitted.id, number, number, jsonb_agg(record ORDER BY n), count(*), array_agg(n ORDER BY n),
               array_agg(n + 1 ORDER BY n), array_agg(record::text ORDER BY n)
          FROM line
         CROSS JOIN (SELECT %s::uuid AS id) AS submitted
         GROUP BY submitted.id, number
    )
    SELECT
"""
"""What the program does to load a file for an operation that it has submitted."""


def named(number: int) -> UUID:
    """The id of an operation, the same in every database."""
    return UUID(f"00000000-0000-4000-8000-{number:012}")


IMPORT = named(1)
"""The import that ``import.sql`` holds."""
SUBMITTED = {
    named(
        2
    ): "touch_accounts_submit(ARRAY[5, 6, 7, 7, 900] || (SELECT array_agg(n) FROM generate_series(30, 60) AS n)",
    named(3): "close_accounts_submit(",
    named(4): "close_owing_submit('owing', confirm => true",
    named(5): """put_accounts_submit('[
        {"id": 3, "name": "Three", "balance": 3}, {"id": 4, "name": null, "balance": 4}, {"id": 200, "name": "Two hundred", "balance": 7},
        {"id": 201, "name": "Rich", "balance": 1000}, {"id": 3, "name": "again"}, "none", {"id": "x", "name": "x"},
        {"id": 202, "name": "202", "balance": 2}, {"id": 203, "name": "203", "balance": 3}, {"id": 204, "name": "204"},
        {"id": 205, "name": "205", "balance": 5}, {"id": 206, "name": "206", "balance": 6},
        {"id": 207, "name": "207", "balance": "much"}
    ]'""",
    named(6): "charge_fee_submit(20, 35",
    named(9): "mark_stock_submit(",
    named(10): "drop_stock_submit(0",
    named(11): "move_stock_submit(",
    named(12): "load_stock_submit('[]'",
}
"""Operations of each kind, each with records that fail, and how they are submitted but for the options."""
LOADING = named(12)
"""The one whose records are loaded when it is submitted."""
UNFINISHED = (IMPORT, *SUBMITTED)
CALLED = {
    named(7): "touch_accounts(ARRAY[1, 2, 3, 901]",
    named(8): "remove_closed(",
}
"""Calls in one transaction, which were over before."""


def call(operation_id: UUID, function: str) -> str:
    """A call of a function that names its operation, as SQL."""
    comma = "" if function.endswith("(") else ", "
    return f"""SELECT * FROM {function}{comma}options => '{{"operation_id": "{operation_id}"}}')"""


def build(dsn: str) -> None:
    """Make a database as version 1 left it: operations that are over, and others that have not begun."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name in OLDER_FILES:
            connection.execute((VERSION_1 / name).read_bytes())
        connection.execute((ACCOUNTS + STOCK).encode())
        for operation_id, function in (CALLED | SUBMITTED).items():
            with connection.transaction():
                connection.execute(call(operation_id, function).encode())
                if operation_id == LOADING:
                    connection.execute(LOADED.encode(), (operation_id,))
                    connection.execute("SELECT batch.batch_loaded(%s, 23, true)", (operation_id,))
        connection.execute((VERSION_1 / "import.sql").read_bytes())


def begin(dsn: str, steps: int) -> None:
    """Do a part of each operation that has not ended, with the functions that are there."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for operation_id in UNFINISHED:
            for _ in range(steps):
                connection.execute("SELECT batch.batch_step(%s)", (operation_id,))


def rendered(*, shadow: Path | None = None, schema: str = SCHEMA) -> tuple[RenderedFile, ...]:
    """The project's SQL as today's specgen makes it."""
    loaded = load_project([], root=VERSION_1)
    assert loaded.project, loaded.findings
    settings = replace(loaded.project.settings, runtime_schema=schema)
    planned = plan_project(replace(loaded.project, settings=settings))
    assert planned.plan, planned.findings
    return render_plan(planned.plan, shadow=shadow)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that must not depend on where in the middle the runtime was upgraded."""

    tables: dict[str, list[Any]]
    operations: list[Any]
    steps: list[Any]
    errors: list[Any]
    kept: list[Any]


def outcome(dsn: str) -> Outcome:
    """Read the outcome of all operations, and check their accounts."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def rows(query: str) -> list[Any]:
            return connection.execute(query.encode()).fetchall()

        account = "status, total_records, processed_records, skipped_records, error_count"
        found = Outcome(
            {
                "account": rows("SELECT id, name, balance, state, touched FROM public.account ORDER BY id"),
                "told": rows("SELECT account_id, what FROM public.told ORDER BY account_id"),
                "stock": rows(
                    "SELECT place, since, code, amount, marked FROM public.stock ORDER BY place, since, code"
                ),
                "moved": rows("SELECT amount, marked FROM depot.moved ORDER BY amount"),
            },
            rows(
                f"SELECT operation_id, operation, {account} FROM batch.batch_operations ORDER BY operation_id"
            ),
            rows(
                f"SELECT operation_id, step_number, {account} FROM batch.batch_steps ORDER BY operation_id, step_number"
            ),
            rows(
                "SELECT operation_id, step, record_number, record_key, line_number, sqlstate, constraint_name,"
                " column_name, error_message, failed_records, value, raw_text, skipped"
                " FROM batch.batch_operation_errors"
                " ORDER BY operation_id, step, record_number, record_key::text, error_message"
            ),
            rows(
                "SELECT operation_id, step_number, record_number, place, record FROM batch.batch_outputs"
                " ORDER BY operation_id, step_number, record_number, place, record::text"
            ),
        )
    for _, _, status, total, *parts in found.operations:
        assert total == sum(parts), found.operations
        assert status in ("completed", "completed_with_errors"), found.operations
    return found
