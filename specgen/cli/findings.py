"""Findings on the terminal: text to stderr, what programs read to stdout, a summary, and the exit."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from specgen import __version__
from specgen.cli.printing import say, visible
from specgen.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specgen.diagnostics import Finding

FORMATS = ("text", "json", "sarif", "github")


def report(findings: Sequence[Finding], *, root: Path, form: str = "text") -> None:
    """Print findings in one of the forms, and a summary to stderr when there are any."""
    from specgen import renderings

    match form:
        case "json":
            say(renderings.render_json(findings), nl=False)
        case "sarif":
            say(renderings.render_sarif(_from_here(findings, root), __version__), nl=False)
        case "github":
            say(renderings.render_github(_from_here(findings, root)), nl=False)
        case _:
            say(renderings.render_text(findings, line_reader(root)), nl=False, err=True)
    if findings:
        say(summary(findings), err=True)


def note_aside(findings: Sequence[Finding]) -> None:
    """Say in a line that files which are not needed cannot be read."""
    files = tuple(dict.fromkeys(item.span.file for item in findings if item.severity is Severity.ERROR))
    if files:
        more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        why = '"specgen validate" tells why'
        say(f"note: {visible(files[0])}{more} cannot be read; it is not needed here ({why})", err=True)


def _from_here(findings: Sequence[Finding], root: Path) -> list[Finding]:
    """Name files as seen from the current folder, which for CI is the top of the repository."""

    def seen(file: str) -> str:
        path = root / file
        return path.as_posix() if not root.is_absolute() and path.exists() else file

    return [replace(item, span=replace(item.span, file=seen(item.span.file))) for item in findings]


def summary(findings: Sequence[Finding]) -> str:
    """Return the line ``3 errors, 1 warning in 2 files``."""
    errors = sum(item.severity is Severity.ERROR for item in findings)
    counts = [(errors, "error"), (len(findings) - errors, "warning")]
    told = ", ".join(count_of(number, word) for number, word in counts if number)
    return f"{told} in {count_of(len({item.span.file for item in findings}), 'file')}"


def count_of(number: int, word: str) -> str:
    """Return ``1 file``, ``2 files``, ``2 entities``."""
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number:,} {word if number == 1 else plural}"


def failed(findings: Sequence[Finding]) -> bool:
    """Whether there is an error among them."""
    return any(item.severity is Severity.ERROR for item in findings)


def line_reader(root: Path) -> Callable[[str, int], str | None]:
    """Return a function that reads lines of the files that findings name."""

    @lru_cache(maxsize=64)
    def lines(file: str) -> tuple[str, ...]:
        for base in (root, Path()):
            try:
                text = (base / file).read_bytes().decode("utf-8-sig", "replace")
            except OSError:
                continue
            return tuple(text.splitlines())
        return ()

    def read(file: str, line: int) -> str | None:
        found = lines(file)
        return found[line - 1] if line <= len(found) else None

    return read
