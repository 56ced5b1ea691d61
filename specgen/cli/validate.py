"""``specgen validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from specgen.cli import findings as out
from specgen.cli.commands import Command
from specgen.cli.options import paths_argument, project_option
from specgen.cli.printing import say

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.cli.pipeline import Result
    from specgen.diagnostics import Finding


@click.command(
    cls=Command,
    examples=(
        "specgen validate",
        "specgen validate entities/user.yaml",
        "specgen validate --format sarif > findings.sarif",
        "specgen validate --database-url postgresql://localhost/app",
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
@click.option(
    "--database-url",
    metavar="URL",
    help="Check against this database too; no environment variable stands for it.",
)
@click.option(
    "--setup/--no-setup", default=False, help="With --database-url: apply setup_sql first, and undo it."
)
@project_option
@click.pass_context
def validate(
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    form: str,
    database_url: str | None,
    setup: bool,
    project: Path,
) -> None:
    """Check spec files: structure, meaning, types, and every piece of SQL.

    PATHS are files or folders; without any, the project's entities. All findings are reported together.
    Warnings alone are no failure.

    With --database-url, also what only a database can tell: functions, tables and columns that are not
    there, types that do not meet. What deploy would make is made in a transaction that is always undone.
    """
    from specgen.cli.pipeline import read

    if setup and database_url is None:
        raise click.UsageError("--setup goes with --database-url")
    result = read(paths, project=project)
    findings = [item for item in result.findings if item.span.file in result.selection]
    if result.plan is None and not out.failed(findings):
        # What is wrong stands in a file that was not asked about: all of it, or it would look valid.
        findings = list(result.findings)
    if database_url is not None and result.plan is not None:
        findings += _against(database_url, result, project, setup=setup)
    out.report(findings, root=project, form=form)
    if result.plan is None or out.failed(findings):
        context.exit(1)
    if form == "text":
        operations = sum(len(entity.operations) for entity in result.plan.entities)
        entities = out.count_of(len(result.plan.entities), "entity")
        say(f"{entities}, {out.count_of(operations, 'operation')}: valid")


def _against(url: str, result: Result, folder: Path, *, setup: bool) -> tuple[Finding, ...]:
    from specgen.cli.checking import check
    from specgen.cli.deploy import setup_scripts
    from specgen.database.connection import connect

    assert result.plan is not None
    assert result.project is not None
    scripts = setup_scripts(result.plan, folder) if setup else []
    with connect(url, application="specgen validate") as connection:
        return check(connection, (result.project, result.plan), folder, setup=scripts)
