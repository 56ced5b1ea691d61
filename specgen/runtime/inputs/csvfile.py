"""CSV: from lines to records, strict about quotes and forgiving about nothing, line by line.

A line that is malformed is rejected and reading goes on with the next one. Where a record began with an
open quote and only later turned out to be none, its first line is rejected and the others are read again
for themselves: one missing quote costs one line.
"""

from __future__ import annotations

import difflib
import json
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.errors import UsageError
from specgen.runtime.inputs.columns import Column, Picker
from specgen.runtime.inputs.lines import Lines
from specgen.runtime.inputs.records import (
    LONGEST,
    UNTRANSLATABLE,
    Doubtful,
    FileForm,
    Item,
    Reject,
    byte_order_mark,
    defect,
    storable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

_DELIMITERS = (";", "\t", "|", ",")
_UNCLOSED = "the quote that opens column {} is never closed"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        mapped: Whether the columns were chosen; else the file may hold no others.
        null: The unquoted text that means NULL.
    """

    columns: tuple[Column, ...]
    mapped: bool = False
    delimiter: str = ","
    has_header: bool = True
    quote: str = '"'
    escape: str = '"'
    encoding: str = "utf-8"
    null: str = ""


class _Malformed(Exception):  # noqa: N818 - never leaves this module
    """A record cannot be read; ``args`` is the reason."""


class CsvFile:
    """Reads a CSV file."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        """Open a file.

        Raises:
            UsageError: It cannot be opened, or is of another encoding.
        """
        self._path = path
        self._dialect = dialect
        self._bom = byte_order_mark(path, dialect.encoding, "say so in the spec: csv_encoding: {}")
        self._cells = _Cells(dialect)
        self._header: str | None = None
        self._newline = "\n"
        self._begun = False
        self.doubtful: dict[str, Doubtful] = {}

    def read_form(self) -> FileForm:
        """Return what a file of its rejected lines looks like.

        Raises:
            UsageError: Nothing of it has been read, and it cannot be.
        """
        if not self._begun:
            with closing(self.__iter__()) as records:
                next(records, None)
        encoding = self._dialect.encoding
        return FileForm(
            "csv", encoding, self._header, self._newline, self._bom and encoding.startswith("utf-8")
        )

    def __iter__(self) -> Generator[Item | Reject, None, None]:
        """Read the file.

        Raises:
            UsageError: Its header does not match, or it has too few columns for the mapping.
        """
        lines = Lines(self._path, self._dialect.encoding)
        try:
            yield from self._records(lines)
        finally:
            lines.close()

    def _records(self, lines: Lines) -> Iterator[Item | Reject]:
        width, pick = 0, None
        self._begun = True
        if self._dialect.has_header:
            names = self._read_header(lines)
            width, pick = len(names), self._picker(self._places_by_name(names))
        encoding, split = self._dialect.encoding, self._cells.split
        while line := lines.next():
            number = lines.number
            raw = line.rstrip("\r\n")
            if not raw:
                continue
            wrong = defect(raw, encoding)
            if wrong:
                yield Reject(number, storable(raw), wrong, UNTRANSLATABLE)
                continue
            try:
                cells, taken = split(line, lines)
            except _Malformed as malformed:
                yield Reject(number, raw[:LONGEST], str(malformed))
                continue
            if taken:
                raw = (line + "".join(taken)).rstrip("\r\n")
                wrong = defect(raw, encoding)
                if wrong:
                    yield Reject(number, storable(raw), wrong, UNTRANSLATABLE)
                    continue
            if pick is None:
                width, pick = len(cells), self._picker(self._places(cells))
                self._newline = line[len(line.rstrip("\r\n")) :] or "\n"
            if len(cells) != width:
                yield self._wrong_width(number, raw, len(cells), width)
                continue
            yield pick(number, raw, cells)

    def _picker(self, places: list[int | None]) -> Picker:
        return Picker(places, self._dialect.columns, self.doubtful)

    def _wrong_width(self, number: int, raw: str, found: int, width: int) -> Reject:
        what = "the header" if self._dialect.has_header else "the first line"
        many = "too few" if found < width else "too many"
        columns = "1 column" if found == 1 else f"{found} columns"
        return Reject(number, raw, f"{many} columns: the line has {columns}, {what} has {width}")

    # The header

    def _read_header(self, lines: Lines) -> list[str]:
        while line := lines.next():
            if line.rstrip("\r\n"):
                break
        else:
            raise UsageError(
                f"{self._path} is empty: not even a header is there",
                help="a file without a header needs csv_has_header: false in the spec",
            )
        wrong = defect(line, self._dialect.encoding)
        if wrong:
            other = "utf-16-le" if "\0" in line else "cp1252"
            raise UsageError(
                f"{self._path}, line {lines.number}, the header: {wrong}",
                help=f"it is read as {self._dialect.encoding}; if it is {other}, say, the spec needs "
                f"csv_encoding: {other}",
            )
        try:
            cells, taken = self._cells.split(line, lines)
        except _Malformed as malformed:
            raise UsageError(f"{self._path}, line {lines.number}, the header: {malformed}") from None
        whole = line + "".join(taken)
        self._header = whole.rstrip("\r\n")
        self._newline = whole[len(self._header) :] or "\n"
        return [(cell or "").strip() for cell in cells]

    def _places_by_name(self, names: list[str]) -> list[int | None]:
        """Return where each field stands.

        Raises:
            UsageError: A name is not there, or is there twice; or the file has names that nobody asked for.
        """
        wrong: list[str] = []
        places: list[int | None] = []
        for column in self._dialect.columns:
            if column.header is None:
                places.append(self._position(column, len(names), names))
                continue
            found = [place for place, name in enumerate(names) if name == column.header]
            if len(found) > 1:
                wrong.append(f'"{column.header}" stands in it {len(found)} times')
            elif not found and column.required:
                wrong.append(f'there is no "{column.header}"{_near(column.header, names)}')
            places.append(found[0] if found else None)
        known = [column.header or "" for column in self._dialect.columns]
        if not self._dialect.mapped:
            for name in dict.fromkeys(names):
                if name not in known:
                    wrong.append(f'"{name}" is no field of the records{_near(name, known)}')
        if wrong:
            wanted = (
                "field_mapping says which column fills which field"
                if self._dialect.mapped
                else f"the operation reads: {', '.join(known)}"
            )
            raise UsageError(
                f"the header of {self._path} does not match: {'; '.join(wrong)}",
                help=self._other_form(names) or f"it says: {', '.join(names)}; {wanted}",
            )
        return places

    def _places(self, cells: list[str | None]) -> list[int | None]:
        return [
            self._position(column, len(cells), [cell or "" for cell in cells])
            for column in self._dialect.columns
        ]

    def _other_form(self, names: list[str]) -> str | None:
        """Say what a header looks like that is none of this form: JSON, or columns separated otherwise."""
        text = names[0] if names else ""
        if text.startswith(("{", "[")):
            form = "an object a line, name it NAME.jsonl" if text[0] == "{" else "an array, name it NAME.json"
            return f"it looks like JSON; if it is {form}"
        if len(names) > 1:
            return None
        found = max(_DELIMITERS, key=text.count)
        if not text.count(found):
            return None
        written = json.dumps(found)
        return f"its columns seem to be separated by {written}: say csv_delimiter: {written} in the spec"

    def _position(self, column: Column, width: int, names: list[str]) -> int:
        assert column.position is not None
        if column.position > width:
            columns = "1 column" if width == 1 else f"{width} columns"
            wanted = f"field_mapping takes {column.field} from number {column.position}"
            raise UsageError(
                f"{self._path} has {columns}, and {wanted}",
                help=self._other_form(names)
                or "mend it, or csv_delimiter if the columns are separated by another character",
            )
        return column.position - 1


def _near(name: str, names: Sequence[str]) -> str:
    lower = {item.lower(): item for item in names if item}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f' (did you mean "{lower[near[0]]}"?)' if near else ""


class _Cells:
    """Splits records into cells; None is NULL."""

    def __init__(self, dialect: Dialect) -> None:
        self._delimiter = dialect.delimiter
        self._quote = dialect.quote
        self._null = dialect.null
        quote, escape = re.escape(dialect.quote), re.escape(dialect.escape)
        self._plain = re.compile(rf"[^{re.escape(dialect.delimiter)}\r\n]*+")
        self._unescape: Callable[[str], str]
        if not dialect.quote:
            self._inside = re.compile("")
            self._unescape = str
        elif dialect.quote == dialect.escape:
            self._inside = re.compile(rf"(?:[^{quote}]++|{quote}{quote})*+")
            pair, single = dialect.quote * 2, dialect.quote
            self._unescape = lambda text: text.replace(pair, single)
        else:
            self._inside = re.compile(rf"(?:[^{quote}{escape}]++|{escape}[{quote}{escape}]|{escape})*+")
            escaped = re.compile(rf"{escape}([{quote}{escape}])")
            self._unescape = lambda text: escaped.sub(r"\1", text)

    def split(self, line: str, lines: Lines) -> tuple[list[str | None], list[str]]:
        """Return a record's cells, and the lines behind the first that it runs over.

        Raises:
            _Malformed: It is none; what was read behind the first line is given back.
        """
        if len(line) > LONGEST:
            raise _Malformed(f"the line is longer than {LONGEST:,} characters")
        if not self._quote or self._quote not in line:
            null = self._null
            cells = line.rstrip("\r\n").split(self._delimiter)
            return [None if cell == null else cell for cell in cells], []
        taken: list[str] = []
        try:
            return self._split_quoted(line, lines, taken), taken
        except _Malformed:
            lines.give_back(taken)
            raise

    def _split_quoted(self, line: str, lines: Lines, taken: list[str]) -> list[str | None]:
        cells: list[str | None] = []
        text, position = line, 0
        while True:
            if text.startswith(self._quote, position):
                value, text, position = self._quoted(text, position + 1, lines, taken, len(cells) + 1)
                cells.append(value)
            else:
                match = self._plain.match(text, position)
                assert match is not None
                cells.append(None if match[0] == self._null else match[0])
                position = match.end()
            if text.startswith(self._delimiter, position):
                position += 1
            elif text[position:].rstrip("\r\n"):
                if taken:  # the quote that seemed to close it opens another value
                    raise _Malformed(_UNCLOSED.format(len(cells)))
                raise _Malformed(f"column {len(cells)} goes on behind its closing quote")
            else:
                return cells

    def _quoted(
        self, text: str, position: int, lines: Lines, taken: list[str], column: int
    ) -> tuple[str, str, int]:
        """Return a quoted value, and where it ends: the line and the place behind the quote."""
        pieces: list[str] = []
        length = 0
        while True:
            match = self._inside.match(text, position)
            assert match is not None
            pieces.append(match[0])
            length += len(match[0])
            if match.end() < len(text):
                return self._unescape("".join(pieces)), text, match.end() + 1
            text, position = lines.next(), 0
            if text:
                taken.append(text)
            if not text or length > LONGEST:
                raise _Malformed(_UNCLOSED.format(column))
