"""``specgen deploy``: the project's SQL, generated in memory and applied to a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from specgen.cli.commands import Command
from specgen.cli.options import json_option, paths_argument, project_option, url_option
from specgen.cli.printing import document, say, visible

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.database.connection import Connection
    from specgen.database.deploy import Script
    from specgen.database.version import Version
    from specgen.plan.project import Plan
    from specgen.spec.model import Project


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
@click.option("--force", is_flag=True, help="Apply in spite of what the database is found to lack.")
@url_option
@project_option
@json_option
def deploy(
    paths: tuple[Path, ...],
    *,
    setup: bool,
    dry_run: bool,
    each: bool,
    force: bool,
    database_url: str | None,
    project: Path,
    as_json: bool,
) -> None:
    """Apply the SQL of spec files to a database.

    The SQL is generated in memory, checked, and applied in load order: what all operations share, then
    the entities. Applying it again changes nothing; deployments at the same time wait for each other.

    First the database is checked, as "specgen validate --database-url" does it: where a function or a table
    that operations need is missing, or a table is not what its spec says, nothing is applied. Tables of
    entities that are there are never altered.

    What operations share has a version. An earlier one is upgraded, in the same transaction; a newer one than
    this specgen knows is refused.
    """
    from specgen.cli import show
    from specgen.cli.findings import count_of
    from specgen.cli.pipeline import planned_or_exit
    from specgen.database.connection import connect, translated
    from specgen.database.connection import database_url as resolve
    from specgen.database.deploy import deploy as apply
    from specgen.database.version import outdated, read_version
    from specgen.versions import RUNTIME

    url = "" if dry_run else resolve(database_url)
    planned = planned_or_exit(paths, project=project)
    plan = planned[1]
    scripts = gather(plan, project, setup=setup)
    if dry_run:
        document("\n".join(script.text for script in scripts))
        return
    applied = []
    schema = plan.settings.runtime_schema
    with connect(url, application="specgen deploy") as connection, translated():
        before = read_version(connection, schema)
        _tell_upgrade(connection, before, schema, each=each)
        _check(connection, planned, project, setup=setup, force=force)
        place = f"{connection.info.host or 'local socket'}:{connection.info.port}/{connection.info.dbname}"
        for item in apply(connection, scripts, single_transaction=not each):
            applied.append({"file": item.name, "seconds": round(item.seconds, 3)})
            if each and not as_json:
                say(f"  applied  {visible(item.name)}")
        stale = outdated(connection, schema)
    if not each and not as_json:
        # Only now: before the end, none of them is there to stay.
        say("".join(f"  applied  {visible(str(item['file']))}\n" for item in applied), nl=False)
    if as_json:
        versions = {"before": before and before.number, "after": RUNTIME}
        show.print_json({"database": place, "files": applied, "runtime": versions, "outdated": stale})
    operations = sum(len(entity.operations) for entity in plan.entities)
    say(
        f"{count_of(len(applied), 'file')}, {count_of(operations, 'operation')} to {visible(place)}", err=True
    )
    if before is not None and before.number < RUNTIME:
        say(f"the runtime in schema {visible(schema)} is version {RUNTIME}", err=True)
    if stale:
        # Of other projects, or of files of this one that were not deployed now.
        say(
            "warning: these functions were generated for an earlier version of the runtime, and can do no"
            " more than say so:"
            + "".join(f"\n   {visible(name)}" for name in stale)
            + "\n   help: deploy the projects that they belong to again, with this specgen or a newer one",
            err=True,
        )


def _tell_upgrade(connection: Connection, before: Version | None, schema: str, *, each: bool) -> None:
    """Say what is about to become of the runtime.

    Raises:
        Refused: It is newer than this specgen.
        UsageError: It would be upgraded in a transaction of its own.
    """
    from specgen.cli.findings import count_of
    from specgen.database.version import refuse_newer, unfinished
    from specgen.errors import UsageError
    from specgen.versions import RUNTIME

    refuse_newer(before, schema)
    if before is None or before.number == RUNTIME:
        return
    goes = f"the runtime in schema {visible(schema)} goes from version {before.number} to {RUNTIME}"
    if each:
        raise UsageError(
            f"{goes}, which is done in one transaction with the functions that call it",
            help="deploy without --each",
        )
    count = unfinished(connection, schema)
    still = f"; {count_of(count, 'operation')} submitted to it not ended yet" if count else ""
    say(goes + still, err=True)


def _check(
    connection: Connection, planned: tuple[Project, Plan], folder: Path, *, setup: bool, force: bool
) -> None:
    """Print what the database has against the project, and exit when it is an error."""
    from specgen.cli.checking import check
    from specgen.cli.findings import failed, report

    scripts = setup_scripts(planned[1], folder) if setup else []
    # What cannot be applied, applying says best: with the line of the file.
    told = ("not-deployable", "runtime-version")
    found = [item for item in check(connection, planned, folder, setup=scripts) if item.code not in told]
    report(found, root=folder)
    if failed(found) and not force:
        say("nothing was applied; --force applies it all the same", err=True)
        raise click.exceptions.Exit(1)


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
