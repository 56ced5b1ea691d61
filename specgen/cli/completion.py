"""``specgen completion``."""

from __future__ import annotations

import click

from specgen.cli.commands import Command
from specgen.cli.printing import document

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=(
        "specgen completion bash > ~/.local/share/bash-completion/completions/specgen",
        "specgen completion zsh",
        "specgen completion fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print what makes a shell complete specgen's commands and options."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "specgen", "_SPECGEN_COMPLETE")
    # The base class's, since bash's own asks the bash that is installed here for its version.
    document(ShellComplete.source(script), nl=True)
