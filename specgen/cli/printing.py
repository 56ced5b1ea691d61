"""The one place that prints: nothing goes out that a terminal would obey, but what specgen itself adds.

Of a line that holds a value from elsewhere, the value goes through :func:`visible` first, so that it stays on
its line; whatever else a terminal would act on is shown here.
"""

from __future__ import annotations

import re
import sys
from typing import IO, TYPE_CHECKING, Any, cast

import click

from specgen.database.argv import without_logins
from specgen.visible import json_text, visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ask", "document", "indented", "print_json", "say", "say_usage", "visible"]

_CONTINUED = re.compile(r"\n(?! {3})")


def say(text: str = "", *, err: bool = False, nl: bool = True, bold: bool | None = None) -> None:
    """Print text for people; its line ends are those of the layout."""
    click.secho(visible_lines(text), err=err, nl=nl, bold=bold)


def indented(text: str) -> str:
    """Return a message whose further lines are set in, so that none of them looks like another message."""
    return _CONTINUED.sub("\n   ", text)


def document(text: str, *, nl: bool = False) -> None:
    """Print to stdout what programs read: to the byte, unless a terminal would have to show it."""
    # To click, colour is what looks like an escape sequence, and it would take that out of a pipe.
    click.echo(visible_lines(text) if sys.stdout.isatty() else text, nl=nl, color=True)


def print_json(found: Any, *, default: Callable[[Any], Any] | None = None) -> None:
    """Print a document as JSON."""
    click.echo(json_text(found, default=default))


def ask(question: str) -> bool:
    """Ask for a yes on the terminal."""
    return click.confirm(visible(question), err=True)


def say_usage(error: click.ClickException) -> None:
    """Print what click has to say of a wrong command line."""
    error.show(cast("IO[str]", _Guarded(sys.stderr)))


class _Guarded:
    """A stream for those who print by themselves."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, which a terminal then only shows."""
        body = text.removesuffix("\n")
        end = text[len(body) :]
        body = without_logins(body)
        return self._stream.write(visible_lines(indented(body) if body.startswith("Error") else body) + end)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Say yes: to others click would hide what looks like a sequence, instead of having it shown."""
        return True
