"""The names of a project's operations, without looking at what they mean: for completion in a shell.

Someone who presses a key waits, and a project is broken half of the time one works on it. So files are only
read as YAML, and what cannot be read is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specgen.diagnostics import Findings
from specgen.spec.config import load_settings
from specgen.spec.files import walk
from specgen.spec.source import read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def operation_names(root: Path) -> dict[str, str]:
    """Return operation → its description, or nothing said, in the order of files and places.

    Args:
        root: The project's folder.
    """
    folder = root / load_settings(root, Findings()).settings.paths.entities
    if not folder.is_dir():
        return {}
    found: dict[str, str] = {}
    for path in walk(folder):
        for document in read_documents(path, path.name, Findings()):
            for pattern in patterns(document.data):
                name, description = pattern.get("operation"), pattern.get("description")
                if isinstance(name, str):
                    found.setdefault(name, description if isinstance(description, str) else "")
    return found


def patterns(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the maps under ``patterns`` of a document, whatever else is wrong with it."""
    found = data.get("patterns") if isinstance(data, dict) else None
    for pattern in found if isinstance(found, list) else ():
        if isinstance(pattern, dict):
            yield pattern
