"""``specgen status``: the latest operations, or all there is to say about one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from specgen.cli.commands import Command
from specgen.cli.options import json_option, project_option, url_option
from specgen.cli.outcome import place_of
from specgen.cli.printing import say, visible
from specgen.cli.target import operation_id_of, settings_or_exit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from specgen.runtime.rows import Operation, WorkerRow
    from specgen.runtime.store import Store

# A heartbeat may come late, as while a batch of a session without a runner beside it takes long.
MISSED = 3


@click.command(
    "status",
    cls=Command,
    examples=(
        "specgen status",
        "specgen status 6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11",
        "specgen status --json --limit 5",
    ),
)
@click.argument("operation_id", metavar="[ID]", required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to list.")
@url_option
@project_option
@json_option
def status(
    operation_id: str | None, *, limit: int, database_url: str | None, project: Path, as_json: bool
) -> None:
    """Show the latest operations, or where the one with this ID stands.

    A submitted operation that is running or timed out shows how to go on with it.
    """
    from specgen.database.connection import connect, translated
    from specgen.database.connection import database_url as resolve
    from specgen.database.version import require_version
    from specgen.runtime.store import Store

    wanted = operation_id_of(operation_id) if operation_id is not None else None
    url = resolve(database_url)
    runtime = settings_or_exit(project).runtime_schema
    with connect(url, application="specgen status") as connection, translated():
        require_version(connection, runtime)
        store = Store(connection, runtime)
        if wanted is None:
            _list(store, limit, as_json=as_json)
        else:
            _show(store, wanted, project, as_json=as_json)


def _list(store: Store, limit: int, *, as_json: bool) -> None:
    from specgen.cli import show

    operations = store.latest(limit)
    if as_json:
        show.print_json([_document(item) for item in operations])
        return
    if not operations:
        say("no operations yet", err=True)
        return
    header = ("id", "operation", "status", "total", "processed", "skipped", "failed", "began")
    rows = [
        (
            str(item.operation_id),
            item.operation,
            f"{item.status} (nobody at work)" if item.abandoned else item.status,
            f"{item.total_records:,}",
            f"{item.processed_records:,}",
            f"{item.skipped_records:,}",
            f"{item.error_count:,}",
            f"{item.started_at:%Y-%m-%d %H:%M:%S}" if item.started_at else "",
        )
        for item in operations
    ]
    show.print_table(header, rows)


def _show(store: Store, operation_id: UUID, project: Path, *, as_json: bool) -> None:
    from specgen.cli import show
    from specgen.errors import UsageError

    operation = store.operation(operation_id)
    if operation is None and store.call_state(operation_id) == "running":
        if as_json:
            show.print_json({"operation_id": str(operation_id), "status": "running", "submitted": False})
            return
        say("at work, in one call and one transaction: what it does is seen when it ends")
        return
    if operation is None:
        raise UsageError(f"there is no operation {operation_id}", help='see "specgen status"')
    groups = store.error_groups(operation_id)
    workers = store.workers(operation_id)
    steps = store.steps(operation_id)
    holders = store.holders(operation_id) if operation.submitted and not operation.ended else ()
    if as_json:
        errors = [show.group_document(group) for group in groups]
        listed = [_worker_document(worker, operation) for worker in workers]
        show.print_json(
            _document(operation)
            | {"steps": [asdict(step) for step in steps], "errors": errors, "workers": listed}
            | {"holders": [asdict(holder) for holder in holders]}
        )
        return
    show.print_pairs(_facts(operation))
    show.print_steps(steps)
    show.print_groups(groups)
    _print_workers(workers, operation)
    if holders:
        say("\nat its ranges:")
        for holder in holders:
            say(f"  {holder}")
    if _resumable(operation):
        again = f"specgen run --resume {operation.operation_id}{place_of(project)}"
        say(f"go on with: {visible(again)}", err=True)


def _print_workers(workers: Sequence[WorkerRow], operation: Operation) -> None:
    from specgen.cli import show

    if not workers:
        return
    say("\nworkers:")
    header = ("pid", "from", "application", "batches", "records", "failed", "last heartbeat", "state")
    rows = [
        (
            str(item.worker_pid),
            item.client_address or "local",
            item.application_name or "",
            f"{item.batch_count:,}",
            f"{item.record_count:,}",
            f"{item.error_count:,}",
            f"{item.heartbeat_at:%Y-%m-%d %H:%M:%S} ({item.silent:,.1f} s ago)",
            _worker_state(item, operation),
        )
        for item in workers
    ]
    show.print_table(header, rows)


def _worker_state(worker: WorkerRow, operation: Operation) -> str:
    """Say where a worker is; who owns a range is none of it, that is decided by its row lock."""
    missed = worker.missed(operation.heartbeat_interval)
    if worker.left_at is not None:
        return f"left at {worker.left_at:%H:%M:%S}"
    if worker.connected is False:
        return "gone: its session no longer exists"
    if missed >= MISSED:
        known = "" if worker.connected else "; whether its session exists cannot be seen"
        return f"silent: missed {missed:,} heartbeats{known}"
    return "at work"


def _worker_document(worker: WorkerRow, operation: Operation) -> dict[str, Any]:
    missed = worker.missed(operation.heartbeat_interval)
    return asdict(worker) | {"missed_heartbeats": missed, "state": _worker_state(worker, operation)}


def _resumable(operation: Operation) -> bool:
    from specgen.runtime.rows import RESUMABLE

    return operation.submitted and operation.status in RESUMABLE


def _facts(operation: Operation) -> list[tuple[str, str]]:
    from specgen.cli import show

    counts = operation.counts
    rows = [
        ("operation", operation.operation),
        ("id", str(operation.operation_id)),
        ("entity", operation.entity),
        ("status", operation.status + (f" ({operation.stop_status} soon)" if _stopping(operation) else "")),
        ("records", show.equation(counts, ended=operation.ended)),
    ]
    if operation.abandoned and operation.active_at is not None and operation.silent is not None:
        since = f"{operation.active_at:%Y-%m-%d %H:%M:%S} ({show.ago(operation.silent)})"
        rows.insert(4, ("at work", f"nobody since {since}"))
    elif operation.status == "pending" and operation.submitted:
        rows.insert(4, ("at work", "nobody yet"))
    if operation.seconds is not None:
        rows.append(("time", show.pace(counts, operation.seconds)))
    rows.append(("batches", f"{operation.batch_count:,} of up to {operation.batch_size:,} records"))
    if operation.ranges:
        rows.append(("ranges", f"{operation.ranges_done:,} done, {_open(operation):,} open"))
    if operation.retries:
        rows.append(("retries", f"{operation.retries:,}"))
    if operation.step:
        rows.append(("step", operation.step))
    if operation.strategy:
        rows.append(("strategy", f"{operation.strategy}: {operation.strategy_reason or ''}".rstrip(": ")))
    rows.append(("on errors", operation.error_handling))
    if operation.message:
        rows.append(("message", operation.message))
    return rows


def _document(operation: Operation) -> dict[str, Any]:
    from specgen.cli import show

    hidden = ("statement_timeout", "max_attempts", "backoff", "ranges")
    document = {name: value for name, value in asdict(operation).items() if name not in hidden}
    document["ranges_open"] = _open(operation)
    counts = operation.counts
    return document | {
        "resumable": _resumable(operation),
        "accounting": show.accounting(counts, ended=operation.ended),
    }


def _open(operation: Operation) -> int:
    return operation.ranges - operation.ranges_done


def _stopping(operation: Operation) -> bool:
    return operation.stop_status is not None and not operation.ended
