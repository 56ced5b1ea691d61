"""Names as PostgreSQL takes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.diagnostics import Findings, Span

MAX_BYTES = 63


def check_name(name: str, span: Span, what: str, findings: Findings) -> bool:
    """Report a name that PostgreSQL cannot hold; return whether it can."""
    size = len(name.encode())
    if not name.strip():
        findings.error("bad-name", span, f"the {what} is empty", "give it a name")
    elif "\0" in name:
        findings.error("bad-name", span, f"the {what} holds a NUL character", "remove it")
    elif size > MAX_BYTES:
        message = f"the {what} has {size} bytes, and PostgreSQL's names have at most {MAX_BYTES}"
        findings.error("name-too-long", span, message, f'shorten it, for example to "{_cut(name)}"')
    else:
        return True
    return False


_DOTTED = re.compile(r"([^\W\d]\w*)\.([^\W\d]\w*)")


def warn_of_dot(table: str, schema: str, span: Span, findings: Findings) -> None:
    """Warn of a table that is called like one in a schema; who names its schema besides means it."""
    dotted = _DOTTED.fullmatch(table)
    if dotted is not None:
        findings.warning(
            "dotted-table",
            span,
            f'"{table}" is a table of that name in the schema {schema}, not one in the schema {dotted[1]}',
            f"write schema: {dotted[1]} and table: {dotted[2]}; if the dot is part of the name, "
            f"say so with schema: {schema}",
        )


def _cut(name: str) -> str:
    return name.encode()[:MAX_BYTES].decode(errors="ignore").rstrip("_ ")


_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))\s*')


def split_name(text: str) -> tuple[str, ...] | None:
    """Cut a SQL name at its dots, quotes taken off and plain parts in lower case; nothing if it is none."""
    parts: list[str] = []
    place = 0
    while match := _PART.match(text, place):
        quoted, plain = match.groups()
        parts.append(quoted.replace('""', '"') if quoted else plain.lower())
        place = match.end()
        if place == len(text):
            return tuple(parts)
        if text[place] != ".":
            return None
        place += 1
    return None
