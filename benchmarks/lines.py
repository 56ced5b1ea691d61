"""How many lines are generated for the examples."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEADER = re.compile(r"^-- (\w+): ")
OPERATION = re.compile(r"^ *(?:- )?operation: (\w+)", re.MULTILINE)


def counted(checkout: Path) -> dict[str, int]:
    """Return the lines of what ``checkout`` has in its examples."""
    generated = sorted(checkout.glob("examples/*/generated/*.sql"))
    billing = checkout / "examples/billing"
    return {
        "a delete of six lines (billing, discard_open_bills)": _of(billing, "discard_open_bills"),
        "five steps (billing, bill_month)": _of(billing, "bill_month"),
        "all examples, beside the runtime": sum(
            _lines(file) for file in generated if not file.name.startswith("00_")
        ),
        "the runtime": sum(_lines(file) for file in generated if _is_runtime(file, billing)),
    }


def table(before: Path, after: Path) -> list[str]:
    """Return the lines of both as the rows of a table."""
    then, now = counted(before), counted(after)
    return [
        "| lines of | before | after | after / before |",
        "|---|---|---|---|",
        *(f"| {what} | {then[what]:,} | {now[what]:,} | {now[what] / then[what]:.2f} |" for what in then),
    ]


def _is_runtime(file: Path, project: Path) -> bool:
    return file.name.startswith("00_") and file.is_relative_to(project)


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def _of(project: Path, operation: str) -> int:
    """Count from an operation's header to that of the next, or to the end of the file."""
    specs = (file.read_text(encoding="utf-8") for file in sorted(project.glob("entities/*.yaml")))
    operations = {name for spec in specs for name in OPERATION.findall(spec)}
    count = 0
    for file in sorted(project.glob("generated/*.sql")):
        inside = False
        for line in file.read_text(encoding="utf-8").splitlines():
            header = HEADER.match(line)
            if header and header[1] in operations:
                inside = header[1] == operation
            count += inside
    if not count:
        raise SystemExit(f"{project}: no lines of {operation} were found")
    return count
