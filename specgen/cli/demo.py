"""``specgen demo``: the whole story on a database of its own, with the sample entities."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specgen.cli.commands import Command
from specgen.cli.printing import say, visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from specgen.database.connection import Connection
    from specgen.plan.planned import PlannedOperation
    from specgen.plan.project import Plan
    from specgen.render.engine import RenderedFile
    from specgen.runtime.events import Counts
    from specgen.runtime.runner import Run

OPERATION = "bulk_update_user_status"
WORKERS = 2
# One of a hundred may not be active: the sample's check forbids it while there is a reason.
LOAD = """
INSERT INTO {table} (email, status, blocked_reason)
SELECT format('user%%s@example.org', n), 'pending',
       CASE WHEN n %% 100 = 0 THEN (ARRAY['chargeback', 'abuse', 'identity check'])[1 + n / 100 %% 3] END
  FROM generate_series(1, %s) AS n
"""
COUNT = """
SELECT count(*), count(*) FILTER (WHERE status = 'active'), count(*) FILTER (WHERE blocked_reason IS NOT NULL)
  FROM {table}
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What the table itself says at the end."""

    rows: int
    active: int
    blocked: int

    def agrees(self, counts: Counts) -> bool:
        """Whether the account says the same."""
        told = (counts.total, counts.processed, counts.failed)
        return told == (self.rows, self.active, self.blocked) and counts.holds


@click.command(
    "demo",
    cls=Command,
    examples=("specgen demo", "specgen demo --rows 20000 --output /tmp/sql"),
)
@click.option("--rows", type=click.IntRange(1, 50_000_000), default=100_000, help="How many users to load.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("specgen-demo"),
    metavar="DIR",
    help="Where the SQL is written.  [default: specgen-demo]",
)
@click.option("--keep", is_flag=True, help="Keep the database until Ctrl-C, and print how to reach it.")
def demo(*, rows: int, output: Path, keep: bool) -> None:
    """See it work: sample entities, an embedded PostgreSQL, a bulk update with failing records.

    Nothing is needed and nothing is left behind but the generated SQL.
    """
    from specgen.cli.pipeline import plan_or_exit
    from specgen.database.embedded import EmbeddedProvider

    began = time.monotonic()
    root = samples()
    _heading(1, f"Validate and generate {root / 'entities'}")
    plan = plan_or_exit((), project=root)
    files = _generate(plan, root, output)
    _heading(2, "Start PostgreSQL")
    with EmbeddedProvider() as server:
        say(visible(server.description))
        _story(plan, files, server.dsn, root, rows)
        say(f"\nThe SQL lies in {output}{'' if output.is_absolute() else f' ({output.resolve()})'}.")
        say(f"Done in {time.monotonic() - began:.1f} s.")
        if keep:
            _wait(server.dsn)


def samples() -> Path:
    """Return the project of the samples: inside the wheel, or the checkout itself."""
    package = Path(__file__).parent.parent
    shipped = package / "samples"
    return shipped if shipped.is_dir() else package.parent


def _story(plan: Plan, files: Sequence[RenderedFile], dsn: str, root: Path, rows: int) -> None:
    from specgen.database.connection import connect

    operation = plan.operation(OPERATION)
    with connect(dsn, application="specgen demo") as connection:
        _heading(3, "Deploy")
        _deploy(connection, plan, files, root)
        _heading(4, f"Load {rows:,} users, one of a hundred blocked")
        keys = _load(connection, operation, rows)
        _heading(5, f"Run {OPERATION} over all of them, with {WORKERS} workers")
        work = _run(connection, operation, keys, dsn)
        _heading(6, "Result")
        _tell(connection, operation, work)


def _generate(plan: Plan, root: Path, output: Path) -> Sequence[RenderedFile]:
    from specgen.cli.findings import count_of
    from specgen.cli.pipeline import render
    from specgen.output.files import compare, differences, write

    files = render(plan, project=root)
    changes = compare(files, output)
    write(changes)
    operations = sum(len(entity.operations) for entity in plan.entities)
    what = f"{count_of(len(plan.entities), 'entity')}, {count_of(operations, 'operation')}"
    say(f"{what}: {count_of(len(files), 'file')} in {output}, {len(differences(changes))} changed")
    return files


def _deploy(connection: Connection, plan: Plan, files: Sequence[RenderedFile], root: Path) -> None:
    from specgen.cli.deploy import setup_scripts
    from specgen.database.deploy import Script, deploy

    scripts = setup_scripts(plan, root) + [Script(file.name, file.text) for file in files]
    for applied in deploy(connection, scripts):
        say(f"  {visible(applied.name)}")


def _load(connection: Connection, operation: PlannedOperation, rows: int) -> list[str]:
    """Fill the table; the keys of all rows, as the caller of a bulk operation would have them."""
    began = time.monotonic()
    connection.execute(_sql(LOAD, operation), (rows,))
    connection.execute(_sql("ANALYZE {table}", operation))
    keys = connection.execute(_sql("SELECT id::text FROM {table}", operation)).fetchall()
    say(f"{time.monotonic() - began:.1f} s")
    return [key for (key,) in keys]


def _run(connection: Connection, operation: PlannedOperation, keys: list[str], dsn: str) -> Run:
    from specgen.cli.progress import showing
    from specgen.cli.run import prepare_call
    from specgen.runtime.arguments import array_literal
    from specgen.runtime.calls import submit
    from specgen.runtime.runner import Run

    arguments = {"user_ids": array_literal(keys), "new_status": "active"}
    operation_id: UUID = submit(connection, prepare_call(operation, arguments), confirm=False)
    work = Run(dsn, operation.runtime, operation_id, "specgen demo", WORKERS)
    with showing(OPERATION) as listener:
        for event in work.events():
            listener(event)
    return work


def _tell(connection: Connection, operation: PlannedOperation, work: Run) -> None:
    """Print the account and what explains its failures, and hold it against the table.

    Raises:
        SpecgenError: They do not agree.
    """
    from specgen.cli import show
    from specgen.errors import SpecgenError
    from specgen.runtime.store import Store

    assert work.report is not None
    result = work.report.result
    if result is None or not work.report.finished:
        raise SpecgenError("the operation did not end", help="; ".join(map(str, work.report.failures)))
    store = Store(connection, operation.runtime)
    show.print_result(OPERATION, result, store.seconds(result.operation_id))
    show.print_groups(store.error_groups(result.operation_id))
    show.print_errors(
        store.errors(result.operation_id, 3), result.error_count, show.errors_query(operation.runtime, result)
    )
    row = connection.execute(_sql(COUNT, operation)).fetchone()
    assert row is not None
    found = Found(*row)
    say(f"\nThe account:  {show.equation(result.counts)}")
    say(f"The table:    {found.rows:,} users, {found.active:,} active, {found.blocked:,} blocked")
    if not found.agrees(result.counts):
        raise SpecgenError("the account and the table do not agree")
    say("They agree: every user is either active or named among the failed records.")


def _wait(dsn: str) -> None:
    from psycopg.conninfo import conninfo_to_dict

    from specgen.database.conninfo import shown

    # Not as a part of the address: every user of the machine sees the arguments of psql.
    password = shlex.quote(str(conninfo_to_dict(dsn)["password"]))
    say(f"\nPGPASSWORD={password} psql '{shown(dsn)}'\nCtrl-C ends the database.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say()


def _sql(text: str, operation: PlannedOperation) -> str:
    from specgen.plan.sqltext import ident

    return text.format(table=f"{ident(operation.table.schema)}.{ident(operation.table.name)}")


def _heading(number: int, text: str) -> None:
    say(f"\n{number}. {text}" if number > 1 else f"{number}. {text}", bold=True)
