"""What readers of files yield: records as JSON, and lines that are none, with the reason."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from specgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MALFORMED = "22P04"
"""PostgreSQL's ``bad_copy_file_format``."""
UNTRANSLATABLE = "22021"
"""PostgreSQL's ``character_not_in_repertoire``: bytes of another encoding, and NUL."""
UNREADABLE = "22P02"
"""PostgreSQL's ``invalid_text_representation``."""
LONGEST = 8 * 1024 * 1024
"""Characters that one record may have: what is longer is an unclosed quote, or no text file at all."""
KEEP = "specgen.keep"
"""An error handler for decoding: undecodable bytes become lone surrogates, to be found afterwards."""

_KEPT = re.compile("[\ud800-\udfff]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def kind_of(path: Path) -> str:
    """Return what a file is read as, by the end of its name: csv, json or jsonl."""
    return {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(path.suffix.lower(), "csv")


class Item(NamedTuple):
    """A record.

    Attributes:
        line: The line on which it begins.
        raw: As it stands there, without its line end.
        json: The record as a JSON object.
    """

    line: int
    raw: str
    json: str


class Reject(NamedTuple):
    """A line, or lines, that are no record."""

    line: int
    raw: str
    message: str
    sqlstate: str = MALFORMED
    column: str | None = None
    value: str | None = None


class Doubtful(NamedTuple):
    """A date whose day and month could change places, the first of its column.

    Attributes:
        line: The line on which its record begins.
    """

    line: int
    value: str


class Reader(Protocol):
    """Reads a file.

    Attributes:
        doubtful: By column, the first date that can be read in two ways, as far as the file has been read.
    """

    doubtful: dict[str, Doubtful]

    def read_form(self) -> FileForm:
        """Return how what is rejected has to be written so that it can be read again.

        Of a file that has not been read, its beginning is.

        Raises:
            UsageError: It cannot be read.
        """

    def __iter__(self) -> Iterator[Item | Reject]:
        """Read on; the file is never held whole."""


class FileForm(NamedTuple):
    """What a file of rejected lines needs besides them.

    Attributes:
        kind: csv, json or jsonl.
        header: The header as it stands in the file, if there is one.
        newline: How its lines end.
    """

    kind: str
    encoding: str
    header: str | None = None
    newline: str = "\n"
    bom: bool = False


def _keep(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in bad), error.end


codecs.register_error(KEEP, _keep)


def storable(raw: str) -> str:
    r"""Return a text that PostgreSQL stores; what could not be decoded is written as ``\xNN``."""
    return _UNSTORABLE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", raw)


def defect(raw: str, encoding: str) -> str | None:
    """Say what about a line's characters keeps it out of a database, if anything does."""
    if "\0" in raw:
        return "the line holds a NUL byte, which no text in PostgreSQL can"
    if not raw.isascii() and (found := _KEPT.search(raw)):
        return (
            f"byte 0x{ord(found[0]) & 0xFF:02x} is no {encoding} (character {found.start() + 1} of the line)"
        )
    return None


_MARKS = (
    (codecs.BOM_UTF8, ("utf-8", "utf-8-sig")),
    (codecs.BOM_UTF16_LE, ("utf-16", "utf-16-le")),
    (codecs.BOM_UTF16_BE, ("utf-16", "utf-16-be")),
)


def byte_order_mark(path: Path, encoding: str, remedy: str) -> bool:
    """Say whether a file begins with a byte order mark.

    Args:
        path: The file.
        encoding: What it should be.
        remedy: How to say what it is, with ``{}`` for the encoding.

    Raises:
        UsageError: It cannot be read, or the mark is of another encoding.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(4)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    for mark, encodings in _MARKS:
        if begin.startswith(mark) and encoding.partition("-")[0] == "utf":
            if encoding in encodings:
                return True
            message = (
                f"{path} begins with the byte order mark of {encodings[0]}, and is to be read as {encoding}"
            )
            raise UsageError(message, help=remedy.format(encodings[0]))
    if begin.startswith(codecs.BOM_UTF8):
        message = f"{path} begins with the byte order mark of utf-8, and is to be read as {encoding}"
        raise UsageError(message, help=remedy.format("utf-8"))
    return False
