"""Where in a text an error of PostgreSQL's parser is.

pglast took PostgreSQL's position, which counts characters, for one in the text's UTF-8 bytes and converted
it once more, which moved it to the left behind non-ASCII text. 8.8 mended that. Which of the two is
installed is seen by an error whose place is known.
"""

from __future__ import annotations

from functools import lru_cache

_END = "at end of input"
_NEAR = ' at or near "'


def error_message(error: Exception) -> str:
    """Return what an error of the parser says."""
    return str(error.args[0])


def error_place(text: str, error: Exception) -> int | None:
    """Return the character of the text that an error of the parser is at, nothing when it does not say.

    Args:
        text: What was parsed.
        error: The parser's ``ParseError`` about it.
    """
    message = error_message(error)
    index = error.args[1] if len(error.args) > 1 else None
    if isinstance(index, int) and 0 <= index < len(text):
        return place_from_bytes(text, message, index) if _counts_bytes() else index
    return len(text) if message.endswith(_END) else None


def place_from_bytes(text: str, message: str, index: int) -> int:
    """Undo a conversion from bytes to characters that a number of characters went through.

    Args:
        text: What was parsed.
        message: What the parser said; the words it names tell apart what the conversion made one.
        index: The character that has the byte of that number.
    """
    first = len(text[:index].encode())
    near = message.partition(_NEAR)[2].removesuffix('"')
    places = range(first, first + len(text[index].encode()))
    return next((place for place in places if text.startswith(near, place)), first)


@lru_cache(maxsize=1)
def _counts_bytes() -> bool:
    from pglast.parser import ParseError, scan

    known = "ééé '"
    try:
        scan(known)
    except ParseError as error:
        return bool(error.args[1] != known.index("'"))
    raise AssertionError("an open string has been accepted")
