"""``specgen output``: the records that an operation has kept."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING

import click

from specgen.cli.commands import Command
from specgen.cli.options import project_option, url_option
from specgen.cli.printing import document, say, visible
from specgen.cli.target import operation_id_of, settings_or_exit
from specgen.visible import escaped_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from specgen.cli.outcome import Request
    from specgen.database.connection import Connection
    from specgen.errors import SpecgenError
    from specgen.runtime.output import Part
    from specgen.runtime.rows import Operation
    from specgen.runtime.store import Store

TABLE_ROWS = 100
FIRST_ROWS = 10
WIDEST = 60
"""Characters of a value among the first rows, which are there to be glanced at."""
_AT_ONCE = 1000
_QUOTED = re.compile(r'[",\r\n]|^\s|\s$|^\\\.$|^$')


@click.command(
    "output",
    cls=Command,
    examples=(
        "specgen output 6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11",
        "specgen output 6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11 --csv > users.csv",
        "specgen output 6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11 --step validate_data --jsonl",
    ),
)
@click.argument("operation_id", metavar="ID")
@click.option(
    "--csv", "as_csv", is_flag=True, help='Print CSV, as COPY writes it: NULL is nothing, an empty text "".'
)
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Print a JSON object a line.")
@click.option("--step", metavar="NAME", help="Of which step.  [default: the last that has kept any]")
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help=f"How many records at most.  [default: {TABLE_ROWS} as a table, else all]",
)
@url_option
@project_option
def output(
    operation_id: str,
    *,
    as_csv: bool,
    as_jsonl: bool,
    step: str | None,
    limit: int | None,
    database_url: str | None,
    project: Path,
) -> None:
    """Show the records that the operation with this ID has kept, in its order.

    A select keeps its rows, with select_fields; an insert, update, upsert or delete with "returning" the keys
    and columns of what it wrote. As CSV or JSON lines they are passed on as they come, whatever their number.
    """
    from specgen.database.connection import connect, translated
    from specgen.database.connection import database_url as resolve
    from specgen.database.version import require_version
    from specgen.runtime.store import Store

    if as_csv and as_jsonl:
        raise click.UsageError("--csv and --jsonl exclude each other")
    wanted = operation_id_of(operation_id)
    url = resolve(database_url)
    runtime = settings_or_exit(project).runtime_schema
    with connect(url, application="specgen output") as connection, translated():
        require_version(connection, runtime)
        store = Store(connection, runtime)
        operation = _find(store, wanted)
        part = _choose(connection, runtime, operation, step)
        if as_csv:
            _write(connection, runtime, part, limit, _csv)
        elif as_jsonl:
            _write(connection, runtime, part, limit, _json_lines)
        else:
            _print_table(connection, runtime, part, limit or TABLE_ROWS)
    if not operation.ended or operation.status in ("timed_out", "cancelled"):
        counts = operation.counts
        far = f"{counts.done:,} of {counts.total:,} records" if not operation.ended else "not all records"
        say(f"{operation.status}: {far} are done, and this is what is kept of them", err=True)


def _find(store: Store, operation_id: UUID) -> Operation:
    from specgen.errors import SpecgenError, UsageError

    operation = store.operation(operation_id)
    if operation is not None:
        return operation
    if store.call_state(operation_id) == "running":
        raise SpecgenError(
            f"operation {operation_id} is at work, in one call and one transaction",
            help="what it keeps is seen when it ends",
        )
    raise UsageError(
        f"there is no operation {operation_id}", help='see "specgen status"; a dry run keeps nothing'
    )


def _choose(connection: Connection, runtime: str, operation: Operation, step: str | None) -> Part:
    """Return the part that is asked for.

    Raises:
        UsageError: There is no such step.
        SpecgenError: It keeps nothing.
    """
    from specgen.errors import UsageError
    from specgen.runtime.output import latest, parts_of
    from specgen.spec.suggest import did_you_mean

    parts = parts_of(connection, runtime, operation.operation_id)
    names = [part.step for part in parts if part.step is not None]
    if step is None:
        part = latest(parts)
    elif step in names:
        part = next(part for part in parts if part.step == step)
    elif names:
        help = did_you_mean(step, names) or f"its steps are {', '.join(names)}"
        raise UsageError(f'{operation.operation} has no step "{step}"', help=help)
    else:
        raise UsageError(f"{operation.operation} has no steps", help="leave --step out")
    if part is None or part.columns is None:
        raise _keeps_nothing(operation, part, parts)
    return part


def _keeps_nothing(operation: Operation, part: Part | None, parts: Sequence[Part]) -> SpecgenError:
    from specgen.errors import SpecgenError

    who = f"step {part.step} of {operation.operation}" if part and part.step else operation.operation
    waiting = [item.not_begun for item in ([part] if part else parts) if item.not_begun]
    if waiting:
        told = (
            f"the step is {waiting[0]}"
            if part
            else f'"specgen status {operation.operation_id}" shows its steps'
        )
        return SpecgenError(f"{who} has not begun to keep records", help=told)
    if len(parts) > 1 or parts[0].step is not None:
        return SpecgenError(
            f"{who} keeps no records",
            help="a select keeps its rows, a step that writes does so with returning: true, and what a "
            "function returns is kept where a later step reads it",
        )
    return SpecgenError(
        f"{who} keeps no records",
        help="in its YAML, returning: true keeps the keys of what it writes, and returning: [columns] those "
        "columns too; a select keeps its rows",
    )


# How it is printed


def print_first(connection: Connection, request: Request, operation_id: UUID) -> None:
    """Print the first records of an operation whose outcome they are: what its last step has kept."""
    from specgen.cli import show
    from specgen.runtime.output import columns_of, count_of, parts_of, records_of

    runtime = request.runtime
    parts = parts_of(connection, runtime, operation_id)
    if not parts or parts[-1].columns is None or not parts[-1].has_records:
        return
    part = parts[-1]
    columns = columns_of(connection, runtime, part)
    count = count_of(connection, runtime, part)
    rows = list(records_of(connection, runtime, part, columns, limit=FIRST_ROWS))
    say(f"\nkept ({len(rows):,} of {count:,}):")
    show.print_values(columns, [[_short(cell) for cell in row] for row in rows])
    if count > len(rows):
        say(f"… and {count - len(rows):,} more: specgen output {operation_id}{visible(request.place)}")


def _short(cell: str | None) -> str | None:
    return cell if cell is None or len(cell) <= WIDEST else f"{cell[: WIDEST - 1]}…"


def _print_table(connection: Connection, runtime: str, part: Part, limit: int) -> None:
    from specgen.cli import show
    from specgen.runtime.output import columns_of, count_of, records_of

    columns = columns_of(connection, runtime, part)
    rows = list(records_of(connection, runtime, part, columns, limit=limit))
    if not rows:
        say("no records", err=True)
        return
    show.print_values(columns, rows)
    if len(rows) == limit and (more := count_of(connection, runtime, part) - limit) > 0:
        say(f"… and {more:,} more: --csv and --jsonl print all of them, --limit N more of them", err=True)


def _write(
    connection: Connection,
    runtime: str,
    part: Part,
    limit: int | None,
    form: Callable[[Sequence[str], Iterable[Sequence[str | None]]], Iterator[str]],
) -> None:
    from specgen.runtime.output import columns_of, records_of

    columns = columns_of(connection, runtime, part)
    rows = records_of(connection, runtime, part, columns, limit=limit, as_json=form is _json_lines)
    lines = form(columns, rows)
    while text := "".join(islice(lines, _AT_ONCE)):
        document(text)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> Iterator[str]:
    """Yield lines of CSV as COPY would write them."""
    if columns:
        yield ",".join(map(_cell, columns)) + "\n"
    for row in rows:
        yield ",".join(map(_cell, row)) + "\n"


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    return '"' + value.replace('"', '""') + '"' if _QUOTED.search(value) else value


def _json_lines(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> Iterator[str]:
    """Yield lines of JSON; the values are JSON as they come."""
    names = [json.dumps(name, ensure_ascii=False) for name in columns]
    for row in rows:
        fields = (f"{name}: {value or 'null'}" for name, value in zip(names, row, strict=True))
        yield escaped_json("{" + ", ".join(fields) + "}") + "\n"
