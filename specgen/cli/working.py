"""Working on a submitted operation until it ends, with progress, and how the program ends then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.cli.interrupt import interrupted, stopping
from specgen.cli.outcome import exit_by, print_outcome
from specgen.cli.printing import say, visible

if TYPE_CHECKING:
    from uuid import UUID

    from specgen.cli.outcome import Request
    from specgen.runtime.runner import RunReport


def work_on(request: Request, operation_id: UUID, workers: int) -> None:
    """Work on a submitted operation to its end, print how it ended, and exit accordingly."""
    from specgen.cli.progress import showing
    from specgen.errors import DatabaseUnavailable
    from specgen.runtime.runner import Run

    work = Run(request.url, request.runtime, operation_id, request.application, workers)
    again = request.resume_command(operation_id)
    notice = f"stopping after the current batches (Ctrl-C again: at once); go on with: {again}"
    try:
        with stopping(work.stop, notice) as interruption, showing(request.operation) as listener:
            for event in work.events():
                listener(event)
        report = work.report
        assert report is not None
        _conclude(request, report, again)
    except DatabaseUnavailable as error:
        raise DatabaseUnavailable(error.reason, help=f"go on with: {again}") from error
    if not report.finished and interruption.asked:
        raise interrupted()
    _exit_by_report(report, again)


def _conclude(request: Request, report: RunReport, again: str) -> None:
    """Print what there is to print of a run that came to its end, or not."""
    from specgen.database.connection import connect, translated
    from specgen.runtime.store import Store

    if report.result is None:
        return
    with connect(request.url, application=request.application) as connection, translated():
        print_outcome(request, report.result, Store(connection, request.runtime), report)
    if report.result.status in ("timed_out", "cancelled"):
        say(f"go on with: {visible(again)}", err=True)


def _exit_by_report(report: RunReport, again: str) -> None:
    """Exit as the run ended.

    Raises:
        SpecgenError: Workers gave up and the operation is open.
        click.exceptions.Exit: It ended, but not with success.
    """
    from specgen.errors import DatabaseUnavailable, SpecgenError

    if report.finished and report.result is not None:
        exit_by(report.result)
        return
    help = f"nothing is lost; go on with: {again}"
    wrong = [
        failure.error for failure in report.failures if not isinstance(failure.error, DatabaseUnavailable)
    ]
    for error in wrong:
        hint = f"\n   hint: {error.help}" if error.help else ""
        raise SpecgenError(f"stopped: {error}{hint}", help=help) from error
    if report.result is None or report.failures:
        reason = report.failures[0].error.args[0] if report.failures else "the database does not answer"
        raise DatabaseUnavailable(str(reason), help=help)
    raise SpecgenError(f"the operation is {report.result.status}", help=help)
