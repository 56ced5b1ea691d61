"""Rejected lines of a file: where they go, and what is said of them.

The command line and the spec name the file, and the file that was read says what it looks like. Whoever may
write the operation's row decides none of it.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specgen.cli.printing import say, visible
from specgen.errors import UsageError

if TYPE_CHECKING:
    from uuid import UUID

    from specgen.cli.outcome import Request
    from specgen.database.connection import Connection
    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.inputs.records import Reader
    from specgen.runtime.inputs.rejects import Rejects
    from specgen.runtime.rows import Result


def with_rejects(request: Request, planned: PlannedOperation, reader: Reader) -> Request:
    """Return a request that says where the rejected lines of its file go.

    Raises:
        UsageError: They cannot go there.
    """
    from specgen.runtime.inputs.rejects import Wanted, check_target

    assert request.file is not None
    if planned.atomic and request.reject_file:
        raise UsageError(
            f"{planned.name} is atomic: it writes all records or none, so no lines are rejected",
            help="leave --reject-file out",
        )
    target = request.reject_file or planned.reject_file
    wanted = Wanted(Path(request.file), reader, Path(target) if target else None)
    check_target(wanted)
    return replace(request, rejects=wanted)


def of_resumed(request: Request, connection: Connection, operation_id: UUID) -> Request:
    """Return a request that resumes, with the file that its ``--input`` says the operation has read.

    Raises:
        UsageError: It is another file, or the project does not have the operation.
    """
    from specgen.cli.pipeline import operation_or_exit
    from specgen.cli.readers import open_reader, records_of
    from specgen.runtime.inputs.rejects import refuse_other

    if request.file is None:
        return request
    planned = operation_or_exit(request.operation, project=request.project, warn=False)[1]
    records = records_of(planned)
    # Of the file only the header is read, no value.
    reader = open_reader(records, planned.origin, Path(request.file), {})
    request = with_rejects(request, planned, reader)
    assert request.rejects is not None
    refuse_other(connection, request.runtime, operation_id, request.rejects)
    return request


def write(connection: Connection, request: Request, result: Result) -> Rejects | None:
    """Write the lines that an operation rejected, if it has ended and read a file."""
    from specgen.database.connection import translated
    from specgen.runtime.inputs.rejects import write_rejects

    if not result.ended or result.status == "dry_run":
        return None
    with translated():
        return write_rejects(connection, request.runtime, result.operation_id, request.rejects)


def document(rejects: Rejects | None) -> dict[str, Any]:
    """Return what JSON says of rejected lines."""
    if rejects is None:
        return {}
    return {
        "rejects": {
            "lines": rejects.lines,
            "file": str(rejects.file) if rejects.file else None,
            "reasons": str(rejects.reasons) if rejects.reasons else None,
        }
    }


def tell(request: Request, result: Result, rejects: Rejects | None) -> None:
    """Say where the rejected lines are, or how to get them."""
    if rejects is None or rejects.lines == 0:
        return
    lines = "1 line was" if rejects.lines == 1 else f"{rejects.lines:,} lines were"
    if rejects.file is None:
        named = replace(request, file=request.file or "INPUT", reject_file=request.reject_file or "REJECTS")
        again = replace(named, workers=None).resume_command(result.operation_id)
        say(f"{lines} rejected; to correct them and read them again: {visible(again)}", err=True)
        if request.file is None:
            say("INPUT is the file that was read: its header is what the other begins with", err=True)
        return
    say(f"{lines} rejected: {visible(_shown(rejects.file))}", err=True)
    say(f"why: {visible(_shown(rejects.reasons))}", err=True)
    say(f"correct them, then: {visible(_again(request, _shown(rejects.file)))}", err=True)


def _again(request: Request, file: str) -> str:
    """Return the command that was given, for the corrected lines: another call, so of no name yet."""
    given = request.command if request.command[:1] == (request.operation,) else (request.operation,)
    words: list[str] = []
    rest = iter(given)
    for word in rest:
        if word in ("--input", "--reject-file"):
            next(rest)
        elif word == "-o":
            option = next(rest)
            if option.partition("=")[0].strip() not in ("operation_id", "idempotency_key"):
                words += [word, option]
        else:
            words.append(word)
    return shlex.join(("specgen", "run", *words, "--input", file, "--reject-file", file)) + request.place


def _shown(path: Path | None) -> str:
    """Return a path as one would type it here."""
    assert path is not None
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
