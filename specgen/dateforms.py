"""How dates are written in a file: forms such as ``DD/MM/YYYY``, and dates that can be read in two ways.

A value is read in its form strictly and becomes an ISO date, which PostgreSQL reads in one way whatever
``DateStyle`` says. What is written otherwise is refused, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WORDS = {
    "YYYY": ("year", "[0-9]{4}"),
    "YY": ("year", "[0-9]{2}"),
    "MM": ("month", ""),
    "DD": ("day", ""),
    "HH24": ("hour", ""),
    "HH12": ("hour", ""),
    "MI": ("minute", ""),
    "SS": ("second", ""),
    "MS": ("fraction", "[0-9]{1,3}"),
    "US": ("fraction", "[0-9]{1,6}"),
    "AM": ("half", "[AaPp][Mm]"),
    "PM": ("half", "[AaPp][Mm]"),
    "OF": ("zone", "Z|[+-][0-9]{2}(?::?[0-9]{2})?"),
}
_DATE = ("year", "month", "day")
_WORD = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)))
_NUMBERS = r"([0-9]{1,2})([/.-])([0-9]{1,2})\2(?:[0-9]{4}|[0-9]{2})(?![0-9])"
_ALONE = re.compile(rf"\s*{_NUMBERS}")
_INSIDE = re.compile(rf"(?<![0-9/.-]){_NUMBERS}")
_TYPE = re.compile(
    r"(?:(?P<one>date|timestamp(?:tz)?)(?:\([0-9]\))?(?: without time zone)?"
    r"|(?P<several>date|ts|tstz)(?:multi)?range)(?P<array>\[\])?"
)
# As PostgreSQL reads a year of two digits.
_CENTURY, _TURN = 100, 70
_MONTHS, _NOON = 12, 12
INVALID, OUT_OF_RANGE = "22007", "22008"
"""PostgreSQL's ``invalid_datetime_format`` and ``datetime_field_overflow``."""


class BadForm(ValueError):  # noqa: N818 - names what is bad, as the findings do
    """A form says nothing that can be read; ``args`` are the reason and what would be right."""


class Unreadable(ValueError):  # noqa: N818 - the value is, not the program
    """A value is not written in its form; ``args`` are the reason and the SQLSTATE."""


@dataclass(frozen=True, slots=True)
class DateForm:
    """A form of dates, or of dates with a time.

    Attributes:
        text: As the spec says it.
        pattern: What a value looks like.
        open: Whether a time may follow, as PostgreSQL reads it.
    """

    text: str
    pattern: re.Pattern[str]
    open: bool = False

    def iso(self, value: str) -> str:
        """Return a value as an ISO date, with its time if it has one.

        Raises:
            Unreadable: It is not written so, or no such day or time exists.
        """
        given = value.strip()
        match = self.pattern.match(given)
        rest = given[match.end() :] if match else given
        if match is None or (rest and not (self.open and rest[0] in " T")):
            raise Unreadable(f'"{value}" is not written as {self.text}', INVALID)
        parts = match.groupdict()
        try:
            moment = _moment(parts)
        except ValueError:
            kind = "date" if "hour" not in parts else "date and time"
            raise Unreadable(f'"{value}", read as {self.text}, is no {kind}', OUT_OF_RANGE) from None
        if "hour" not in parts:
            return moment.date().isoformat() + rest
        fraction = f".{parts['fraction']}" if parts.get("fraction") else ""
        return moment.isoformat(sep=" ", timespec="seconds") + fraction + (parts.get("zone") or "")


def _moment(parts: dict[str, str]) -> datetime:
    year, hour = int(parts["year"]), int(parts.get("hour") or 0)
    if len(parts["year"]) == len("YY"):
        year += 1900 if year >= _TURN else 2000
    half = parts.get("half")
    if half:
        if not 1 <= hour <= _NOON:
            raise ValueError(hour)
        hour = hour % _NOON + (_NOON if half.upper() == "PM" else 0)
    minute, second = int(parts.get("minute") or 0), int(parts.get("second") or 0)
    return datetime(year, int(parts["month"]), int(parts["day"]), hour, minute, second)


def date_form(text: str, *, before_time: bool = False) -> DateForm:
    """Return a form of dates; with ``before_time`` a time may follow.

    Raises:
        BadForm: It is none.
    """
    names, pattern = _compiled(text)
    if sorted(names) != sorted(_DATE):
        raise BadForm(
            f'"{text}" does not say where day, month and year stand, each once', "for example: DD/MM/YYYY"
        )
    return DateForm(text, pattern, open=before_time)


def datetime_form(text: str) -> DateForm:
    """Return a form of dates with a time.

    Raises:
        BadForm: It is none.
    """
    names, pattern = _compiled(text)
    example = "for example: DD/MM/YYYY HH24:MI:SS"
    missing = [name for name in (*_DATE, "hour", "minute") if name not in names]
    if missing or len(set(names)) < len(names):
        raise BadForm(
            f'"{text}" does not say where day, month, year, hour and minute stand, each once', example
        )
    if ("HH12" in text) != ("half" in names):
        raise BadForm(f'"{text}": HH12 goes with AM, and HH24 without', example)
    return DateForm(text, pattern)


def _compiled(text: str) -> tuple[list[str], re.Pattern[str]]:
    names: list[str] = []
    pieces: list[str] = []
    place, adjoins = 0, False
    while place < len(text):
        match = _WORD.match(text, place)
        if match is None:
            if text[place].isalnum():
                known = ", ".join(_WORDS)
                raise BadForm(f'"{text}": "{text[place:]}" is no part of a date', f"the parts are {known}")
            pieces.append(re.escape(text[place]))
            place, adjoins = place + 1, False
            continue
        name, digits = _WORDS[match[0]]
        # Without anything between them, only whole pairs of digits tell where one part ends.
        tight = adjoins or _WORD.match(text, match.end()) is not None
        pieces.append(f"(?P<{name}>{digits or ('[0-9]{2}' if tight else '[0-9]{1,2}')})")
        if name in names:
            raise BadForm(f'"{text}" says the {name} twice', "for example: DD/MM/YYYY")
        names.append(name)
        place, adjoins = match.end(), True
    return names, re.compile("".join(pieces) + "(?![0-9])")


def ambiguous(value: object, *, inside: bool = False) -> str | None:
    """Return a date whose day and month could change places: the whole text, or what stands inside of it.

    Args:
        value: A text such as ``12/8/2012``; or what JSON has for it.
        inside: Whether the dates are only parts of it, as in ``{12/8/2012}``.
    """
    match value:
        case str() if inside:
            return next((match[0] for match in _INSIDE.finditer(value) if _two_ways(match)), None)
        case str():
            match = _ALONE.match(value)
            return value if match is not None and _two_ways(match) else None
        case list() if inside:
            return next(filter(None, (ambiguous(item, inside=True) for item in value)), None)
        case dict() if inside:
            return ambiguous(list(value.values()), inside=True)
        case _:
            return None


def _two_ways(match: re.Match[str]) -> bool:
    first, second = int(match[1]), int(match[3])
    return first != second and 1 <= first <= _MONTHS and 1 <= second <= _MONTHS


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates in a type's values.

    Attributes:
        timed: Whether there are dates with a time among them.
        inside: Whether they are only parts of a value: elements, bounds of a range, fields of a row.
    """

    timed: bool
    inside: bool = False

    def has_form(self, dates: str | None, timestamps: str | None) -> bool:
        """Whether a spec says how they are written, by its forms of dates and of timestamps."""
        return bool(dates or (self.timed and timestamps))


def dates_of(sql_type: str) -> Dates | None:
    """Return the dates in the values of a type of PostgreSQL's; those of others only a database knows."""
    match = _TYPE.fullmatch(sql_type)
    if match is None:
        return None
    kind = match["one"] or match["several"]
    return Dates(timed=kind != "date", inside=bool(match["several"] or match["array"]))


def without_form(
    fields: Iterable[tuple[str, str]], found: Mapping[str, Dates], dates: str | None, timestamps: str | None
) -> tuple[str, str] | None:
    """Return why a spec's forms cannot hold for all dates of a file, and what would be right.

    Args:
        fields: What is read of a record, with its type.
        found: The dates in the values of these types.
        dates: The form of dates, if there is one.
        timestamps: The form of timestamps, if there is one.
    """
    parts = [
        f"{name} ({kind})"
        for name, kind in fields
        if kind in found and found[kind].inside and found[kind].has_form(dates, timestamps)
    ]
    if not parts:
        return None
    key = "csv_date_format" if dates else "csv_datetime_format"
    message = f"{key} cannot hold for {', '.join(parts)}: dates inside of a value are read as DateStyle says"
    return message, f"read that by an operation without {key}, from dates written as YYYY-MM-DD"
