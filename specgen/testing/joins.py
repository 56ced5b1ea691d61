"""Candidate values as SQL relations to search in."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from psycopg import sql as pgsql

from specgen.testing.candidates import MOST

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOO_MANY = 20_000


def quote(name: str) -> str:
    """A name as SQL."""
    return pgsql.Identifier(name).as_string(None)


def distinct(texts: Iterable[str]) -> list[str]:
    """Return texts once each, of too many the first ones and the last."""
    kept = list(dict.fromkeys(texts))
    return kept if len(kept) <= MOST else [*kept[: MOST - 1], kept[-1]]


def where(conditions: list[str]) -> str:
    """Return a WHERE clause, or nothing without conditions."""
    return f" WHERE {' AND '.join(f'({item})' for item in conditions)}" if conditions else ""


def relation(columns: list[tuple[str, str, list[str]]]) -> str:
    """Return the join of all candidates of all columns, cut where it would be too long to search."""
    most = MOST
    while most > 3 and prod(min(len(values), most) for _, _, values in columns) > _TOO_MANY:
        most -= 1
    if not columns:
        return "(SELECT 1 AS specgen_nothing)"
    parts = []
    for number, (name, kind, values) in enumerate(columns):
        kept = values if len(values) <= most else [*values[: most - 1], values[-1]]
        rows = ", ".join(f"(({value})::{kind})" for value in kept)
        parts.append(f"(VALUES {rows}) AS specgen_{number} ({quote(name)})")
    return f"(SELECT * FROM {' CROSS JOIN '.join(parts)})"
