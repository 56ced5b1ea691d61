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
OLDER_FILES = ("setup.sql", "00_runtime.sql", "10_account.sql")

ACCOUNTS = """
    INSERT INTO public.account (id, name, balance, state)
    OVERRIDING SYSTEM VALUE
    SELECT n, 'holder ' || n, (n % 7) * 10, CASE WHEN n % 12 = 0 THEN 'owing' ELSE 'open' END
      FROM generate_series(1, 80) AS n
     WHERE n % 13 <> 0;
"""


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
}
"""Operations of each kind, each with records that fail, and how they are submitted but for the options."""
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
        connection.execute(ACCOUNTS.encode())
        for operation_id, function in (CALLED | SUBMITTED).items():
            connection.execute(call(operation_id, function).encode())
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
