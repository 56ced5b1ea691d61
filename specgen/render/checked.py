"""Rendering and checking together, in two processes where there is enough to do for both.

The second process is a fork: the plan is there already, and only texts travel back. Where forking is
not safe (macOS, Windows, a process with threads), one process does it all; the result is the same.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jinja2 import TemplateNotFound, TemplateSyntaxError

from specgen.errors import SpecgenError
from specgen.plan.own import own_types
from specgen.render.engine import RenderedFile, render_plan
from specgen.render.sqlcheck import check_files

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from specgen.diagnostics import Finding
    from specgen.plan.project import Plan

WORTH_A_PROCESS = 60
"""Entities from which on a second process saves more than it costs, about 30 ms."""


class TemplateFailed(SpecgenError):  # noqa: N818 - says what failed
    """A template, most likely one that a project put in another's place, is wrong.

    Attributes:
        place: The template's file and line.
    """

    def __init__(self, place: str, error: Exception) -> None:
        super().__init__(
            f"{place}: {type(error).__name__}: {error}",
            help="the project's own templates folder holds templates that take the place of specgen's",
        )
        self.place = place


@dataclass(frozen=True, slots=True)
class Checked:
    """Rendered files, in the plan's order, and what PostgreSQL's grammar has against them."""

    files: tuple[RenderedFile, ...]
    findings: tuple[Finding, ...]


def render_checked(plan: Plan, *, shadow: Path | None = None) -> Checked:
    """Render a plan and parse what came out.

    Args:
        plan: What to render.
        shadow: A folder whose templates take the place of those with the same name.

    Raises:
        TemplateFailed: A template, most likely a shadowing one, is wrong.
    """
    if len(plan.entities) < WORTH_A_PROCESS or not _can_fork():
        return _one(plan, shadow)
    return _two(plan, shadow)


def _can_fork() -> bool:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return sys.platform == "linux" and cores > 1 and threading.active_count() == 1


def _one(plan: Plan, shadow: Path | None) -> Checked:
    try:
        files = render_plan(plan, shadow=shadow)
    except Exception as error:
        place = _template_line(error)
        if place is None:
            raise
        raise TemplateFailed(place, error) from error
    schemas = {plan.settings.runtime_schema, *plan.settings.search_path}
    schemas.update(schema for entity in plan.entities for schema in entity.schemas)
    return Checked(files, check_files(files, schemas=schemas, types=own_types(plan)))


def _template_line(error: Exception) -> str | None:
    """Return file and line of the template that failed; Jinja gives its frames the template's own lines."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    if isinstance(error, TemplateNotFound):
        return str(error.name)
    frames = [item for item in traceback.extract_tb(error.__traceback__) if item.filename.endswith(".j2")]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def _two(plan: Plan, shadow: Path | None) -> Checked:
    import multiprocessing

    middle = len(plan.entities) // 2
    rest = replace(plan, entities=plan.entities[middle:])
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    gc.freeze()  # else the other process's collector copies every page that it looks at
    other = fork.Process(target=_send, args=(sender, rest, shadow))
    other.start()
    sender.close()
    try:
        mine = _one(replace(plan, entities=plan.entities[:middle]), shadow)
        theirs = _received(receiver)
    except EOFError:
        # It died, or a template failed there: whatever it was shows here.
        theirs = _one(rest, shadow)
    finally:
        receiver.close()
        other.join()
        gc.unfreeze()
    # Both have the runtime's file, the first.
    return Checked(mine.files + theirs.files[1:], tuple(dict.fromkeys((*mine.findings, *theirs.findings))))


def _send(sender: Connection, plan: Plan, shadow: Path | None) -> None:
    gc.disable()
    try:
        done = _one(plan, shadow)
        for file in done.files:  # one by one: sent at once, they would be in memory four times
            sender.send(file)
        sender.send(done.findings)
    except BaseException:
        # The first process does it again, and reports what is wrong; or it is gone itself.
        os._exit(1)


def _received(receiver: Connection) -> Checked:
    files: list[RenderedFile] = []
    while isinstance(received := receiver.recv(), RenderedFile):
        files.append(received)
    return Checked(tuple(files), received)
