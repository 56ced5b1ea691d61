"""Secrets that come by the command line, where every user of the machine sees them: taken off the title.

Nothing heavy is imported, so that it is done before anything else.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HIDDEN = "***"
_OPTIONS = ("--database-url", "--specgen-database-url")
_SECRET = re.compile(r"://.*:.*@|password|secret", re.IGNORECASE | re.DOTALL)
_LOGIN = re.compile(r"://[^\s\"']*@")


def hide_secrets(argv: Sequence[str] = sys.orig_argv) -> None:
    """Show the command line of this process without a connection string that holds a password."""
    title = [
        word.replace(value, HIDDEN) if value and _SECRET.search(value) else word
        for word, value in _with_urls(argv)
    ]
    if title != list(argv):
        # Only then: what a title costs, and may break on an odd system, others are spared.
        from setproctitle import setproctitle

        setproctitle(" ".join(title))


def urls(argv: Sequence[str]) -> list[str]:
    """Return the connection strings on a command line."""
    return [value for _, value in _with_urls(argv) if value]


def without_logins(text: str) -> str:
    """Return a text without what stands before the @ of URLs in it."""
    return _LOGIN.sub(f"://{HIDDEN}@", text)


def _with_urls(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each word with the connection string in it, if any."""
    before = ""
    for word in argv:
        option, _, value = word.partition("=")
        yield word, word if before in _OPTIONS else value if option in _OPTIONS else ""
        before = word
