"""Checks against a database, as ``validate``, ``deploy`` and ``run`` have them done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from specgen.database.connection import Connection
    from specgen.database.deploy import Script
    from specgen.diagnostics import Finding
    from specgen.plan.planned import PlannedOperation
    from specgen.plan.project import Plan
    from specgen.spec.model import Project

SHOWN_LACKS = 3


def check(
    connection: Connection,
    planned: tuple[Project, Plan],
    folder: Path,
    *,
    setup: Sequence[Script] = (),
) -> tuple[Finding, ...]:
    """Return what a database has against a project.

    Args:
        connection: In autocommit mode.
        planned: The project, and what is planned of it.
        folder: The folder of ``specgen.yaml``.
        setup: What is applied first, and undone.
    """
    from specgen.checks.database import check_database
    from specgen.checks.keys import SCHEMA
    from specgen.cli.pipeline import render
    from specgen.database.deploy import Script
    from specgen.render.engine import render_catalog

    def scripts(part: Plan) -> list[Script]:
        return [Script(file.name, file.text) for file in render(part, project=folder)]

    project, plan = planned
    return check_database(connection, project, plan, scripts, catalog_sql=render_catalog(SCHEMA), setup=setup)


def warn_beforehand(
    url: str, plan: Plan, operation: PlannedOperation, folder: Path, *, reads_file: bool = False
) -> None:
    """Tell what about a database makes a run other than one expects: other functions, or indexes it lacks.

    Raises:
        UsageError: Nothing is deployed there.
        Refused: The runtime is of another version, or a file would be read by one spec, and its records
            handed to functions of another.
    """
    from dataclasses import replace

    from specgen.checks.deployed import is_stale, takes_others
    from specgen.checks.indexes import lacking_in_a_run
    from specgen.cli.pipeline import render
    from specgen.cli.printing import say, visible
    from specgen.database.connection import connect, translated
    from specgen.database.version import require_version
    from specgen.errors import Refused

    home = next(item for item in plan.entities if operation in item.operations)
    alone = replace(plan, entities=(replace(home, table=None, operations=(operation,)),))
    script = next(file.text for file in render(alone, project=folder) if file.name == home.file)
    with connect(url, application="specgen run") as connection, translated():
        require_version(connection, operation.runtime)
        stale = is_stale(connection, operation, script)
        other = reads_file and stale and takes_others(connection, operation)
        lacking = lacking_in_a_run(connection, operation)
    if other:
        raise Refused(
            f"{operation.name} was deployed from another spec, which does something else with its records: "
            "the file would be read by one and written by the other",
            help='"specgen deploy" brings it up to date',
        )
    if stale:
        say(
            f"warning: {operation.name} was deployed from another spec, or by another version of specgen\n"
            '   help: "specgen deploy" brings it up to date',
            err=True,
        )
    for lack in lacking[:SHOWN_LACKS]:
        say(f"warning: {visible(lack.message)} ({lack.size})\n   help: {visible(lack.statement)}", err=True)
    if len(lacking) > SHOWN_LACKS:
        more = len(lacking) - SHOWN_LACKS
        say(f'   and {more} more: "specgen validate --database-url URL" names them', err=True)
