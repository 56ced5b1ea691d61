"""What a spec file that cannot be read may define: nobody is told that it is missing elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(
    r"""^[ \t]*(?:name|["']name["'])[ \t]*:[ \t]*(["']?)(.+?)\1[ \t]*(?:#.*)?$""", re.MULTILINE
)


class AnyName(frozenset[str]):
    """The names of a file of which nothing can be told: it may define any entity."""

    def __contains__(self, name: object) -> bool:
        return True


def names_defined(path: Path) -> frozenset[str]:
    """Return the names that a file may give to entities, as far as a text that is no YAML tells them."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return AnyName()
    names = frozenset(match[2] for match in _NAME.finditer(text))
    return names if names or not text.strip() else AnyName()


def joined(*names: frozenset[str]) -> frozenset[str]:
    """Return all names of several files."""
    return next((item for item in names if isinstance(item, AnyName)), frozenset().union(*names))
