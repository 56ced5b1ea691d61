"""How results are printed: one set of facts, as text for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specgen.cli import printing
from specgen.cli.printing import say, visible
from specgen.visible import json_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from specgen.runtime.events import Counts
    from specgen.runtime.rows import ErrorGroup, ErrorRow, Result, StepRow

SHOWN_ERRORS = 5
_UNITS = (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


def print_json(document: Any) -> None:
    """Print a document to stdout; times and ids as text."""
    printing.print_json(document, default=_plain)


def accounting(counts: Counts, *, ended: bool) -> dict[str, Any]:
    """Return the accounting equation's numbers, and whether it holds; ``open`` records are yet to be done."""
    remaining = 0 if ended else max(counts.total - counts.done, 0)
    return {
        "total": counts.total,
        "processed": counts.processed,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "open": remaining,
        "holds": counts.total == counts.done + remaining,
    }


def equation(counts: Counts, *, ended: bool = True) -> str:
    """Return the accounting equation as a line; of an operation that is open, how far it is."""
    parts = f"{counts.processed:,} processed + {counts.skipped:,} skipped + {counts.failed:,} failed"
    if not ended:
        return f"{counts.done:,} of {counts.total:,} = {parts}"
    return f"{counts.total:,} total {'=' if counts.holds else '≠'} {parts}"


def pace(counts: Counts, seconds: float) -> str:
    """Return the time that was worked, and the records a second."""
    rate = f", {counts.done / seconds:,.0f} records/s" if seconds > 0 else ""
    return f"{seconds:,.2f} s{rate}"


def ago(seconds: float) -> str:
    """Return a span of time in its two largest units."""
    for unit, length, smaller, part in _UNITS:
        if seconds >= length:
            rest = int(seconds % length // part)
            return f"{int(seconds // length)} {unit}" + (f" {rest} {smaller}" if rest else "") + " ago"
    return f"{seconds:.0f} s ago"


def result_document(result: Result, seconds: float | None) -> dict[str, Any]:
    """Return a result's fields under the names that the SQL function returns them."""
    fields = (
        "operation_id",
        "status",
        "total_records",
        "processed_records",
        "skipped_records",
        "error_count",
        "batch_count",
        "limit_reached",
        "started_at",
        "completed_at",
        "message",
    )
    document = {name: getattr(result, name) for name in fields}
    return document | {"seconds": seconds, "accounting": accounting(result.counts, ended=result.ended)}


def error_document(error: ErrorRow) -> dict[str, Any]:
    """Return a failed record for JSON."""
    return {
        "record_number": error.record_number,
        "record_key": error.record_key,
        "sqlstate": error.sqlstate,
        "constraint_name": error.constraint_name,
        "column_name": error.column_name,
        "error_message": error.error_message,
        "detail": error.detail,
        "batch_number": error.batch_number,
        "failed_records": error.failed_records,
        "step": error.step,
        "value": error.value,
        "line_number": error.line_number,
        "skipped": error.skipped,
    }


def group_document(group: ErrorGroup) -> dict[str, Any]:
    """Return a group of failed records for JSON."""
    return {
        "records": group.records,
        "sqlstate": group.sqlstate,
        "constraint_name": group.constraint_name,
        "column_name": group.column_name,
        "error_message": group.error_message,
        "example": group.example,
    }


def print_result(operation: str, result: Result, seconds: float | None) -> None:
    """Print a result for people.

    Args:
        operation: Its name.
        result: How it ended.
        seconds: For how long it was worked on, if that can be told.
    """
    rows = [("operation", operation), ("id", str(result.operation_id)), ("status", result.status)]
    rows.append(("records", equation(result.counts, ended=result.ended)))
    rows.append(("batches", f"{result.batch_count:,}"))
    if seconds is not None:
        rows.append(("time", pace(result.counts, seconds)))
    if result.limit_reached:
        rows.append(("limit", "max_records was reached; the rest is left"))
    if result.message:
        rows.append(("message", result.message))
    print_pairs(rows)


def print_pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values, aligned."""
    listed = list(rows)
    width = max(len(name) for name, _ in listed)
    for name, value in listed:
        say(f"{name:<{width}}  {visible(value)}")


def print_errors(errors: Sequence[ErrorRow], count: int, query: str) -> None:
    """Print the first failed records, and how to see all.

    Args:
        errors: The first of them.
        count: How many there are.
        query: SQL that lists them all; empty where there is nothing stored.
    """
    if not errors:
        return
    say(f"\nfailed records ({min(len(errors), count):,} of {count:,}):")
    header = ("step", "record", "SQLSTATE", "constraint", "column", "message")
    print_table(header, [_error_cells(error) for error in errors])
    if query:
        say(f"all of them: {query}")


def print_skipped(errors: Sequence[ErrorRow]) -> None:
    """Print the first records that were skipped because they are invalid."""
    if errors:
        say("\nskipped as invalid, for example:")
        print_table(
            ("step", "record", "SQLSTATE", "constraint", "column", "message"),
            [_error_cells(error) for error in errors],
        )


def print_steps(steps: Sequence[StepRow]) -> None:
    """Print the steps of an operation, if it has any, each with its account."""
    if not steps:
        return
    say("\nsteps:")
    header = ("", "step", "status", "total", "processed", "skipped", "failed", "time", "message")
    rows = [
        (
            str(step.step_number),
            step.step,
            step.status,
            f"{step.total_records:,}",
            f"{step.processed_records:,}",
            f"{step.skipped_records:,}",
            f"{step.error_count:,}",
            "" if step.seconds is None else f"{step.seconds:,.2f} s",
            step.message or "",
        )
        for step in steps
    ]
    print_table(header, rows)


def print_groups(groups: Sequence[ErrorGroup]) -> None:
    """Print failed records by what refused them."""
    if not groups:
        return
    say("\nfailed records by cause:")
    header = ("records", "SQLSTATE", "constraint", "column", "for example")
    rows = [
        (
            f"{group.records:,}",
            group.sqlstate,
            group.constraint_name or "",
            group.column_name or "",
            f"{_key(group.example)}: {group.error_message}"
            if group.example is not None
            else group.error_message,
        )
        for group in groups
    ]
    print_table(header, rows)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout, as wide as its contents: text that is cut or wrapped cannot be searched."""
    table = [[_one_line(cell) for cell in row] for row in rows]
    # A column that is empty throughout tells nothing.
    shown = [n for n in range(len(header)) if any(row[n] for row in table)]
    _print_columns([header[n] for n in shown], [[row[n] for n in shown] for row in table])


def print_values(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Print records as a table, each value as it is."""
    table = [["NULL" if cell is None else visible(cell) for cell in row] for row in rows]
    _print_columns([visible(name) for name in header], table)


def _print_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    say("  ".join(f"{name:<{width}}" for name, width in zip(header, widths, strict=True)).rstrip(), bold=True)
    for row in rows:
        say("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def errors_query(runtime_schema: str, result: Result) -> str:
    """Return the SQL that lists an operation's failed records."""
    from specgen.plan.sqltext import ident

    table = f"{ident(runtime_schema)}.batch_operation_errors"
    return f"SELECT * FROM {table} WHERE operation_id = '{result.operation_id}'"  # noqa: S608 - to be read


def _error_cells(error: ErrorRow) -> tuple[str, ...]:
    name = _key(error.record_key) if error.record_key is not None else ""
    if error.line_number is not None:
        name = f"line {error.line_number} {name}".rstrip()
    elif error.record_number is not None:
        name = f"#{error.record_number} {name}".rstrip()
    return (
        error.step or "",
        name,
        error.sqlstate,
        error.constraint_name or "",
        error.column_name or "",
        error.error_message,
    )


def _key(key: Any) -> str:
    if isinstance(key, dict):
        return ", ".join(f"{name}={_value(value)}" for name, value in key.items())
    return json_line(key)


def _value(value: Any) -> str:
    """Return a value of a key as SQL would name it."""
    if value is None:
        return "NULL"
    return value if isinstance(value, str) else json_line(value)


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
