"""A fragment's text as PostgreSQL's parser gets it, and as templates get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.spec.lexing import Words

PREFIX = "SELECT ("
"""What stands before a fragment when it is parsed."""


def parse_text(words: Words) -> tuple[str, list[tuple[int, int]]]:
    """Return the query to parse, and where its stretches lie in the fragment.

    Comments become blanks, so that a ``--`` cannot swallow the closing parenthesis.
    """
    pieces: list[str] = [PREFIX]
    length = len(PREFIX)
    offsets: list[tuple[int, int]] = [(0, -length)]
    position = 0
    for number, hole in enumerate([*words.holes, None], start=1):
        end = hole.start if hole else len(words.text)
        offsets.append((length, position))
        stretch = _blank_comments(words, position, end)
        pieces.append(stretch)
        length += len(stretch)
        if hole:
            offsets.append((length, hole.start))
            pieces.append(f"${number}")
            length += len(pieces[-1])
            position = hole.end
    return "".join([*pieces, ")"]), offsets


def _blank_comments(words: Words, start: int, end: int) -> str:
    stretch = words.text[start:end]
    for first, last in words.comments:
        if start <= first < end:
            stretch = stretch[: first - start] + " " * (last - first) + stretch[last - start :]
    return stretch


def render_parts(words: Words, rewrites: list[tuple[int, int, str]]) -> tuple[str | int, ...]:
    """Return the text cut at its parameters, comments dropped and ``IN (:x)`` rewritten."""
    edits: list[tuple[int, int, str | int]] = [*rewrites]
    edits += [(hole.start, hole.end, number) for number, hole in enumerate(words.holes)]
    edits += [(start, end, " ") for start, end in words.comments]
    parts: list[str | int] = []
    position = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        if start < position:  # a comment inside a rewritten stretch is gone with it
            continue
        _append(parts, words.text[position:start])
        _append(parts, new)
        position = end
    _append(parts, words.text[position:])
    return _stripped(parts)


def _append(parts: list[str | int], part: str | int) -> None:
    if isinstance(part, str) and parts and isinstance(parts[-1], str):
        parts[-1] += part
    elif part != "":
        parts.append(part)


def _stripped(parts: list[str | int]) -> tuple[str | int, ...]:
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].lstrip()
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    return tuple(part for part in parts if part != "")
