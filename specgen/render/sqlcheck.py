"""What was rendered, parsed once more with PostgreSQL's own grammar before anybody gets it.

A file that does not parse is a defect: of a template here, or of one that a project put in its place.
``parse_plpgsql_json`` does both halves in one call, the statements and the bodies of the functions in
them, at about 70 MB/s; building Python trees, as ``parse_sql`` does, takes twenty times as long.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from specgen.diagnostics import Finding, Position, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specgen.render.engine import RenderedFile

CODE = "broken-sql"


def check_files(files: Iterable[RenderedFile]) -> tuple[Finding, ...]:
    """Return a finding for each file that PostgreSQL could not read."""
    return tuple(finding for file in files if (finding := check_file(file)) is not None)


def check_file(file: RenderedFile) -> Finding | None:
    """Return what PostgreSQL's grammar has against a file, naming the line and the object."""
    if not file.name.endswith(".sql"):
        return None
    failure = _failure(file.text)
    if failure is None:
        return None
    line, column, message = failure
    start = Position(line, column)
    return Finding(
        CODE,
        Span(file.name, start, Position(line, column + 1)),
        f"internal error: the generated SQL does not parse: {message}",
        "a template in the project's own folder, if there is one, is the first place to look",
    )


@lru_cache(maxsize=16)
def _failure(text: str) -> tuple[int, int, str] | None:
    """Return line, column and message; cached, since the runtime is the same text every time."""
    from pglast import parser

    try:
        parser.parse_plpgsql_json(text)
    except parser.ParseError as error:
        return _located(text, error)
    return None


def _located(text: str, error: Exception) -> tuple[int, int, str]:
    from pglast import parser

    message = str(error.args[0])
    try:
        parts = parser.split(text, only_slices=True)
    except parser.ParseError as syntax:
        return (*_place(text, _offset(text, syntax)), str(syntax.args[0]))
    for part in parts:
        try:
            parser.parse_plpgsql_json(text[part])
        except parser.ParseError as again:
            first = text[part].lstrip().splitlines()
            statement = next((line for line in first if line and not line.startswith("--")), "")
            start = part.start + text[part].find(statement)
            return (*_place(text, start), f"{again.args[0]}, in {statement.strip()}")
    return (*_place(text, _offset(text, error)), message)


def _offset(text: str, error: Exception) -> int:
    """Return an error's offset in characters, zero when it has none that can be right."""
    offset = error.args[1] if len(error.args) > 1 else None
    return offset if isinstance(offset, int) and 0 <= offset < len(text) else 0


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")
