"""``specgen schema``."""

from __future__ import annotations

import click

from specgen.cli.commands import Command
from specgen.cli.printing import document


@click.command(
    cls=Command,
    examples=(
        "specgen schema",
        "specgen schema specgen",
        "specgen schema entity > entity.schema.json",
    ),
)
@click.argument(
    "which", type=click.Choice(("entity", "specgen")), default="entity", metavar="[entity|specgen]"
)
def schema(*, which: str) -> None:
    """Print the JSON Schema of entity files, or of specgen.yaml, for editors.

    It describes what this version understands: keys with meaning, default and example. Editors find it by the
    first line of a file, `# yaml-language-server: $schema=PATH`, which `specgen init` writes.
    """
    from specgen.spec.published import published_text

    document(published_text(which))
