"""What a shell is offered where an operation's name is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def complete_operation(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the operations of the project; nothing where they cannot be told."""
    from click.shell_completion import CompletionItem

    from specgen.cli.printing import visible
    from specgen.spec.outline import operation_names

    try:
        names = operation_names(Path(context.params.get("project") or "."))
    except Exception:  # whatever is wrong, a shell that completes is no place to say it
        return []
    return [
        CompletionItem(name, help=visible(" ".join(description.split())))
        for name, description in names.items()
        if name.startswith(incomplete) and name == visible(name)
    ]
