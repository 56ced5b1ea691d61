"""``specgen validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from specgen.cli import findings as out
from specgen.cli.commands import Command
from specgen.cli.options import paths_argument, project_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=Command,
    examples=(
        "specgen validate",
        "specgen validate entities/user.yaml",
        "specgen validate --format sarif > findings.sarif",
    ),
)
@paths_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(out.FORMATS),
    default="text",
    show_default=True,
    help="text goes to stderr, the others to stdout.",
)
@project_option
@click.pass_context
def validate(context: click.Context, *, paths: tuple[Path, ...], form: str, project: Path) -> None:
    """Check spec files: structure, meaning, types, and every piece of SQL.

    PATHS are files or folders; without any, the project's entities. All findings are reported together.
    Warnings alone are no failure.
    """
    from specgen.cli.pipeline import read

    result = read(paths, project=project)
    findings = [item for item in result.findings if item.span.file in result.selection]
    if result.plan is None and not out.failed(findings):
        # What is wrong stands in a file that was not asked about: all of it, or it would look valid.
        findings = list(result.findings)
    out.report(findings, root=project, form=form)
    if result.plan is None:
        context.exit(1)
    if form == "text":
        operations = sum(len(entity.operations) for entity in result.plan.entities)
        entities = out.count_of(len(result.plan.entities), "entity")
        click.echo(f"{entities}, {out.count_of(operations, 'operation')}: valid")
