"""``specgen run``: one operation, by workers with progress and resume, or in one call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from specgen.cli.completing import complete_operation
from specgen.cli.interrupt import interrupted
from specgen.cli.options import json_option, project_option, url_option
from specgen.cli.outcome import Request, confirm, exit_by, is_confirmation, print_outcome
from specgen.cli.passing import TakesParameters
from specgen.cli.printing import say, visible
from specgen.cli.rejected import of_resumed
from specgen.cli.target import operation_id_of, settings_or_exit
from specgen.cli.working import work_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from specgen.database.connection import Connection
    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.calls import Call
    from specgen.runtime.rows import Result


@click.command(
    "run",
    cls=TakesParameters,
    examples=(
        "specgen run bulk_update_user_status -p user_ids=@ids.txt -p new_status=active --workers 2",
        "specgen run deactivate_inactive_users --dry-run",
        "specgen run import_products_csv --input products.csv --reject-file rejects.csv",
        "specgen run --resume 6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11",
    ),
)
@click.argument("operation", required=False, shell_complete=complete_operation)
@click.option(
    "-p",
    "--parameter",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter. Arrays: several times, a JSON array, {a,b}, or @FILE with one value a line. "
    "Records: JSON, or @FILE.json.",
)
@click.option(
    "-o",
    "--option",
    "option_pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option: batch_size, max_records, max_errors, error_handling, timeout, ...",
)
@click.option(
    "--null", "nulls", multiple=True, metavar="NAME", help="A parameter that is NULL, which no text can say."
)
@click.option(
    "--input",
    "file",
    metavar="FILE",
    help="A file of records: .json, .jsonl, .ndjson, else CSV; - is standard input. It is read line by line, "
    "whatever its size."
    "With --resume: the file that was read, so that its rejected lines can be written.",
)
@click.option(
    "--reject-file",
    metavar="FILE",
    help="Where rejected lines of the file go, to be corrected and read again.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="How many connections work at once, at most max_workers.  [default: max_workers of an operation "
    "that is parallel, else 1]",
)
@click.option("--once", is_flag=True, help="One call in one transaction.")
@click.option("--dry-run", is_flag=True, help="Do everything, tell what came of it, and undo it.")
@click.option("--yes", is_flag=True, help="Confirm an operation that requires confirmation.")
@click.option("--resume", metavar="ID", help="Go on with an operation that was interrupted.")
@url_option
@project_option
@json_option
def run(
    operation: str | None,
    pairs: tuple[str, ...],
    option_pairs: tuple[str, ...],
    *,
    nulls: tuple[str, ...],
    file: str | None,
    reject_file: str | None,
    workers: int | None,
    once: bool,
    dry_run: bool,
    yes: bool,
    resume: str | None,
    database_url: str | None,
    project: Path,
    as_json: bool,
) -> None:
    """Run OPERATION, or go on with one that was interrupted.

    The operation is submitted, and workers do it batch by batch, each batch committed by itself:
    whatever is interrupted, killed or cut off can be resumed, and nothing is done twice.

    With --json, stdout holds one document, the outcome, once the run is over. Progress stays on stderr, as
    text; a program that wants it asks "specgen status ID --json".
    """
    from specgen.cli.checking import warn_beforehand
    from specgen.cli.doubtful import tell_of_parameters
    from specgen.cli.lost import tell_known
    from specgen.cli.pipeline import operation_or_exit
    from specgen.database.connection import database_url as resolve

    given = {
        "an operation": operation,
        "-p": pairs,
        "-o": option_pairs,
        "--null": nulls,
        "--once": once,
        "--dry-run": dry_run,
    }
    _check_usage(operation, resume, [name for name, value in given.items() if value])
    if workers is not None and workers > 1 and once:
        raise click.UsageError("--workers does not go with --once, which is one call")
    if reject_file is not None and dry_run:
        raise click.UsageError("--reject-file goes with no --dry-run: it keeps none of the lines")
    if reject_file is not None and file is None:
        raise click.UsageError("--reject-file goes with --input, which names the file that is or was read")
    url = resolve(database_url)
    command = _command(operation)
    request = Request("--resume", "", project, url, workers, yes, as_json, file, reject_file, command=command)
    if resume is not None:
        _resume(request, resume)
        return
    assert operation is not None
    plan, planned = operation_or_exit(operation, project=project, warn=False)
    _check_workers(workers, planned.settings.get("max_workers"))
    if dry_run and workers is not None and workers > 1:
        say(f"a dry run is one call in one transaction; the run itself will have {workers} workers", err=True)
    request = replace(request, operation=operation, runtime=planned.runtime)
    if file is not None:
        from specgen.cli.files import run_file

        warn_beforehand(url, plan, planned, project, reads_file=True)
        tell_known(request, option_pairs, dry_run=dry_run)
        run_file(request, planned, file, (pairs, option_pairs, nulls), once=once, dry_run=dry_run)
        return
    call = read_call(planned, pairs, option_pairs, nulls)
    tell_of_parameters(url, planned, call)
    warn_beforehand(url, plan, planned, project)
    tell_known(request, option_pairs, dry_run=dry_run)
    if planned.atomic and not once and not dry_run:
        say(f"{operation} is atomic: it runs in one call (--once)", err=True)
    if once or dry_run or planned.atomic:
        run_call(request, call, dry_run=dry_run)
    else:
        _submit_and_work(request, call)


def _command(operation: str | None) -> tuple[str, ...]:
    """Return what was asked for as arguments, without the database, whose URL may hold a password."""
    context = click.get_current_context()
    arguments = [operation] if operation is not None else []
    for parameter in context.command.params:
        if not isinstance(parameter, click.Option) or parameter.name in ("database_url", "project", "resume"):
            continue
        value = context.params.get(str(parameter.name))
        name = parameter.opts[0]
        if value is True:
            arguments.append(name)
        elif isinstance(value, tuple):
            arguments += [part for each in value for part in (name, str(each))]
        elif value is not None and value is not False:
            arguments += [name, str(value)]
    return tuple(arguments)


def _check_workers(wanted: int | None, most: object) -> None:
    """Refuse more workers than the operation may have; the database would let them wait.

    Raises:
        UsageError: They are too many.
    """
    from specgen.errors import UsageError

    if wanted is not None and isinstance(most, int) and wanted > most:
        raise UsageError(
            f"--workers {wanted} is more than the operation's max_workers ({most})",
            help=f"pass --workers {most}, or let the spec allow more",
        )


def _check_usage(operation: str | None, resume: str | None, given: Sequence[str]) -> None:
    if resume is None and operation is None:
        raise click.UsageError("name an operation, or pass --resume ID")
    if resume is not None and given:
        raise click.UsageError(
            f"--resume goes without {' and '.join(given)}: an operation is known by its id, and goes on with "
            "the parameters and options that it was submitted with"
        )


def read_call(
    planned: PlannedOperation,
    pairs: tuple[str, ...],
    option_pairs: tuple[str, ...],
    nulls: tuple[str, ...],
    *,
    loaded: str | None = None,
) -> Call:
    """Return the call that the command line asks for; the parameter ``loaded`` comes from a file."""
    from specgen.runtime.arguments import read_arguments, read_options

    call = prepare_call(planned, {})
    parameters = [item for item in call.parameters if item.name != loaded]
    arguments = read_arguments(pairs, parameters, nulls)
    options = {"operation_id": str(uuid4())} | read_options(option_pairs)
    return replace(call, arguments=arguments, options=options)


def prepare_call(planned: PlannedOperation, arguments: Mapping[str, str | None]) -> Call:
    """Return a call of a planned operation; the arguments are in PostgreSQL's text form."""
    from specgen.plan.readings import readings
    from specgen.runtime.arguments import Parameter
    from specgen.runtime.calls import Call
    from specgen.runtime.refusals import Reading

    records = planned.records.parameter.name if planned.records else None
    return Call(
        operation=planned.name,
        schema=planned.call.schema,
        once=planned.call.name,
        submit=planned.submit.name if planned.submit else None,
        parameters=[
            Parameter(
                item.name,
                item.type,
                required=item.default is None,
                records=item.name == records,
                findable=not item.is_looked_up,
            )
            for item in planned.parameters
        ],
        takes_confirmation=planned.requires_confirmation,
        arguments=arguments,
        readings=[Reading(item.parameters, item.sql) for item in readings(planned)],
    )


# One call


def run_call(request: Request, call: Call, *, dry_run: bool) -> None:
    """Do an operation in one call, print how it ended, and exit accordingly."""
    from specgen.cli import lost
    from specgen.cli.progress import showing
    from specgen.database.connection import connect
    from specgen.errors import DatabaseUnavailable
    from specgen.runtime.calls import call_once
    from specgen.runtime.patience import instead_of_time, patiently

    instead = instead_of_time(only_one_call=dry_run or call.submit is None)
    with connect(request.url, application=request.application) as connection:

        def attempt(*, confirm: bool) -> Result:
            with showing(call.operation) as listener:
                return patiently(
                    connection,
                    lambda: call_once(connection, call, confirm=confirm, dry_run=dry_run, listen=listener),
                    instead=instead,
                )

        try:
            result = attempt(confirm=request.yes)
            if result.status == "confirmation_required":
                confirm(f"{call.operation}: {result.total_records:,} records", None)
                result = attempt(confirm=True)
        except KeyboardInterrupt:
            shown = f'"specgen status {lost.id_of(call)}" shows it'
            say(f"interrupted: the call is undone, unless {shown}", err=True)
            raise interrupted() from None
        except DatabaseUnavailable as error:
            if dry_run:
                raise DatabaseUnavailable(error.reason, help="nothing was changed by the dry run") from error
            result = lost.outcome_of(request, call, error)
        lost.tell_repeated(call, result.operation_id, tried=result.status if dry_run else None)
        lost.print_over_losses(request, connection, result)
    exit_by(result)


# Submitted


def _submit_and_work(request: Request, call: Call) -> None:
    from specgen.cli import lost
    from specgen.errors import Refused
    from specgen.runtime.calls import submit
    from specgen.runtime.store import Store

    def attempt(*, confirmed: bool) -> tuple[UUID, int]:
        def work(connection: Connection) -> tuple[UUID, int]:
            operation_id = submit(connection, call, confirm=confirmed)
            row = Store(connection, request.runtime).operation(operation_id)
            return operation_id, row.usual_workers if row else 1

        return lost.persist(request, call, work)

    try:
        operation_id, usual = attempt(confirmed=request.yes)
    except Refused as refused:
        if not is_confirmation(refused):
            raise
        confirm(str(refused).partition(";")[0], refused)
        operation_id, usual = attempt(confirmed=True)
    say(f"submitted as {operation_id}", err=True)
    lost.tell_repeated(call, operation_id)
    work_on(request, operation_id, request.workers or usual)


def _resume(request: Request, resume: str) -> None:
    from specgen.database.connection import connect, translated
    from specgen.database.version import require_version
    from specgen.errors import UsageError
    from specgen.runtime.rows import RESUMABLE
    from specgen.runtime.store import Store

    operation_id = operation_id_of(resume)
    request = replace(request, runtime=settings_or_exit(request.project).runtime_schema)
    with connect(request.url, application=request.application) as connection, translated():
        require_version(connection, request.runtime)
        store = Store(connection, request.runtime)
        row = store.operation(operation_id)
        if row is None:
            raise UsageError(f"there is no operation {operation_id}", help='see "specgen status"')
        request = of_resumed(replace(request, operation=row.operation), connection, operation_id)
        if row.status not in RESUMABLE or not row.submitted:
            say(f"{visible(row.operation)} has ended: {visible(row.status)}", err=True)
            result = store.result(operation_id)
            print_outcome(request, result, store)
            exit_by(result)
            return
        _check_workers(request.workers, row.max_workers)
        store.resume(operation_id)
    work_on(request, operation_id, request.workers or row.usual_workers)
