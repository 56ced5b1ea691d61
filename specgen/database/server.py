"""What every provider yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Where a server comes from."""

    URL = "url"
    CONTAINER = "container"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL that answers.

    Attributes:
        dsn: Connects to its maintenance database, with the right to create others; a URI or ``key=value``.
        version: The major version.
        kind: Where it comes from.
        description: One line for people, without a password.
    """

    dsn: str = field(repr=False)
    version: int
    kind: Kind
    description: str
