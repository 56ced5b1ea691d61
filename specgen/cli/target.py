"""What commands that work on a user's own database need: its address, the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from specgen.spec.model import Settings


def settings_or_exit(project: Path) -> Settings:
    """Read ``specgen.yaml`` alone; print what is wrong with it, and exit."""
    from specgen.cli.findings import failed, report
    from specgen.diagnostics import Findings
    from specgen.spec.config import load_settings

    found = Findings()
    settings = load_settings(project, found).settings
    report(found.items, root=project)
    if failed(found.items):
        raise click.exceptions.Exit(1)
    return settings


def operation_id_of(text: str) -> UUID:
    """Return an operation's id as it was typed.

    Raises:
        UsageError: It is none.
    """
    from uuid import UUID

    from specgen.errors import UsageError

    try:
        return UUID(text)
    except ValueError:
        raise UsageError(f'"{text}" is no id of an operation', help='see "specgen status"') from None
