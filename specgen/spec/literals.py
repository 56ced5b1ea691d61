"""Literals: plain YAML values held against the type of the column they are assigned to.

What PostgreSQL would refuse when the function runs is refused here, when it is generated. Where only a
server could tell (a domain, a type of the user's own) the value passes.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from specgen.spec.suggest import did_you_mean, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.spec.model import Data, FieldType


@dataclass(frozen=True, slots=True)
class LiteralProblem:
    """Why a value does not fit a type."""

    message: str
    help: str | None = None


def fit_literal(value: Any, raw: str, wanted: FieldType) -> Data | LiteralProblem:
    """Return a plain value as the model holds it for a type, or why it does not fit.

    Args:
        value: The value as YAML gives it.
        raw: Its text in the file, if it is an unquoted scalar: a number's digits are kept from it.
        wanted: The column's type.
    """
    if value is None:
        return None
    if wanted.array:
        return _fit_array(value, wanted)
    if wanted.enum:
        text = _fit_enum(value, raw, wanted.enum)
        if isinstance(text, LiteralProblem) or wanted.base == "text":
            return text
    check = _CHECKS.get(wanted.base)
    if check is not None:
        return check(value, raw, wanted)
    if isinstance(value, (list, dict)):
        return LiteralProblem(f"{kind_of(value)} does not fit {wanted.sql}")
    return value if isinstance(value, (str, bool)) else raw or str(value)


def _fit_array(value: Any, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str) and re.fullmatch(r"\s*\{.*\}\s*", value, re.DOTALL):
        return value
    if not isinstance(value, list):
        return LiteralProblem(f"{wanted.sql} needs a list, not {kind_of(value)}", "for example: [a, b]")
    element = type(wanted)(wanted.sql[:-2], wanted.base, array=False, enum=wanted.enum)
    items: list[Data] = []
    for item in value:
        fitted = _fit_array(item, wanted) if isinstance(item, list) else fit_literal(item, "", element)
        if isinstance(fitted, LiteralProblem):
            return fitted
        items.append(fitted)
    return tuple(items)


def _fit_enum(value: Any, raw: str, allowed: tuple[str, ...]) -> Data | LiteralProblem:
    text = value if isinstance(value, str) else raw or str(value)
    if text in allowed:
        return text
    listed = f"allowed: {', '.join(allowed)}"
    near = did_you_mean(text, allowed)
    return LiteralProblem(
        f'"{text}" is not one of the allowed values', f"{near} ({listed})" if near else listed
    )


def _no_fit(value: Any, wanted: FieldType, help: str | None = None) -> LiteralProblem:
    return LiteralProblem(f"{kind_of(value)} is not a valid {wanted.sql}", help)


def _fit_text(value: Any, raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, bool):
        return _no_fit(value, wanted, f'put it in quotes: "{str(value).lower()}"')
    if isinstance(value, (list, dict)):
        return _no_fit(value, wanted)
    text = value if isinstance(value, str) else raw or str(value)
    if "\0" in text:
        return LiteralProblem("PostgreSQL's text cannot hold a NUL character")
    length = re.fullmatch(r"\w+\((\d+)\)", wanted.sql)
    if length and len(text.rstrip(" ")) > int(length[1]):
        return LiteralProblem(f"this text has {len(text)} characters, and {wanted.sql} takes {length[1]}")
    return text


_INTEGER_BITS = {"smallint": 15, "integer": 31, "bigint": 63}


def _fit_integer(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    number = value
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,40}\s*", value):
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int):
        return _no_fit(value, wanted, "write a whole number")
    bits = _INTEGER_BITS[wanted.base]
    if not -(2**bits) <= number < 2**bits:
        return LiteralProblem(
            f"{number} is out of range for {wanted.sql}", f"it holds {-(2**bits)} to {2**bits - 1}"
        )
    return number


_DECIMAL = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,4})?")


def _fit_numeric(value: Any, raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return _no_fit(value, wanted, "write a number")
    if isinstance(value, float) and not math.isfinite(value):
        return _special_number(value)
    text = value.strip() if isinstance(value, str) else raw or str(value)
    if text.lower().lstrip("+-") in ("nan", "infinity"):
        return text
    if isinstance(value, int):
        text = str(value)  # octal and hexadecimal digits are YAML's, not PostgreSQL's
    if not _DECIMAL.fullmatch(text):
        return _no_fit(value, wanted, "write a number")
    number = Decimal(text)
    return _overflow(number, text, wanted) or _exact(value, text, number)


def _exact(value: float | str, text: str, number: Decimal) -> Data:
    """Return a number as it was written: its text, where a float would not come out the same."""
    return text if isinstance(value, float) and Decimal(repr(value)) != number else value


def _overflow(number: Decimal, text: str, wanted: FieldType) -> LiteralProblem | None:
    digits = re.fullmatch(r"numeric\((\d+)(?:,(-?\d+))?\)", wanted.sql)
    if digits is None:
        return None
    whole = int(digits[1]) - int(digits[2] or 0)
    if abs(number) < Decimal(10) ** whole:
        return None
    return LiteralProblem(
        f"{text} is too large for {wanted.sql}", f"it has {max(whole, 0)} digits before the point"
    )


def _special_number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _fit_float(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return _no_fit(value, wanted, "write a number")
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _no_fit(value, wanted, "write a number")
    if isinstance(value, float) and not math.isfinite(value):
        return _special_number(value)
    return value


_BOOLEANS = {"true": True, "t": True, "yes": True, "y": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "f": False, "no": False, "n": False, "off": False, "0": False}


def _fit_boolean(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    return _no_fit(value, wanted, "write true or false")


_SPECIAL_DAYS = frozenset(("epoch", "infinity", "-infinity"))
# PostgreSQL reads these when a statement is planned, not when it runs: a long-lived session would write
# the same moment again and again.
_FROZEN_DAYS = frozenset(("now", "today", "tomorrow", "yesterday"))
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ZONE = r"\s*(Z|UTC|GMT|[-+]\d{2}(:?\d{2})?|[A-Z][A-Za-z_]+/[A-Za-z_/]+)?"
_TIME = re.compile(r"([01]\d|2[0-4]):[0-5]\d(:([0-5]\d|60)(\.\d+)?)?" + _ZONE)


def _fit_date(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str) and (_is_date(value.strip()) or value.strip().lower() in _SPECIAL_DAYS):
        return value.strip()
    return _no_fit(value, wanted, _frozen(value, "CURRENT_DATE") or "write a date as 2025-01-31")


def _frozen(value: Any, instead: str) -> str | None:
    """The help for a word that would mean the moment of planning."""
    if isinstance(value, str) and value.strip().lower() in _FROZEN_DAYS:
        return f'it would be the moment the statement is planned, not the moment it runs: write "{instead}"'
    return None


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _fit_time(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str) and (_TIME.fullmatch(value.strip()) or value.strip() == "allballs"):
        return value.strip()
    return _no_fit(value, wanted, "write a time as 23:59:00")


def _fit_moment(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str):
        text = value.strip()
        date, _, time = text.replace("T", " ", 1).partition(" ")
        if text.lower() in _SPECIAL_DAYS or (_is_date(date) and (not time or _TIME.fullmatch(time.strip()))):
            return text
    return _no_fit(value, wanted, _frozen(value, "NOW()") or "write a moment as 2025-01-31 23:59:00+00")


def _fit_interval(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str) and _INTERVAL.fullmatch(value.strip()):
        return value.strip()
    return _no_fit(value, wanted, 'write a span of time as "1 day" or "02:30:00"')


_UNIT = (
    r"(us|usecs?|microseconds?|ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?"
    r"|w|weeks?|mon|mons|months?|y|yrs?|years?|decades?|c|cent|century|centuries|mil|mils|millennium|millennia)"
)
_INTERVAL = re.compile(
    rf"@?\s*([-+]?\d+(\.\d+)?\s*{_UNIT}\s*|[-+]?\d+:\d\d(:\d\d(\.\d+)?)?\s*)+(ago)?"
    r"|[-+]?P(?=.)(-?\d+(\.\d+)?[YMWD])*(T(-?\d+(\.\d+)?[HMS])+)?|-?infinity",
    re.IGNORECASE,
)


def _fit_uuid(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str):
        try:
            return str(uuid.UUID(value.strip()))
        except ValueError:
            pass
    return _no_fit(value, wanted, "write a uuid as 01234567-89ab-cdef-0123-456789abcdef")


def _fit_json(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if not isinstance(value, str):
        return frozen(value)
    try:
        return frozen(json.loads(value))
    except (ValueError, RecursionError):
        help = "write the value as YAML, or as JSON text in quotes (a JSON string: '\"text\"')"
        return _no_fit(value, wanted, help)


def _fit_bytes(value: Any, _raw: str, wanted: FieldType) -> Data | LiteralProblem:
    if isinstance(value, str) and re.fullmatch(r"\\x(\s*[0-9a-fA-F]{2})*|[^\\]*", value, re.DOTALL):
        return value
    return _no_fit(value, wanted, r"write bytes in hex as \xDEADBEEF")


def frozen(value: Any) -> Data:
    """Return plain data with lists as tuples, as the model holds it."""
    match value:
        case list():
            return tuple(frozen(item) for item in value)
        case dict():
            return {key: frozen(item) for key, item in value.items()}
        case _:
            plain: Data = value
            return plain


_CHECKS: dict[str, Callable[[Any, str, FieldType], Data | LiteralProblem]] = {
    **dict.fromkeys(("text", "varchar", "character", "citext", "name"), _fit_text),
    **dict.fromkeys(_INTEGER_BITS, _fit_integer),
    "numeric": _fit_numeric,
    **dict.fromkeys(("double precision", "real"), _fit_float),
    "boolean": _fit_boolean,
    "date": _fit_date,
    **dict.fromkeys(("time", "timetz"), _fit_time),
    **dict.fromkeys(("timestamp", "timestamptz"), _fit_moment),
    "interval": _fit_interval,
    "uuid": _fit_uuid,
    **dict.fromkeys(("json", "jsonb"), _fit_json),
    "bytea": _fit_bytes,
}
