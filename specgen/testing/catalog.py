"""A table as the server's catalog describes it: the truth that test data must meet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from specgen.testing.subject import Step


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        default: As SQL.
        generated: Whether the database makes its values.
        labels: The values of an enum.
        element: The type of an array's elements; for a domain the type that is under it.
        domain: What the domain's own checks ask of its ``VALUE``.
        examples: The values that the spec gives, as SQL; those of its domain's other columns, too.
        place: Where the spec has the column.
    """

    name: str
    type: str
    not_null: bool
    default: str | None
    generated: bool
    labels: tuple[str, ...]
    element: str | None
    domain: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    place: str | None = None

    @property
    def said(self) -> str:
        """What its values have to be, for a message."""
        return f"that the domain {self.type} takes" if self.domain else f"of the type {self.type}"


@dataclass(frozen=True, slots=True)
class Constraint:
    """A check (with its expression), or a unique, primary or foreign key (with its columns)."""

    name: str
    kind: str
    columns: tuple[str, ...]
    expression: str | None
    parent: str | None
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns and constraints; ``children`` are the foreign keys that refer to it."""

    name: str
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    children: tuple[tuple[str, Constraint], ...]

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(item for item in self.columns if item.name == name)

    def of_kind(self, *kinds: str) -> tuple[Constraint, ...]:
        """The constraints of some kinds: c, u, p, f."""
        return tuple(item for item in self.constraints if item.kind in kinds)

    @property
    def checks(self) -> tuple[Constraint, ...]:
        """The checks that can be asked of a row before it is written."""
        computed = {item.name for item in self.columns if item.generated}
        return tuple(item for item in self.of_kind("c") if not computed & set(item.columns))

    @property
    def unique_columns(self) -> frozenset[str]:
        """Columns whose value may not repeat."""
        return frozenset(name for item in self.of_kind("u", "p") for name in item.columns)

    def foreign(self, column: str) -> Constraint | None:
        """The foreign key of one column."""
        return next((item for item in self.of_kind("f") if item.columns == (column,)), None)


_COLUMNS = """
    SELECT a.attname,
           format_type(a.atttypid, a.atttypmod),
           a.attnotnull,
           CASE WHEN a.attgenerated = '' THEN pg_get_expr(e.adbin, e.adrelid) END,
           a.attgenerated <> '',
           ARRAY(SELECT l.enumlabel FROM pg_enum AS l
                  WHERE l.enumtypid = a.atttypid ORDER BY l.enumsortorder),
           CASE WHEN t.typcategory = 'A' THEN format_type(t.typelem, NULL)
                WHEN t.typtype = 'd' THEN d.base END,
           d.checks,
           -- what a column of the same domain takes, this one takes too
           coalesce(f.examples, '{}') || ARRAY(
               SELECT unnest(of_others.examples)
                 FROM specgen_test.fields AS of_others
                 JOIN pg_attribute AS other
                   ON other.attrelid = of_others.relation AND other.attname = of_others.field
                WHERE t.typtype = 'd' AND other.atttypid = a.atttypid
                ORDER BY of_others.place
           ),
           f.place
      FROM pg_attribute AS a
      JOIN pg_type AS t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
      LEFT JOIN specgen_test.fields AS f ON f.relation = a.attrelid AND f.field = a.attname
     CROSS JOIN LATERAL (
            WITH RECURSIVE domain AS (
                SELECT t.oid, t.typtype, t.typbasetype, a.atttypmod AS typmod
                 UNION ALL
                SELECT b.oid, b.typtype, b.typbasetype, under.typtypmod
                  FROM domain
                  JOIN pg_type AS under ON under.oid = domain.oid
                  JOIN pg_type AS b ON b.oid = under.typbasetype
                 WHERE domain.typtype = 'd'
            )
            SELECT (SELECT format_type(oid, typmod) FROM domain WHERE typtype <> 'd') AS base,
                   ARRAY(SELECT pg_get_expr(c.conbin, 0)
                           FROM domain
                           JOIN pg_constraint AS c ON c.contypid = domain.oid
                          WHERE c.conbin IS NOT NULL
                          ORDER BY c.conname) AS checks
          ) AS d
     WHERE a.attrelid = %s::regclass
       AND a.attnum > 0
       AND NOT a.attisdropped
     ORDER BY a.attnum
"""

_CONSTRAINTS = """
    SELECT c.conname,
           c.contype::text,
           ARRAY(SELECT a.attname
                   FROM unnest(c.conkey) WITH ORDINALITY AS k (number, n)
                   JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number
                  ORDER BY k.n),
           pg_get_expr(c.conbin, c.conrelid),
           CASE WHEN c.confrelid <> 0 THEN c.confrelid::regclass::text END,
           ARRAY(SELECT a.attname
                   FROM unnest(c.confkey) WITH ORDINALITY AS k (number, n)
                   JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number
                  ORDER BY k.n),
           c.conrelid::regclass::text,
           c.confdeltype::text
      FROM pg_constraint AS c
     WHERE c.contype IN ('c', 'u', 'p', 'f')
       AND %(table)s::regclass IN (c.conrelid, c.confrelid)
     UNION ALL
    -- a unique index that is no constraint refuses rows all the same
    SELECT n.relname,
           'u',
           ARRAY(SELECT a.attname
                   FROM unnest(i.indkey[:i.indnkeyatts - 1]) WITH ORDINALITY AS k (number, n)
                   JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
                  ORDER BY k.n),
           NULL, NULL, '{}', i.indrelid::regclass::text, NULL
      FROM pg_index AS i
      JOIN pg_class AS n ON n.oid = i.indexrelid
     WHERE i.indrelid = %(table)s::regclass
       AND i.indisunique
       AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
     ORDER BY 2, 1
"""


def _column(row: Sequence[Any]) -> Column:
    name, kind, not_null, default, generated, labels, element, domain, examples, place = row
    return Column(
        name=name,
        type=kind,
        not_null=not_null,
        default=default,
        generated=generated,
        labels=tuple(labels),
        element=element,
        domain=tuple(domain),
        examples=tuple(examples),
        place=place,
    )


def read_table(connection: psycopg.Connection[Any], name: str) -> Table:
    """Read a table's description.

    Args:
        connection: Whose search path decides how other tables are named.
        name: The table as SQL names it.
    """
    with connection.transaction():
        # With this path every name comes back qualified.
        path = connection.execute(
            "SELECT current_setting('search_path'), set_config('search_path', 'pg_catalog', true)"
        ).fetchone()
        columns = tuple(_column(row) for row in connection.execute(_COLUMNS, (name,)).fetchall())
        rows = connection.execute(_CONSTRAINTS, {"table": name}).fetchall()
        oid = connection.execute("SELECT %s::regclass::text", (name,)).fetchone()
        connection.execute("SELECT set_config('search_path', %s, true)", (path[0] if path else "",))
    own = oid[0] if oid else name
    found = [
        (owner, action, Constraint(name_, kind, tuple(here), text, parent, tuple(there)))
        for name_, kind, here, text, parent, there, owner, action in rows
    ]
    return Table(
        name=name,
        columns=columns,
        constraints=tuple(item for owner, _, item in found if owner == own),
        children=tuple(
            (owner, item) for owner, action, item in found if item.parent == own and action in "ar"
        ),
    )


def snapshot(connection: psycopg.Connection[Any], step: Step) -> dict[str, tuple[str, dict[str, Any]]]:
    """The target table: key to the place of the row and what it holds."""
    rows = connection.execute(f"SELECT ctid::text, to_jsonb(target.*) FROM {step.table} AS target").fetchall()
    return {json.dumps([row[name] for name in step.key]): (place, row) for place, row in rows}
