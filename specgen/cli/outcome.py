"""What a run was asked for, and how its end is told: the account, the failed records, the exit code."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from specgen.cli.printing import ask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from specgen.runtime.inputs.rejects import Wanted
    from specgen.runtime.rows import ErrorRow, Result
    from specgen.runtime.runner import RunReport
    from specgen.runtime.store import Store

JSON_ERRORS = 100
SUCCESS = ("completed",)


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for, and the operation that it is about.

    Attributes:
        file: The file of records.
        reject_file: Where its rejected lines are to go, as far as the command line says so.
        rejects: What is known of both.
        command: The arguments that say what to run, without those that say where.
    """

    operation: str
    runtime: str
    project: Path
    url: str = field(repr=False)
    workers: int | None
    yes: bool
    as_json: bool
    file: str | None = None
    reject_file: str | None = None
    rejects: Wanted | None = None
    command: tuple[str, ...] = ()

    @property
    def application(self) -> str:
        """What ``pg_stat_activity`` shows."""
        return f"specgen run {self.operation}"

    def resume_command(self, operation_id: UUID) -> str:
        """Return the command that goes on with an operation."""
        workers = f" --workers {self.workers}" if self.workers is not None else ""
        words = {"--input": self.file, "--reject-file": self.reject_file if self.file else None}
        rest = "".join(f" {name} {shlex.quote(value)}" for name, value in words.items() if value)
        return f"specgen run --resume {operation_id}{workers}{rest}{self.place}"

    def repeat_command(self, operation_id: UUID) -> str:
        """Return the command that was given, with the id that makes it harmless to give it again."""
        named = (
            ()
            if any(part.startswith("operation_id=") for part in self.command)
            else (
                "-o",
                f"operation_id={operation_id}",
            )
        )
        return shlex.join(("specgen", "run", *self.command, *named)) + self.place

    @property
    def place(self) -> str:
        """The option that names the project, where it is another folder's."""
        return place_of(self.project)


def place_of(project: Path) -> str:
    """Return the option that names a project, where it is another folder's."""
    return f" --project {shlex.quote(str(project))}" if str(project) != "." else ""


def exit_by(result: Result) -> None:
    """Exit with 1 unless the operation succeeded."""
    succeeded = result.status in SUCCESS or (result.status == "dry_run" and result.error_count == 0)
    if not succeeded:
        raise click.exceptions.Exit(1)


# Confirmation


def is_confirmation(refused: Exception) -> bool:
    """Whether all that is missing is a confirmation."""
    import psycopg

    cause = refused.__cause__
    return isinstance(cause, psycopg.Error) and cause.sqlstate == "P0B04"


def confirm(what: str, refused: Exception | None) -> None:
    """Ask on a terminal.

    Raises:
        Refused: There is nobody to ask, or the answer is no.
    """
    from specgen.errors import Refused

    if sys.stdin.isatty() and sys.stderr.isatty() and ask(f"{what}. Go on?"):
        return
    raise Refused(f"{what}; nothing was changed", help="confirm with --yes") from refused


def print_outcome(
    request: Request,
    result: Result,
    store: Store,
    report: RunReport | None = None,
    errors: Sequence[ErrorRow] | None = None,
) -> None:
    """Print how an operation ended; ``errors`` are those of a run that is not stored."""
    from specgen.cli import rejected, show
    from specgen.cli.output import print_first

    limit = JSON_ERRORS if request.as_json else show.SHOWN_ERRORS
    failed = _errors(result, store, limit) if errors is None else list(errors)
    rejects = rejected.write(store.connection, request, result) if errors is None else None
    steps = store.steps(result.operation_id)
    seconds = result.seconds if result.status == "dry_run" else store.seconds(result.operation_id)
    if request.as_json:
        document: dict[str, Any] = {"operation": request.operation} | show.result_document(result, seconds)
        document["steps"] = [asdict(step) for step in steps]
        document["errors"] = [show.error_document(error) for error in failed]
        document["failures"] = [
            {"worker": failure.worker, "message": str(failure.error)}
            for failure in (report.failures if report else ())
        ]
        show.print_json(document | rejected.document(rejects))
        return
    show.print_result(request.operation, result, seconds)
    show.print_steps(steps)
    print_first(store.connection, request, result.operation_id)
    query = "" if result.status == "dry_run" else show.errors_query(request.runtime, result)
    show.print_errors([error for error in failed if not error.skipped], result.error_count, query)
    show.print_skipped([error for error in failed if error.skipped])
    rejected.tell(request, result, rejects)


def _errors(result: Result, store: Store, limit: int) -> list[ErrorRow]:
    """Return the first failed records: stored ones, or what a dry run, which stores nothing, returned."""
    from specgen.runtime.rows import ErrorRow

    if result.status != "dry_run":
        rejected = result.error_count or result.skipped_records
        return list(store.errors(result.operation_id, limit)) if rejected else []
    return [ErrorRow.from_json(item) for item in (result.errors or [])[:limit]]
