"""Which files of a project are spec files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def walk(folder: Path) -> Iterator[Path]:
    """Yield the spec files in a folder and below it, sorted; what is hidden is left out."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from walk(path)
        elif path.suffix in (".yaml", ".yml") and path.name != "specgen.yaml":
            yield path
