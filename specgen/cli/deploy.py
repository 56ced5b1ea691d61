"""``specgen deploy``: the project's SQL, generated in memory and applied to a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from specgen.cli.commands import Command
from specgen.cli.options import json_option, paths_argument, project_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.database.deploy import Script
    from specgen.plan.project import Plan


@click.command(
    "deploy",
    cls=Command,
    examples=(
        "specgen deploy --database-url postgresql://localhost/app",
        "specgen deploy entities/user.yaml --dry-run",
        "specgen deploy --setup",
    ),
)
@paths_argument
@click.option("--setup/--no-setup", default=False, help="Apply setup_sql of specgen.yaml first.")
@click.option("--dry-run", is_flag=True, help="Print the SQL; connect to nothing.")
@click.option("--each", is_flag=True, help="A transaction for each file; else all of them or none.")
@url_option
@project_option
@json_option
def deploy(
    paths: tuple[Path, ...],
    *,
    setup: bool,
    dry_run: bool,
    each: bool,
    database_url: str | None,
    project: Path,
    as_json: bool,
) -> None:
    """Apply the SQL of spec files to a database.

    The SQL is generated in memory, checked, and applied in load order: what all operations share, then
    the entities. Applying it again changes nothing; deployments at the same time wait for each other.
    """
    from specgen.cli import show
    from specgen.cli.findings import count_of
    from specgen.cli.pipeline import plan_or_exit
    from specgen.database.connection import connect
    from specgen.database.connection import database_url as resolve
    from specgen.database.deploy import deploy as apply

    url = "" if dry_run else resolve(database_url)
    plan = plan_or_exit(paths, project=project)
    scripts = gather(plan, project, setup=setup)
    if dry_run:
        click.echo("\n".join(script.text for script in scripts), nl=False)
        return
    applied = []
    with connect(url, application="specgen deploy") as connection:
        place = f"{connection.info.host or 'local socket'}:{connection.info.port}/{connection.info.dbname}"
        for item in apply(connection, scripts, single_transaction=not each):
            applied.append({"file": item.name, "seconds": round(item.seconds, 3)})
            if each and not as_json:
                click.echo(f"  applied  {item.name}")
    if not each and not as_json:
        # Only now: before the end, none of them is there to stay.
        click.echo("".join(f"  applied  {item['file']}\n" for item in applied), nl=False)
    if as_json:
        show.print_json({"database": place, "files": applied})
    operations = sum(len(entity.operations) for entity in plan.entities)
    click.echo(f"{count_of(len(applied), 'file')}, {count_of(operations, 'operation')} to {place}", err=True)


def gather(plan: Plan, project: Path, *, setup: bool) -> list[Script]:
    """Return what is to be applied, in order; print what is wrong with it, and exit.

    Raises:
        UsageError: A file of ``setup_sql`` cannot be read.
    """
    from specgen.cli.pipeline import render
    from specgen.database.deploy import Script

    scripts = setup_scripts(plan, project) if setup else []
    return scripts + [Script(file.name, file.text) for file in render(plan, project=project)]


def setup_scripts(plan: Plan, project: Path) -> list[Script]:
    """Read the files of ``setup_sql``.

    Raises:
        UsageError: One cannot be read.
    """
    from specgen.database.deploy import Script
    from specgen.errors import UsageError

    scripts = []
    for name in plan.settings.setup_sql:
        try:
            scripts.append(Script(name.as_posix(), (project / name).read_text(encoding="utf-8-sig")))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"setup_sql: {name.as_posix()}: {error}", help="see specgen.yaml") from error
    return scripts
