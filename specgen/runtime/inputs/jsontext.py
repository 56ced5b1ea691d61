"""Texts that are JSON, and those that Python takes for JSON while PostgreSQL does not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from specgen.runtime.inputs.records import UNREADABLE, UNTRANSLATABLE, defect

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDE_EXPONENT = re.compile(r"[eE][+-]?[0-9]{5,}")
# What PostgreSQL's numeric holds: digits before the point, and behind it.
_WHOLE, _FRACTION = 131072, 16383
_LONG = 6000
"""A shorter number, with an exponent of four digits at most, is none that numeric cannot hold."""


class Wrong(NamedTuple):
    """What is wrong with a text."""

    message: str
    sqlstate: str


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> str:
    if _WIDE_EXPONENT.search(text):
        raise ValueError(f"the number {text[:40]} is too large")
    if len(text) > _LONG:
        mantissa, _, exponent = text.lower().partition("e")
        whole, _, fraction = mantissa.partition(".")
        power = int(exponent or 0)
        if len(whole.lstrip("-")) + power > _WHOLE or len(fraction) - power > _FRACTION:
            raise ValueError(f"a number of {len(text):,} characters is too long")
    return text


DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_number, parse_float=_number)


def json_defect(text: str) -> Wrong | None:
    """Say why a text cannot be a jsonb value, if it cannot."""
    try:
        found = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return Wrong(f"it is no JSON: {error}", UNREADABLE)
    return value_defect(text, found)


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
