"""``specgen run --input``: a file of records, read as it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from specgen.cli.printing import say
from specgen.cli.rejected import with_rejects
from specgen.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from specgen.cli.outcome import Request
    from specgen.database.connection import Connection
    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.calls import Call
    from specgen.runtime.inputs.load import Load
    from specgen.runtime.inputs.records import Reader
    from specgen.runtime.rows import ErrorRow, Result


def run_file(
    request: Request,
    planned: PlannedOperation,
    file: str,
    given: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    *,
    once: bool,
    dry_run: bool,
) -> None:
    """Run an operation over a file's records."""
    from specgen.runtime.inputs.spool import regular

    with regular(file) as path:
        _run_regular(request, planned, str(path), given, once=once, dry_run=dry_run)


def _run_regular(
    request: Request,
    planned: PlannedOperation,
    file: str,
    given: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    *,
    once: bool,
    dry_run: bool,
) -> None:
    from specgen.cli.dates import dates_in
    from specgen.cli.doubtful import tell_of_parameters, tell_of_records
    from specgen.cli.lost import tell_repeated
    from specgen.cli.readers import open_reader, records_of
    from specgen.cli.run import read_call
    from specgen.cli.working import work_on

    records = records_of(planned)
    source = records.parameter.name
    call = read_call(planned, *given, loaded=source)
    tell_of_parameters(request.url, planned, call)
    known = dates_in(request.url, planned, (item.type for item in records.shape.fields))
    reader = open_reader(records, planned.origin, Path(file), known)
    request = with_rejects(request, planned, reader)
    if planned.atomic:
        _run_atomic(request, call, reader, (source, file), planned, dry_run=dry_run)
        return
    wanted = _load(request, planned, call, (source, file))
    if once or dry_run:
        _run_in_one_transaction(request, wanted, reader, planned, dry_run=dry_run)
        return
    operation_id = _loaded(request, wanted, reader)
    tell_of_records(planned, reader)
    say(f"submitted as {operation_id}", err=True)
    tell_repeated(call, operation_id)
    usual = planned.settings.get("max_workers", 1) if planned.settings.get("parallel") else 1
    work_on(request, operation_id, request.workers or int(str(usual)))


def _load(request: Request, planned: PlannedOperation, call: Call, source: tuple[str, str]) -> Load:
    from specgen.runtime.inputs.load import Load

    name, file = source
    return Load(
        call,
        planned.runtime,
        name,
        request.yes if planned.requires_confirmation else None,
        str(Path(file).absolute()),
    )


def _loaded(request: Request, wanted: Load, reader: Reader) -> UUID:
    """Load the file; ask for a confirmation where one is wanted, and then load it again."""
    from dataclasses import replace

    from specgen.cli import lost
    from specgen.cli.outcome import confirm, is_confirmation
    from specgen.cli.progress import showing
    from specgen.database.connection import connect, translated
    from specgen.errors import DatabaseUnavailable
    from specgen.runtime.inputs.load import load

    def attempt(wanted: Load) -> UUID:
        def work(connection: Connection) -> UUID:
            with showing(request.operation) as listener, connection.transaction():
                return load(connection, wanted, reader, listener)

        if wanted.can_be_read_again:
            return lost.persist(request, wanted.call, work)
        try:
            with connect(request.url, application=request.application) as connection, translated():
                return work(connection)
        except DatabaseUnavailable as error:
            return lost.outcome_of(request, wanted.call, error).operation_id

    try:
        return attempt(wanted)
    except Refused as refused:
        if not is_confirmation(refused):
            raise
        confirm(str(refused).partition(";")[0], refused)
    return attempt(replace(wanted, confirmed=True))


def _run_in_one_transaction(
    request: Request, wanted: Load, reader: Reader, planned: PlannedOperation, *, dry_run: bool
) -> None:
    from dataclasses import replace
    from functools import partial

    from specgen.cli import lost
    from specgen.cli.doubtful import tell_of_records
    from specgen.cli.outcome import confirm, exit_by, is_confirmation
    from specgen.cli.progress import showing
    from specgen.database.connection import connect
    from specgen.errors import DatabaseUnavailable
    from specgen.runtime.inputs.once import run_once
    from specgen.runtime.patience import instead_of_time, patiently

    if dry_run:
        wanted = replace(wanted, confirmed=None)

    def attempt(connection: Connection, wanted: Load) -> tuple[Result, Sequence[ErrorRow]]:
        with showing(request.operation) as listener:
            work = partial(run_once, connection, wanted, reader, listener, dry_run=dry_run)
            instead = instead_of_time(only_one_call=dry_run)
            return patiently(connection, work, instead=instead) if wanted.can_be_read_again else work()

    with connect(request.url, application=request.application) as connection:
        errors: Sequence[ErrorRow] | None = None
        try:
            try:
                result, errors = attempt(connection, wanted)
            except Refused as refused:
                if not is_confirmation(refused):
                    raise
                confirm(str(refused).partition(";")[0], refused)
                result, errors = attempt(connection, replace(wanted, confirmed=True))
        except DatabaseUnavailable as error:
            if dry_run:
                raise DatabaseUnavailable(error.reason, help="nothing was changed by the dry run") from error
            result = lost.outcome_of(request, wanted.call, error)
        tell_of_records(planned, reader)
        lost.tell_repeated(wanted.call, result.operation_id, tried=result.status if dry_run else None)
        lost.print_over_losses(request, connection, result, errors if dry_run else None)
    exit_by(result)


def _run_atomic(
    request: Request,
    call: Call,
    reader: Reader,
    source: tuple[str, str],
    planned: PlannedOperation,
    *,
    dry_run: bool,
) -> None:
    """Hand the records in with the call: all or nothing is one statement."""
    from dataclasses import replace

    from specgen.cli.doubtful import tell_of_records
    from specgen.cli.run import run_call
    from specgen.runtime.inputs.once import as_argument

    name, file = source
    argument = as_argument(reader, file)
    tell_of_records(planned, reader)
    run_call(request, replace(call, arguments={**call.arguments, name: argument}), dry_run=dry_run)
