"""What the database's catalog says about tables and functions."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from specgen.checks.probe import Probe

_VERY_NEAR = 0.85
_TABLES = """
SELECT n.nspname, c.relname, pg_table_is_visible(c.oid)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
 ORDER BY 1, 2
"""
_COLUMNS = """
SELECT a.attname,
       format_type(a.atttypid, a.atttypmod),
       t.typcategory::text || coalesce(e.typcategory::text, ''),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
 WHERE a.attrelid = to_regclass(%s)
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attnum
"""
_UNIQUE = """
SELECT array_agg(a.attname::text)
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[:i.indnkeyatts - 1])
 WHERE i.indrelid = to_regclass(%s)
   AND i.indisunique
   AND i.indisvalid
   AND i.indimmediate
   AND i.indpred IS NULL
   AND i.indexprs IS NULL
 GROUP BY i.indexrelid
"""
_FILLS = """
SELECT EXISTS (
           SELECT
             FROM pg_catalog.pg_trigger AS t
            WHERE t.tgrelid = to_regclass(%s)
              AND t.tgtype & 7 = 7 -- for each row, before, insert
              AND t.tgenabled <> 'D'
       )
       OR EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass(%s) AND c.relkind = 'v')
"""
_FUNCTIONS = """
SELECT n.nspname,
       p.proname,
       pg_get_function_arguments(p.oid),
       p.prokind::text,
       p.pronamespace = ANY (
           SELECT s.oid FROM pg_catalog.pg_namespace AS s WHERE s.nspname = ANY (current_schemas(true))
       )
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE p.proname = %s
 ORDER BY 5 DESC, 1, 3
"""
_NAMES = """
SELECT DISTINCT n.nspname, p.proname, n.nspname = ANY (current_schemas(true)), n.nspname = 'pg_catalog'
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname <> 'information_schema'
   AND p.prorettype <> 'trigger'::regtype
   AND p.prokind = 'f'
 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table.

    Attributes:
        type: As PostgreSQL writes it, such as ``numeric(10,2)``.
        category: The letter of its type's category, two for an array.
        required: Whether an insert has to give it.
    """

    name: str
    type: str
    category: str
    required: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function of a name.

    Attributes:
        kind: A letter: f, p for a procedure, a for an aggregate, w for a window function.
        visible: Whether the search path finds its schema.
    """

    schema: str
    name: str
    arguments: str
    kind: str
    visible: bool

    @property
    def signature(self) -> str:
        """Its name and arguments as a spec would name it."""
        schema = "" if self.visible else f"{self.schema}."
        return f"{schema}{self.name}({self.arguments})"


class Catalog:
    """Reads the catalog, each question once.

    Args:
        probe: Asks the database.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self._columns: dict[tuple[str, str], dict[str, TableColumn]] = {}
        self._own: tuple[str, ...] = ()
        self._built_in: tuple[str, ...] = ()

    def columns(self, schema: str, table: str) -> dict[str, TableColumn] | None:
        """Return a table's columns by name, or nothing where there is no such table."""
        place = (schema, table)
        if place not in self._columns:
            if self.probe.rows("SELECT to_regclass(%s)", (_regclass(schema, table),)) == [(None,)]:
                return None
            rows = self.probe.rows(_COLUMNS, (_regclass(schema, table),))
            self._columns[place] = {row[0]: TableColumn(*row) for row in rows}
        return self._columns[place]

    def unique(self, schema: str, table: str) -> list[frozenset[str]]:
        """Return the sets of columns that a unique index of a table promises to be unique."""
        return [frozenset(row[0]) for row in self.probe.rows(_UNIQUE, (_regclass(schema, table),))]

    def fills(self, schema: str, table: str) -> bool:
        """Whether something may give an insert's columns their values: a trigger, or a view."""
        name = _regclass(schema, table)
        return bool(self.probe.rows(_FILLS, (name, name))[0][0])

    def near_table(self, schema: str, name: str) -> str | None:
        """Return a suggestion for a table that is not there, where one is near."""
        tables = self.probe.rows(_TABLES)
        plain = [table for _, table, visible in tables if visible]
        whole = [f"{there}.{table}" for there, table, _ in tables]
        return did_you_mean(f"{schema}.{name}", whole) if schema else did_you_mean(name, plain)

    def functions(self, name: str) -> list[Candidate]:
        """Return the functions of a name, those that the search path finds first."""
        return [Candidate(*row) for row in self.probe.rows(_FUNCTIONS, (name,))]

    def near_function(self, name: str) -> str | None:
        """Return a suggestion for a function that is not there: the user's, else a very near one."""
        if not self._built_in:
            rows = self.probe.rows(_NAMES)
            self._own = tuple(
                known if visible else f"{schema}.{known}"
                for schema, known, visible, built_in in rows
                if not built_in
            )
            self._built_in = tuple(known for _, known, _, built_in in rows if built_in)
        close = difflib.get_close_matches(name, self._built_in, n=1, cutoff=_VERY_NEAR)
        return did_you_mean(name, self._own) or did_you_mean(name, close)


def _regclass(schema: str, table: str) -> str:
    return f"{ident(schema)}.{ident(table)}"
