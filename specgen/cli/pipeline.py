"""From PATHS to a plan, as every command that reads specs needs it."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specgen.cli import findings as out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specgen.diagnostics import Finding
    from specgen.errors import UsageError
    from specgen.plan.planned import PlannedOperation
    from specgen.plan.project import Plan
    from specgen.render.engine import RenderedFile
    from specgen.spec.model import Project


@dataclass(frozen=True, slots=True)
class Selection:
    """Which spec files a command is about.

    Attributes:
        load: What to read: the whole project where the chosen files belong to it, since an entity may
            refer to one that was not chosen.
        only: The chosen files and folders; empty for all that was read.
    """

    root: Path
    load: tuple[Path, ...]
    only: tuple[Path, ...]

    def __contains__(self, source: str) -> bool:
        """Whether a spec file, as findings name it, was chosen."""
        if not self.only:
            return True
        return any(
            place.is_relative_to(chosen)
            for place in (_whole(self.root / source), _whole(Path(source)))
            for chosen in self.only
        )


@dataclass(frozen=True, slots=True)
class Result:
    """The plan of what was chosen, or nothing when there is an error, and what was found."""

    plan: Plan | None
    findings: tuple[Finding, ...]
    selection: Selection
    project: Project | None = None


def select(paths: Sequence[Path], *, project: Path) -> Selection:
    """Decide what to read for the given paths."""
    from specgen.diagnostics import Findings
    from specgen.spec.config import load_settings

    if not paths:
        return Selection(project, (), ())
    folder = _whole(project / load_settings(project, Findings()).settings.paths.entities)
    chosen = tuple(_whole(path) for path in paths)
    if all(path == folder for path in chosen):
        return Selection(project, (), ())
    if all(path.is_relative_to(folder) for path in chosen):
        return Selection(project, (), chosen)
    return Selection(project, tuple(paths), chosen)


def read(paths: Sequence[Path], *, project: Path) -> Result:
    """Load and plan; nothing is printed."""
    with no_collector():
        return _read(select(paths, project=project), project)


def _read(selection: Selection, project: Path) -> Result:
    from specgen.plan.project import plan_project
    from specgen.spec.build import load_project

    loaded = load_project(selection.load, root=project)
    if loaded.project is None:
        return Result(None, loaded.findings, selection)
    planned = plan_project(loaded.project)
    findings = tuple(
        sorted((*loaded.findings, *planned.findings), key=lambda item: (item.span, item.code, item.message))
    )
    if planned.plan is None:
        return Result(None, findings, selection)
    entities = tuple(item for item in planned.plan.entities if item.source in selection)
    return Result(replace(planned.plan, entities=entities), findings, selection, loaded.project)


def plan_or_exit(paths: Sequence[Path], *, project: Path) -> Plan:
    """Return the plan of the chosen files; print what was found, and exit when there is an error."""
    return planned_or_exit(paths, project=project)[1]


def planned_or_exit(paths: Sequence[Path], *, project: Path) -> tuple[Project, Plan]:
    """Return the project and the plan of the chosen files; as :func:`plan_or_exit`."""
    result = read(paths, project=project)
    out.report(result.findings, root=project)
    if result.plan is None or result.project is None:
        raise click.exceptions.Exit(1)
    return result.project, result.plan


def operation_or_exit(name: str, *, project: Path, warn: bool = True) -> tuple[Plan, PlannedOperation]:
    """Return an operation and the plan of the file that holds it.

    Only that file and the entities it refers to have to be right; that others cannot be read is said in a
    line. What is wrong is printed, and an error ends the program.

    Args:
        name: The operation's name.
        project: The folder of ``specgen.yaml``.
        warn: Whether warnings are of interest to who writes the spec; who runs it has heard them.

    Raises:
        UsageError: There is no such operation.
    """
    from specgen.plan.project import plan_project
    from specgen.spec.needed import load_needed

    with no_collector():
        needed = load_needed(name, root=project)
        planned = plan_project(needed.loaded.project) if needed.loaded.project else None
    findings = (*needed.loaded.findings, *(planned.findings if planned else ()))
    if warn or out.failed(findings):
        out.report(findings, root=project)
    if planned is not None and planned.plan is not None:
        out.note_aside(needed.aside)
        return planned.plan, planned.plan.operation(name)
    if needed.unknown:
        raise no_operation(name, needed.operations)
    raise click.exceptions.Exit(1)


def no_operation(name: str, names: Sequence[str]) -> UsageError:
    """Return the error of an operation that is not there."""
    from specgen.errors import UsageError
    from specgen.spec.suggest import did_you_mean

    listed = f"there are {', '.join(names)}" if names else "the project has none"
    help = did_you_mean(name, names) or listed
    return UsageError(f'there is no operation "{name}"', help=help)


def render(plan: Plan, *, project: Path) -> tuple[RenderedFile, ...]:
    """Render a plan's SQL, and parse it once more; print what is wrong with it, and exit."""
    from specgen.render.checked import render_checked

    with no_collector():
        checked = render_checked(plan, shadow=shadow_folder(project))
    if checked.findings:
        out.report(checked.findings, root=project)
        raise click.exceptions.Exit(1)
    return checked.files


def shadow_folder(project: Path) -> Path | None:
    """Return the folder of the project's own templates, if it has one."""
    folder = project / "templates"
    return folder if folder.is_dir() else None


@contextmanager
def no_collector() -> Iterator[None]:
    """Spare the garbage collector walking, again and again, a model that only grows: a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _whole(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
