"""Why a file is no YAML, seen from its lines: the parser notices that it is none, and names its own rules."""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEY = re.compile(r"""(?:[\w.-]+|"[^"]*"|'[^']*')\s*:(?:\s|$)""")
_OPENS = re.compile(r":\s*(?:[|>][-+0-9]*|&\S+|!\S*)?\s*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that says something.

    Attributes:
        number: Counted from 1.
        dash: The column of its first dash, counted from 0, if it begins a list's item.
        start: The column of what it says, behind the dashes.
        text: The whole of it.
    """

    number: int
    dash: int | None
    start: int
    text: str

    @property
    def indent(self) -> int:
        """Where it begins."""
        return self.start if self.dash is None else self.dash


def indentation(text: str, number: int) -> tuple[str, str] | None:
    """Return message and help where a line does not begin in a column in which it can.

    Args:
        text: The file.
        number: The line that the parser stumbled over, counted from 1.
    """
    lines = _lines(text, number)
    if not lines or lines[-1].number != number:
        return None
    line, above = lines[-1], lines[:-1]
    if not above or not (line.dash is not None or _KEY.match(line.text[line.start :])):
        return None
    last = above[-1]
    if _OPENS.search(last.text) and line.indent > last.indent:
        return None
    columns = _columns(above, dashes=line.dash is not None)
    if not columns or line.indent in columns:
        return None
    ordered = sorted(columns, key=lambda column: (abs(column - line.indent), -column))[:2]
    said = [f"in column {column + 1}, as line {columns[column]} does" for column in ordered]
    message = f"this line begins in column {line.indent + 1}, and nothing that it could belong to does"
    return message, "begin it " + ", or ".join(said)


def _lines(text: str, until: int) -> list[_Line]:
    found: list[_Line] = []
    for number, line in enumerate(text.splitlines()[:until], 1):
        if not line.strip() or line.lstrip().startswith(("#", "---")):
            continue
        dashes = re.match(r"\s*((?:-\s+)*)", line)
        start = dashes.end() if dashes else 0
        indent = len(line) - len(line.lstrip())
        found.append(_Line(number, indent if start > indent else None, start, line))
    return found


def _columns(above: list[_Line], *, dashes: bool) -> dict[int, int]:
    """Return the columns of what is still open at the end of some lines, each with the line it stands in."""
    found: dict[int, int] = {}
    limit: int | None = None
    for line in reversed(above):
        for column, is_dash in ((line.start, False), (line.dash, True)):
            if column is None or (limit is not None and column >= limit):
                continue
            limit = column
            if is_dash == dashes or (dashes and not is_dash and _OPENS.search(line.text)):
                found[column] = line.number
    return found


def quoting(text: str, number: int) -> str | None:
    """Return what is to be done where quotes or a blank are amiss in a line, or in the one above.

    Args:
        text: The file.
        number: The line that the parser stumbled over, counted from 1.
    """
    lines = text.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    if match := re.search(r":\s+[%@`]\(?(\w+)", line):
        return f"a parameter is written :{match[1]}; a text that starts with a special character needs quotes"
    if re.search(r""":\s+("[^"]*"|'[^']*')\s*[^\s#,}\]]""", line):
        return "what begins with a quote ends with it: put the whole text into quotes of the other kind"
    for place in (number - 1, number - 2):
        match = re.match(r"\s*(?:-\s+)?(\w+):([^\s:/]\S*)", lines[place]) if 0 <= place < len(lines) else None
        if match:
            return f"in line {place + 1} a blank is missing behind the colon: {match[1]}: {match[2]}"
    return None
