"""Which types have dates in their values: domains over dates, arrays, ranges and rows of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from specgen.dateforms import Dates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Rows = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]

_MODIFIERS = re.compile(r"\([^()]*\)(?=(?:\[\])?\Z)")
# The element type of a domain over an array is the array's, but the domain is no array by itself.
_DATES = """
WITH RECURSIVE part AS (
    SELECT name, to_regtype(name)::oid AS type, false AS inside FROM unnest(%s::text[]) AS name
     UNION
    SELECT p.name, next.type, p.inside OR t.typtype <> 'd'
      FROM part AS p
      JOIN pg_catalog.pg_type AS t ON t.oid = p.type
     CROSS JOIN LATERAL (
               SELECT t.typbasetype WHERE t.typtype = 'd'
                UNION ALL
               SELECT t.typelem WHERE t.typtype <> 'd' AND t.typelem <> 0
                UNION ALL
               SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
                UNION ALL
               SELECT a.atttypid
                 FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = t.typrelid
                  AND t.typtype = 'c'
                  AND a.attnum > 0
                  AND NOT a.attisdropped
           ) AS next (type)
)
SELECT p.name, bool_or(p.type <> 'date'::regtype), bool_or(p.inside)
  FROM part AS p
 WHERE p.type IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
 GROUP BY p.name
"""


def dates_of_types(rows: Rows, types: Iterable[str]) -> dict[str, Dates]:
    """Return the dates in the values of types, of those that have any.

    Args:
        rows: Asks the database, which searches where the types are to be found.
        types: As SQL names them.
    """
    names = {kind: _MODIFIERS.sub("", kind) for kind in types}
    found = {
        name: Dates(timed=timed, inside=inside)
        for name, timed, inside in rows(_DATES, (list(dict.fromkeys(names.values())),))
    }
    return {kind: found[name] for kind, name in names.items() if name in found}
