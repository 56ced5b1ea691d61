"""Checks against a database, as ``validate`` and ``deploy`` have them done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from specgen.database.connection import Connection
    from specgen.database.deploy import Script
    from specgen.diagnostics import Finding
    from specgen.plan.project import Plan
    from specgen.spec.model import Project


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
    from specgen.cli.pipeline import render
    from specgen.database.deploy import Script

    def scripts(part: Plan) -> list[Script]:
        return [Script(file.name, file.text) for file in render(part, project=folder)]

    project, plan = planned
    return check_database(connection, project, plan, scripts, setup=setup)
