"""Texts that are JSON, and those that Python takes for JSON while PostgreSQL does not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from specgen.runtime.inputs.records import UNREADABLE, UNTRANSLATABLE, defect

if TYPE_CHECKING:
    from collections.abc import Iterator

# What PostgreSQL's numeric holds: digits before the point, and behind it.
_WHOLE, _FRACTION = 131072, 16383
_LONG = 6000
_WIDE_EXPONENT = re.compile(r"[eE][+-]?0*[1-9][0-9]{4}")
"""A number without, that is no longer than that, is none that numeric cannot hold."""
_DIGITS = 9
_SHOWN = 40
TOO_LARGE = "22003"
"""PostgreSQL's ``numeric_value_out_of_range``."""


class Wrong(NamedTuple):
    """What is wrong with a text."""

    message: str
    sqlstate: str


class Decoder:
    """Reads JSON, and remembers what in it PostgreSQL would refuse; numbers stay text."""

    def __init__(self) -> None:
        self._wrong: Wrong | None = None
        self._decoder = json.JSONDecoder(
            parse_constant=self._constant, parse_int=self._number, parse_float=self._number
        )

    def decode(self, text: str) -> tuple[Any, Wrong | None]:
        """Return the value of a text, and what is wrong with it.

        Raises:
            ValueError: It is no JSON.
        """
        self._wrong = None
        return self._decoder.decode(text), self._wrong

    def decode_at(self, text: str, place: int) -> tuple[Any, int, Wrong | None]:
        """Return the value that begins at a place of a text, where it ends, and what is wrong with it.

        Raises:
            ValueError: None begins there.
        """
        self._wrong = None
        found, end = self._decoder.raw_decode(text, place)
        return found, end, self._wrong

    def _constant(self, name: str) -> str:
        self._wrong = self._wrong or Wrong(f"{name} is no JSON", UNREADABLE)
        return name

    def _number(self, text: str) -> str:
        if (len(text) > _LONG or _WIDE_EXPONENT.search(text)) and not _fits(text):
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"
            self._wrong = self._wrong or Wrong(
                f"no number of PostgreSQL is as large or as fine as {shown}", TOO_LARGE
            )
        return text


def _fits(text: str) -> bool:
    """Say whether a number is within the bounds of numeric."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(exponent.lstrip("+-0")) > _DIGITS:
        return False
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0)
    return len(whole.lstrip("-")) + power <= _WHOLE and len(fraction) - power <= _FRACTION


def json_defect(text: str) -> Wrong | None:
    """Say why a text cannot be a jsonb value, if it cannot."""
    try:
        found, wrong = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return Wrong(f"it is no JSON: {error}", UNREADABLE)
    return wrong or value_defect(text, found)


_DECODER = Decoder()


def value_defect(text: str, found: Any) -> Wrong | None:
    """Say the same of a text that was decoded already."""
    if "\\u" in text:
        for part in _texts(found):
            if "\0" in part:
                return Wrong("\\u0000 stands for NUL, which no text in PostgreSQL can hold", UNTRANSLATABLE)
            if defect(part, "utf-8"):
                return Wrong("half of a surrogate pair stands for no character", UNTRANSLATABLE)
    return None


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for name, item in value.items():
                yield name
                yield from _texts(item)
        case _:
            pass
