"""A table as the server's catalog describes it: the truth that test data must meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``default`` and ``generated`` are SQL."""

    name: str
    type: str
    not_null: bool
    default: str | None
    generated: bool
    labels: tuple[str, ...]
    element: str | None


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
           CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
           a.attgenerated <> '' OR a.attidentity <> '',
           ARRAY(SELECT e.enumlabel FROM pg_enum AS e
                  WHERE e.enumtypid = a.atttypid ORDER BY e.enumsortorder),
           CASE WHEN t.typcategory = 'A' THEN format_type(t.typelem, NULL)
                WHEN t.typtype = 'd' THEN format_type(t.typbasetype, NULL) END,
           a.attidentity <> ''
      FROM pg_attribute AS a
      JOIN pg_type AS t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
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
        columns = tuple(
            Column(row[0], row[1], row[2], row[3], row[4] and not row[7], tuple(row[5]), row[6])
            for row in connection.execute(_COLUMNS, (name,)).fetchall()
        )
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
