"""JSON: an array of objects, read element by element, or an object a line.

The text of an element goes to the database as it stands, so no number loses a digit.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from specgen.dateforms import ambiguous
from specgen.errors import UsageError
from specgen.runtime.inputs.jsontext import Decoder, Wrong, value_defect
from specgen.runtime.inputs.lines import Lines
from specgen.runtime.inputs.records import (
    KEEP,
    LONGEST,
    UNREADABLE,
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
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from specgen.dateforms import Dates

_ENCODING = "utf-8"
_CHUNK = 1024 * 1024
_SHOWN = 40
_SPACE = re.compile(r"[ \t\r\n]*")
_NONE: Mapping[str, Dates] = MappingProxyType({})


def _read(path: Path) -> None:
    byte_order_mark(path, _ENCODING, "save it as UTF-8: JSON files are")


def _wrong(raw: str, found: Any, wrong: Wrong | None) -> Wrong | None:
    """Say why a text that is JSON is no record, if it is none."""
    if isinstance(found, list):
        return Wrong("a record must be a JSON object, not an array", UNREADABLE)
    if not isinstance(found, dict):
        return Wrong(f"a record must be a JSON object, not {raw[:_SHOWN]}", UNREADABLE)
    return wrong or value_defect(raw, found)


def _refuse_fields(found: dict[str, Any], fields: Sequence[str], where: str) -> None:
    """Refuse a field that the operation does not read, as its function does: probably a misspelt name.

    Raises:
        UsageError: There is one.
    """
    if found.keys() <= set(fields):
        return
    unknown = ", ".join(f'"{name}"' for name in found if name not in fields)
    raise UsageError(
        f"{where}: the operation reads no field {unknown}",
        help=f"it reads {', '.join(fields)}; nothing was imported",
    )


def _watch(
    found: dict[str, Any], dates: Mapping[str, Dates], number: int, doubtful: dict[str, Doubtful]
) -> None:
    """Remember the first date of each field that can be read in two ways."""
    for name, held in dates.items():
        text = None if name in doubtful else ambiguous(found.get(name), inside=held.inside)
        if text is not None:
            doubtful[name] = Doubtful(number, text)


class JsonLines:
    """Reads a file with an object a line."""

    def __init__(self, path: Path, fields: Sequence[str], dates: Mapping[str, Dates] = _NONE) -> None:
        """Open a file.

        Args:
            path: The file.
            fields: What the operation reads of a record.
            dates: The dates in those of them that have any.

        Raises:
            UsageError: It cannot be opened, or is no UTF-8.
        """
        _read(path)
        self._path = path
        self._fields = fields
        self._dates = dates
        self._decoder = Decoder()
        self.doubtful: dict[str, Doubtful] = {}

    def read_form(self) -> FileForm:
        """Return what a file of its rejected records looks like."""
        return FileForm("jsonl", _ENCODING)

    def __iter__(self) -> Iterator[Item | Reject]:
        """Read the file."""
        lines = Lines(self._path, _ENCODING)
        try:
            first = True
            while line := lines.next():
                raw = line.strip()
                if first and raw == "[":
                    raise UsageError(
                        f"{self._path}, line {lines.number}: an array begins here, not an object a line",
                        help="a file that is one array is named NAME.json",
                    )
                if raw:
                    first = False
                    yield self._record(lines.number, raw)
        finally:
            lines.close()

    def _record(self, number: int, raw: str) -> Item | Reject:
        wrong = defect(raw, _ENCODING)
        if wrong:
            return Reject(number, storable(raw), wrong, UNTRANSLATABLE)
        if len(raw) > LONGEST:
            return Reject(number, raw, f"the line is longer than {LONGEST:,} characters")
        try:
            found, defective = self._decoder.decode(raw)
        except (ValueError, RecursionError) as error:
            return Reject(number, raw, f"the line is no JSON: {error}", UNREADABLE)
        reason = _wrong(raw, found, defective)
        if reason is None:
            _refuse_fields(found, self._fields, f"{self._path}, line {number}")
            _watch(found, self._dates, number, self.doubtful)
        return Reject(number, raw, *reason) if reason else Item(number, raw, raw)


class JsonArray:
    """Reads a file that is one array of objects."""

    def __init__(self, path: Path, fields: Sequence[str], dates: Mapping[str, Dates] = _NONE) -> None:
        """Open a file.

        Args:
            path: The file.
            fields: What the operation reads of a record.
            dates: The dates in those of them that have any.

        Raises:
            UsageError: It cannot be opened, or is no UTF-8.
        """
        _read(path)
        self._path = path
        self._fields = fields
        self._dates = dates
        self._decoder = Decoder()
        self.doubtful: dict[str, Doubtful] = {}
        self._text = ""
        self._place = 0
        self._line, self._column = 1, 1
        self._counted = 0
        self._begins = 1
        self._more: Callable[[], str] = str

    def read_form(self) -> FileForm:
        """Return what a file of its rejected records looks like."""
        return FileForm("json", _ENCODING)

    def __iter__(self) -> Iterator[Item | Reject]:
        """Read the file.

        Raises:
            UsageError: It is no array, or no JSON any more at some place.
        """
        with self._path.open(encoding=_ENCODING, errors=KEEP) as file:
            self._text = file.read(_CHUNK).removeprefix("\ufeff")
            self._place, self._counted = 0, 0
            self._line, self._column, self._begins = 1, 1, 1
            self._more = lambda: file.read(_CHUNK)
            first = self._peek()
            if first != "[":
                lines = "; an object a line is NAME.jsonl" if first == "{" else ""
                self._fail(f"the file must be a JSON array of objects{lines}")
            self._place += 1
            number = 0
            if self._peek() == "]":
                self._place += 1
            else:
                while True:
                    number += 1
                    yield self._element(number)
                    sign = self._peek()
                    self._place += 1
                    if sign == "]":
                        break
                    if sign != ",":
                        self._place -= 1
                        self._fail("a comma or the end of the array is missing")
            if self._peek():
                self._fail("there is something behind the end of the array")

    def _peek(self) -> str:
        """Return the next character that is no white space, empty at the end of the file."""
        while True:
            match = _SPACE.match(self._text, self._place)
            assert match is not None
            self._place = match.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._extend():
                return ""

    def _extend(self) -> bool:
        """Read on, and forget what is done."""
        more = self._more()
        if not more:
            return False
        self._line, self._column = self._position()
        self._text = self._text[self._place :] + more
        self._place = 0
        self._counted, self._begins = 0, self._line
        return True

    def _line_here(self) -> int:
        """Return the line of the present place; what lies before is counted once."""
        self._begins += self._text.count("\n", self._counted, self._place)
        self._counted = self._place
        return self._begins

    def _element(self, number: int) -> Item | Reject:
        self._peek()
        line = self._line_here()
        while True:
            try:
                found, end, defective = self._decoder.decode_at(self._text, self._place)
            except (ValueError, RecursionError) as error:
                # Not whole yet, or wrong: only the rest of the file tells.
                if len(self._text) - self._place > LONGEST or not self._extend():
                    if isinstance(error, json.JSONDecodeError):
                        self._place = min(error.pos, len(self._text))
                        self._fail(f"element {number} is no JSON: {error.msg}")
                    self._fail(f"element {number}: {error}")
                continue
            if end < len(self._text) or not self._extend():
                break  # a number that ends where the text does might go on
        raw = self._text[self._place : end]
        self._place = end
        wrong = defect(raw, _ENCODING)
        if wrong:
            return Reject(line, storable(raw), wrong, UNTRANSLATABLE)
        reason = _wrong(raw, found, defective)
        if reason is None:
            _refuse_fields(found, self._fields, f"{self._path}, line {line}")
            _watch(found, self._dates, line, self.doubtful)
        return Reject(line, raw, *reason) if reason else Item(line, raw, raw)

    def _position(self) -> tuple[int, int]:
        """Return line and column of the present place."""
        lines = self._text.count("\n", 0, self._place)
        if lines:
            return self._line + lines, self._place - self._text.rfind("\n", 0, self._place)
        return self._line, self._column + self._place

    def _fail(self, message: str) -> NoReturn:
        line, column = self._position()
        raise UsageError(
            f"{self._path}, line {line}, column {column}: {message}", help="nothing was imported"
        )
