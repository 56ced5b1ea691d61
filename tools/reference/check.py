"""What ``specgen validate`` says about a document: never written by hand, so never out of date."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specgen.plan.project import plan_project
from specgen.renderings import render_text
from specgen.spec.build import load_project
from tools.reference.text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specgen.diagnostics import Finding
    from specgen.plan.project import Plan


def write(folder: Path, documents: Mapping[str, Any]) -> None:
    """Write a project: ``specgen.yaml`` at its top, spec files where they are looked for."""
    settings = documents.get("specgen.yaml", {})
    paths = settings.get("paths") if isinstance(settings, dict) else None
    entities = folder / ((paths or {}).get("entities") or "entities")
    folder.mkdir(exist_ok=True)
    for name, data in documents.items():
        if not data:
            continue
        path = folder / name if name == "specgen.yaml" else entities / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml_text(data), encoding="utf-8")


def planned(folder: Path) -> tuple[Plan | None, list[Finding]]:
    """Return the plan of a project, and all that was found."""
    loaded = load_project([], root=folder)
    if loaded.project is None:
        return None, list(loaded.findings)
    result = plan_project(loaded.project)
    return result.plan, [*loaded.findings, *result.findings]


def findings(documents: Mapping[str, Any]) -> str:
    """Return what validation prints about a project, files named as if they stood in one folder."""
    with tempfile.TemporaryDirectory(prefix="specgen-reference-") as name:
        folder = Path(name)
        write(folder, documents)

        def read_line(file: str, line: int) -> str | None:
            path = folder / file
            return path.read_text(encoding="utf-8").splitlines()[line - 1] if path.is_file() else None

        return "".join(_lines(render_text(planned(folder)[1], read_line)))


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        yield line.rpartition("entities/")[2] if "yaml:" in line.split(" ")[0] else line
