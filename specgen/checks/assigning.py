"""Whether a value that comes as jsonb can become what reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.checks.catalog import Catalog

_CATEGORY = """
SELECT t.typcategory::text || coalesce(e.typcategory::text, ''), t.typtype::text
  FROM pg_catalog.pg_type AS t
  LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
 WHERE t.oid = %s
"""
_JSON = ("json", "jsonb")


def category(kind: str, catalog: Catalog) -> str:
    """Return the letter of a type's category, two for an array; a question mark for one of nobody's."""
    oid = catalog.probe.type_oid(kind)
    rows = catalog.probe.rows(_CATEGORY, (oid,)) if oid is not None else []
    return str(rows[0][0]) if rows else "?"


def becomes(given: str, wanted: str, catalog: Catalog) -> bool:
    """Say whether a value of one type, written as text, reads as another.

    Text may be anything, and anything may be text; only what can never work is refused.
    """
    if given == wanted or wanted in _JSON or given in _JSON:
        return True
    one, other = category(given, catalog), category(wanted, catalog)
    if one[:1] == "A" or other[:1] == "A":
        return one[:1] == other[:1] and ("S" in (one[1:], other[1:]) or one == other)
    return one == other or bool({one, other} & {"S", "E", "U", "X", "?"})
