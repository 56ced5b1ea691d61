"""Spans of time such as ``30 minutes``, ``100ms`` or ``1h``, in milliseconds."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "ms": 1,
    "msec": 1,
    "millisecond": 1,
    "s": 1000,
    "sec": 1000,
    "second": 1000,
    "m": 60_000,
    "min": 60_000,
    "minute": 60_000,
    "h": 3_600_000,
    "hr": 3_600_000,
    "hour": 3_600_000,
    "d": 86_400_000,
    "day": 86_400_000,
    "w": 604_800_000,
    "week": 604_800_000,
}
_PIECE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*,?")
_CLOCK = re.compile(r"\s*([0-9]{1,4}):([0-5]?[0-9]):([0-5]?[0-9](?:\.[0-9]+)?)\s*")
MAX_MS = 2**31 - 1
"""The longest timeout that PostgreSQL takes."""


def parse_interval(text: str) -> int | None:
    """Return the milliseconds that a text means, or nothing when it means no span of time."""
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (Decimal(part) for part in clock.groups())
        return int((hours * 3600 + minutes * 60 + seconds) * 1000)
    total = Decimal(0)
    position = 0
    while position < len(text.rstrip()):
        piece = _PIECE.match(text, position)
        if piece is None:
            return None
        unit = piece[2].lower()
        factor = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if factor is None:
            return None
        total += Decimal(piece[1]) * factor
        position = piece.end()
    return int(total) if position else None
