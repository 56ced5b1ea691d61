"""Quotes of a YAML file that are not closed where they should be: the parser complains far below."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

_KEY = re.compile(r"\s*(?:- )?[\w.]+:(?:\s|$)")


@dataclass(frozen=True, slots=True)
class OpenQuote:
    """A quote that goes on behind its line.

    Attributes:
        start: The character that opens it.
        until: The line in which it is closed, nothing where it never is.
        closed: What its line would be if it ended there.
    """

    start: int
    until: int | None
    closed: str


def open_quote(text: str, error: yaml.MarkedYAMLError) -> OpenQuote | None:
    """Return the quote that an error of the parser comes of, if it comes of one.

    Args:
        text: The file.
        error: What the parser said.
    """
    mark = error.problem_mark
    if error.context_mark is not None and (error.context or "").startswith("while scanning a quoted scalar"):
        return _quote(text, error.context_mark.index, None)
    if mark is None:
        return None
    found: yaml.Token | None = None
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if token.start_mark.index > mark.index:
                break
            if isinstance(token, yaml.ScalarToken) and token.style in ("'", '"'):
                found = token
    except yaml.YAMLError:
        pass  # the scanner may stop before the parser does; what it has seen tells
    return _known(text, found, mark.line)


def _known(text: str, token: yaml.Token | None, line: int) -> OpenQuote | None:
    """Return the quote that was closed in the line of an error, and opened above it."""
    if token is None or token.start_mark.line == line or token.end_mark.line != line:
        return None
    # A text may well go on in the next line; one that has keys in it was not meant to.
    behind = text[token.start_mark.index : token.end_mark.index].split("\n")[1:]
    if not any(_KEY.match(item) for item in behind):
        return None
    return _quote(text, token.start_mark.index, line + 1)


def _quote(text: str, start: int, until: int | None) -> OpenQuote:
    line = text[start:].split("\n", 1)[0].rstrip()
    return OpenQuote(start, until, f"{line}{text[start]}")
