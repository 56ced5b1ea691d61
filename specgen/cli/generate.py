"""``specgen generate`` and its form ``generate tests``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specgen.cli import findings as out
from specgen.cli.commands import Command, Forms
from specgen.cli.options import F, paths_argument, project_option
from specgen.cli.printing import document, say, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specgen.cli.pipeline import Result
    from specgen.output.files import Change, File


def output_options(function: F) -> F:
    """Where files go, and what is done instead of writing them."""
    for decorate in (
        click.option("--dry-run", is_flag=True, help="List what would happen; write nothing."),
        click.option(
            "--diff",
            "show_diff",
            is_flag=True,
            help="Print the difference, and fail if there is one; write nothing.",
        ),
        click.option(
            "--check", is_flag=True, help="Fail, naming each file that is not as it should be; write nothing."
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Folder of the files.  [default: the project's]",
        ),
    ):
        function = decorate(function)
    return function


@click.command(
    "tests",
    cls=Command,
    examples=(
        "specgen generate tests entities/user.yaml",
        "specgen generate tests --check",
    ),
)
@paths_argument
@output_options
@project_option
def tests(*, paths: tuple[Path, ...], project: Path, output: Path | None, **how: Any) -> None:
    """Write pytest files that check the operations on a real PostgreSQL."""
    from specgen.cli.pipeline import read
    from specgen.testing.render import render_tests

    result = read(paths, project=project)
    plan = _plan(result, project)
    assert result.project is not None
    folder = output or project / plan.settings.paths.tests
    put(render_tests(plan, result.project), folder, result, **how)


@click.command(
    cls=Forms,
    forms={"tests": tests},
    examples=(
        "specgen generate",
        "specgen generate entities/user.yaml -o build/sql",
        "specgen generate --check",
        "specgen generate --diff",
    ),
)
@click.argument(
    "paths",
    nargs=-1,
    type=click.Path(exists=True, path_type=Path),
    shell_complete=lambda context, _parameter, incomplete: context.command.complete(incomplete),
)
@output_options
@project_option
def generate(*, paths: tuple[Path, ...], project: Path, output: Path | None, **how: Any) -> None:
    """Write the SQL of spec files: tables, and the functions of their operations.

    PATHS are files or folders; without any, the project's entities. Only files that change are written,
    generated files that no spec yields any more are removed, and when there is any error nothing is
    touched. A folder named like a form is written ./tests.
    """
    from specgen.cli.pipeline import read, render

    result = read(paths, project=project)
    plan = _plan(result, project)
    folder = output or project / plan.settings.paths.sql
    put(render(plan, project=project), folder, result, **how)


def _plan(result: Result, project: Path) -> Any:
    out.report(result.findings, root=project)
    if result.plan is None:
        raise click.exceptions.Exit(1)
    return result.plan


def put(
    files: Sequence[File], folder: Path, result: Result, *, check: bool, show_diff: bool, dry_run: bool
) -> None:
    """Compare files with their folder, and write them unless something else was asked for."""
    from specgen.output.files import compare, diff, differences, write

    changes = compare(files, folder, owns=lambda source: source in result.selection)
    changed = differences(changes)
    if show_diff:
        document("".join(diff(changes)))
    elif check:
        for change in changed:
            say(f"{_CHECKED[change.verb]:>9}  {visible(_shown(change))}")
    else:
        if not dry_run:
            write(changes)
        for change in changed:
            say(f"{change.verb:>9}  {visible(_shown(change))}")
    told = out.count_of(len(changes), "file")
    if check or show_diff:
        say(f"{told}, {len(changed)} not up to date", err=True)
        if changed:
            raise click.exceptions.Exit(1)
    else:
        verb = "would change" if dry_run else "changed"
        say(f"{told} in {folder}, {len(changed)} {verb}", err=True)


_CHECKED = {"create": "missing", "update": "differs", "remove": "stale"}


def _shown(change: Change) -> str:
    return str(change.path)
