"""The columns of a CSV file: from a line's cells to a record."""

from __future__ import annotations

from dataclasses import dataclass
from json.encoder import JSONEncoder
from operator import itemgetter
from typing import TYPE_CHECKING

from specgen.dateforms import Unreadable, ambiguous
from specgen.runtime.inputs.jsontext import json_defect
from specgen.runtime.inputs.records import Doubtful, Item, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specgen.dateforms import DateForm, Dates

_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the records, and where it stands in the file: at a position from 1, or by a name.

    Attributes:
        is_json: Its text is JSON.
        dates: The dates in its text: it is one, or has some inside.
        form: How the date that it is is written, if the spec says so.
    """

    field: str
    position: int | None
    header: str | None
    required: bool = True
    is_json: bool = False
    dates: Dates | None = None
    form: DateForm | None = None


class _Wrong(Exception):  # noqa: N818 - never leaves this module
    """A value is none of its column's; ``args`` are message, SQLSTATE, column and value."""


class Picker:
    """Makes records of a line's cells."""

    def __init__(
        self, places: list[int | None], columns: tuple[Column, ...], doubtful: dict[str, Doubtful]
    ) -> None:
        there = [(column, place) for column, place in zip(columns, places, strict=True) if place is not None]
        self._names = [column.field for column, _ in there]
        self._json = frozenset(column.field for column, _ in there if column.is_json)
        self._forms = [(place, column.form) for place, (column, _) in enumerate(there) if column.form]
        self._watched = [
            (place, column.field, column.dates.inside)
            for place, (column, _) in enumerate(there)
            if column.dates and not column.form
        ]
        self._doubtful = doubtful
        positions = [place for _, place in there]
        self._pick: Callable[[list[str | None]], Sequence[str | None]] = itemgetter(*positions)
        if len(positions) == 1:
            self._pick = itemgetter(slice(positions[0], positions[0] + 1))

    def __call__(self, number: int, raw: str, cells: list[str | None]) -> Item | Reject:
        """Return the record of a line, or why it is none."""
        picked = self._pick(cells)
        if self._watched:
            self._watch(number, picked)
        try:
            if self._forms:
                picked = self._dated(picked)
            if not self._json:
                return Item(number, raw, _encode(dict(zip(self._names, picked, strict=True))))
            given = zip(self._names, picked, strict=True)
            # NULL in a column of json is a field that is not there: a null that is there is JSON's.
            parts = [
                self._part(name, text) for name, text in given if text is not None or name not in self._json
            ]
        except _Wrong as wrong:
            message, sqlstate, name, text = wrong.args
            return Reject(number, raw, f"{name}: {message}", sqlstate, name, text)
        return Item(number, raw, f"{{{','.join(parts)}}}")

    def _dated(self, picked: Sequence[str | None]) -> list[str | None]:
        """Return the values with their dates as PostgreSQL reads them in one way."""
        values = list(picked)
        for place, form in self._forms:
            text = values[place]
            if text is None:
                continue
            try:
                values[place] = form.iso(text)
            except Unreadable as wrong:
                raise _Wrong(*wrong.args, self._names[place], text) from None
        return values

    def _part(self, name: str, text: str | None) -> str:
        """Return a value as a member of an object; JSON as it stands, so that no number loses a digit."""
        if name not in self._json or text is None:
            return f"{_encode(name)}:{_encode(text)}"
        wrong = json_defect(text)
        if wrong:
            raise _Wrong(*wrong, name, text)
        return f"{_encode(name)}:{text}"

    def _watch(self, number: int, picked: Sequence[str | None]) -> None:
        """Remember the first date of each column that can be read in two ways."""
        for place, name, inside in self._watched:
            text = ambiguous(picked[place], inside=inside)
            if text is not None:
                self._doubtful[name] = Doubtful(number, text)
        self._watched = [item for item in self._watched if item[1] not in self._doubtful]
