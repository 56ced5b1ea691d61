"""What was rendered, parsed once more with PostgreSQL's own grammar before anybody gets it.

A file that does not parse is a defect: of a template here, or of one that a project put in its place.
``parse_plpgsql_json`` does both halves in one call, the statements and the bodies of the functions in
them, at about 40 MB/s; building Python trees, as ``parse_sql`` does, takes twenty times as long.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from specgen.diagnostics import Finding, Position, Span
from specgen.plan.sqltext import ident
from specgen.spec.parsererrors import error_message, error_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specgen.render.engine import RenderedFile

CODE = "broken-sql"

_UNKNOWN_TO_THE_PARSER = "Not implemented"
"""How its messages begin about what is right but beyond it, such as a variable's type in a schema."""

_KNOWN = "macaddr8"
"""What stands for a type of the user's own: a type that the parser knows, and no keyword, so that it may
stand for a column, a table or a function of the same name as well."""

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_LONG = r"double\s+precision|(?:bit|character)\s+varying|time(?:stamp)?\s+with(?:out)?\s+time\s+zone"
_START = r"(?<![\w.\"$])"
_ARRAY = re.compile(
    rf"{_START}(?!ARRAY\[)(?:{_LONG}|{_NAME}(?:\.{_NAME})?)(?:\([\w, ]+\))?\[\]", re.IGNORECASE
)


def check_files(
    files: Iterable[RenderedFile], *, schemas: Iterable[str] = (), types: Iterable[str] = ()
) -> tuple[Finding, ...]:
    """Return a finding for each file that PostgreSQL could not read.

    Args:
        files: What was rendered; only names that end in ``.sql`` are looked at.
        schemas: The schemas that tables in them, whose rows are variables, may stand in.
        types: The types of values in them that PostgreSQL does not bring, without modifiers and brackets.
    """
    qualifiers = tuple(sorted({f"{ident(name)}." for name in schemas} - {"public.", "pg_catalog."}))
    own = tuple(sorted(set(types)))
    return tuple(
        finding
        for file in files
        if file.name.endswith(".sql") and (finding := _check(file, qualifiers, own)) is not None
    )


def _check(file: RenderedFile, qualifiers: tuple[str, ...], types: tuple[str, ...]) -> Finding | None:
    failure = _failure(file.text, qualifiers, types)
    if failure is None:
        return None
    line, column, message = failure
    return Finding(
        CODE,
        Span(file.name, Position(line, column), Position(line, column + 1)),
        f"internal error: the generated SQL does not parse: {message}",
        "a template in the project's own folder, if there is one, is the first place to look",
    )


@lru_cache(maxsize=16)
def _failure(text: str, qualifiers: tuple[str, ...], types: tuple[str, ...]) -> tuple[int, int, str] | None:
    """Return line, column and message; cached, since the runtime is the same text every time."""
    error = _error(text)
    if error is not None:
        # It has a list of PostgreSQL's types, in pg_catalog and public alone, and takes whatever is not in it
        # for a row: of those it has no arrays, and reads no two into variables at once.
        text = _readable(text, qualifiers, types)
        error = _error(text)
    return None if error is None or _beyond_the_parser(error) else _located(text, error)


def _error(text: str) -> Exception | None:
    from pglast import parser

    try:
        parser.parse_plpgsql_json(text)
    except parser.ParseError as error:
        failure: Exception = error
        return failure
    return None


def _beyond_the_parser(error: Exception) -> bool:
    return error_message(error).startswith(_UNKNOWN_TO_THE_PARSER)


def _readable(text: str, qualifiers: tuple[str, ...], types: tuple[str, ...]) -> str:
    """Return a text that is as right or wrong, in which all types are of those that the parser knows."""
    for name in sorted(types, key=len, reverse=True):
        # A name without a schema may be a word of something else; a type stands behind what is of it.
        start = _START if "." in name else rf"(?<=[\w\"\s]\s){_START}"
        text = re.sub(rf"{start}{re.escape(name)}(?![\w\"$.])", _KNOWN, text)
    text = _ARRAY.sub(f"{_KNOWN}[]", text)
    if qualifiers:
        text = re.sub(rf"{_START}(?:{'|'.join(map(re.escape, qualifiers))})", "public.", text)
    return text


def _located(text: str, error: Exception) -> tuple[int, int, str]:
    """Find the statement, since errors in a function's body come without a place."""
    from pglast import parser

    try:
        parts = parser.split(text, only_slices=True)
    except parser.ParseError as syntax:
        return (*_place(text, error_place(text, syntax) or 0), error_message(syntax))
    for part in parts:
        again = _error(text[part])
        if again is not None and not _beyond_the_parser(again):
            lines = [line for line in text[part].splitlines() if line.strip()]
            statement = next((line for line in lines if not line.startswith("--")), "")
            start = part.start + text[part].find(statement)
            return (*_place(text, start), f"{error_message(again)}, in {statement.strip()}")
    return (*_place(text, error_place(text, error) or 0), error_message(error))


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")
