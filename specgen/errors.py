"""What specgen raises on purpose: one base class, facts as attributes, an exit code each.

Only the command line turns these into text on stderr and a process exit.
"""

from __future__ import annotations


class SpecgenError(Exception):
    """The base of everything specgen raises on purpose.

    Attributes:
        exit_code: What the process exits with when this reaches the command line.
        help: What would remedy it, if anything is known to.
    """

    exit_code: int = 1

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.help = help


class UsageError(SpecgenError):
    """The command was called in a way that makes no sense."""

    exit_code = 2


class DatabaseUnavailable(SpecgenError):  # noqa: N818 - named for the state, as libpq does
    """No database could be reached or started.

    Attributes:
        kind: Which provider said so (``url``, ``container``, ``embedded``), None if several did.
        reason: Why, without the name of the provider.
    """

    exit_code = 3

    def __init__(self, reason: str, *, kind: str | None = None, help: str | None = None) -> None:
        super().__init__(f"{kind} database: {reason}" if kind else reason, help=help)
        self.kind = kind
        self.reason = reason


class Refused(SpecgenError):  # noqa: N818 - an answer, not a fault
    """Refused for safety: a confirmation, a limit or a precondition is missing."""

    exit_code = 4
