"""What the catalog says about tables: their indexes, and the foreign keys that lead to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specgen.checks.conditions import only_present
from specgen.plan.sqltext import ident

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    Rows = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]

_FACTS = """
WITH RECURSIVE wanted AS (
    SELECT DISTINCT to_regclass(place)::oid AS relation FROM unnest(%s::text[]) AS place
),
-- What a DELETE cascades to is deleted from as well.
referring AS (
    SELECT w.relation AS target, k.oid AS key, k.conrelid, k.confdeltype, true AS direct
      FROM wanted AS w
      JOIN pg_catalog.pg_constraint AS k ON k.confrelid = w.relation AND k.contype = 'f'
     UNION
    SELECT r.target, k.oid, k.conrelid, k.confdeltype, false
      FROM referring AS r
      JOIN pg_catalog.pg_constraint AS k ON k.confrelid = r.conrelid AND k.contype = 'f'
     WHERE r.confdeltype = 'c'
),
relations AS (
    SELECT w.relation FROM wanted AS w WHERE w.relation IS NOT NULL
     UNION
    SELECT r.conrelid FROM referring AS r
),
holding AS (
    SELECT r.relation, coalesce(t.relid::oid, r.relation) AS leaf
      FROM relations AS r
      LEFT JOIN LATERAL pg_catalog.pg_partition_tree(r.relation::regclass) AS t ON t.isleaf
)
SELECT 'table',
       c.oid::bigint,
       jsonb_build_object(
           'schema', n.nspname,
           'name', c.relname,
           'kind', c.relkind,
           'leaves', (SELECT jsonb_agg(h.leaf::bigint) FROM holding AS h WHERE h.relation = c.oid),
           'bytes', (
               SELECT coalesce(sum(pg_relation_size(h.leaf::regclass)), 0)
                 FROM holding AS h
                WHERE h.relation = c.oid
           ),
           'values', (
               SELECT jsonb_object_agg(s.attname, s.n_distinct)
                 FROM pg_catalog.pg_stats AS s
                WHERE s.schemaname = n.nspname
                  AND s.tablename = c.relname
                  AND c.oid IN (SELECT w.relation FROM wanted AS w)
           )
       )
  FROM relations AS r
  JOIN pg_catalog.pg_class AS c ON c.oid = r.relation
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 UNION ALL
SELECT 'index',
       i.indrelid::bigint,
       jsonb_build_object(
           'method', m.amname,
           'columns', (
               SELECT jsonb_agg(a.attname ORDER BY place)
                 FROM generate_series(0, i.indnkeyatts - 1) AS place
                 LEFT JOIN pg_catalog.pg_attribute AS a
                   ON a.attrelid = i.indrelid
                  AND a.attnum = nullif(i.indkey[place], 0)
           ),
           -- Those of which it finds a single value, told apart as the column tells its values apart.
           'equal', (
               SELECT jsonb_agg(a.attname ORDER BY place)
                 FROM generate_series(0, i.indnkeyatts - 1) AS place
                 JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[place]
                 LEFT JOIN pg_catalog.pg_attribute AS a
                   ON a.attrelid = i.indrelid
                  AND a.attnum = nullif(i.indkey[place], 0)
                  AND i.indcollation[place] IN (0, a.attcollation)
                  AND m.amname <> 'brin' -- it only tells where to look for it
                  AND EXISTS (
                          SELECT
                            FROM pg_catalog.pg_amop AS w
                            JOIN pg_catalog.pg_operator AS e ON e.oid = w.amopopr
                           WHERE w.amopfamily = o.opcfamily
                             AND w.amoplefttype = o.opcintype
                             AND w.amoprighttype = o.opcintype
                             AND w.amoppurpose = 's'
                             AND e.oprname = '='
                      )
           ),
           'predicate', pg_get_expr(i.indpred, i.indrelid)
       )
  FROM (SELECT h.relation FROM holding AS h UNION SELECT h.leaf FROM holding AS h) AS r
  JOIN pg_catalog.pg_index AS i ON i.indrelid = r.relation AND i.indisvalid
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
 UNION ALL
SELECT 'reference',
       r.target::bigint,
       jsonb_build_object(
           'name', k.conname,
           'child', k.conrelid::bigint,
           'direct', r.direct,
           'columns', (
               SELECT jsonb_agg(a.attname ORDER BY u.place)
                 FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
           ),
           'referred', (
               SELECT jsonb_agg(a.attname)
                 FROM unnest(k.confkey) AS u (number)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.number
           )
       )
  FROM referring AS r
  JOIN pg_catalog.pg_constraint AS k ON k.oid = r.key
 -- A partition has its own copy of its parent's key.
 WHERE NOT EXISTS (
           SELECT
             FROM pg_catalog.pg_constraint AS p
            WHERE p.oid = k.conparentid
              AND p.confrelid = k.confrelid
       )
"""

# A simple view's columns are those of the table below it.
_VIEWS = """
SELECT v.place, a.attname, n.nspname, c.relname, t.attname
  FROM unnest(%s::text[]) AS v (place)
  JOIN pg_catalog.pg_class AS w ON w.oid = to_regclass(v.place) AND w.relkind = 'v'
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = w.oid AND a.attnum > 0
 CROSS JOIN LATERAL pg_temp.batch_base_columns(w.oid, ARRAY[a.attnum]) AS b
  JOIN pg_catalog.pg_class AS c ON c.oid = b.p_relation AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute AS t ON t.attrelid = c.oid AND t.attnum = b.p_columns[1]
"""


@dataclass(frozen=True, slots=True)
class View:
    """A view of one table, and what its columns are called there."""

    schema: str
    table: str
    columns: dict[str, str]


@dataclass(frozen=True, slots=True)
class Lack:
    """An index that is not there.

    Attributes:
        schema: Of the table that is read for want of it.
        bytes: How large that table is.
        least: How large it has to be to matter to a run.
        why: What is looked for.
    """

    schema: str
    table: str
    columns: tuple[str, ...]
    bytes: int
    least: int
    why: str
    partitioned: bool = False

    @property
    def message(self) -> str:
        """What is wrong."""
        table = f"{ident(self.schema)}.{ident(self.table)}"
        return f"no index of {table} begins with {_any_of(self.columns)}: {self.why}"

    @property
    def size(self) -> str:
        """How large the table is that is read."""
        megabytes = self.bytes / 1024 / 1024
        return f"{megabytes / 1024:,.1f} GB" if megabytes >= 1024 else f"{megabytes:,.0f} MB"

    @property
    def statement(self) -> str:
        """What makes the index."""
        columns = ", ".join(map(ident, self.columns))
        # A partitioned table takes no CONCURRENTLY.
        how = "" if self.partitioned else "CONCURRENTLY "
        return f"CREATE INDEX {how}ON {ident(self.schema)}.{ident(self.table)} ({columns})"


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Attributes:
        columns: What it is over; nothing for an expression.
        equal: The same, and nothing for a column of which it finds no single value.
        predicate: Which rows it has.
    """

    method: str
    columns: tuple[str | None, ...]
    equal: tuple[str | None, ...]
    predicate: str | None = None

    def finds(self, columns: Iterable[str]) -> bool:
        """Whether it finds rows by the values of some columns; only a B-tree needs the first of its own."""
        return self._begins_with(self.equal, set(columns))

    def tells(self, columns: Collection[str]) -> bool:
        """Whether it could tell all rows apart by some columns, whether or not it finds them."""
        return self.predicate is None and set(self.columns) <= set(columns)

    def _begins_with(self, own: tuple[str | None, ...], wanted: set[str]) -> bool:
        leading = own[:1] if self.method == "btree" else own
        if wanted.isdisjoint(leading):
            return False
        if self.predicate is None:
            return True
        # What is looked for is never NULL, so rows that are left out for that are none of those.
        present = only_present(self.predicate)
        return bool(present) and present <= wanted

    def answers(self, columns: Iterable[str]) -> bool:
        """Whether it may answer a condition: that its predicate follows from it is taken on trust."""
        if self.predicate is not None:
            return any(name in self.predicate for name in columns)
        return None in self.columns or self._begins_with(self.columns, set(columns))


class Facts:
    """What the catalog says about tables, read with one query.

    Args:
        rows: Asks the database.
        tables: As SQL names them.
        views: Which of them stand for a table below them.
    """

    def __init__(self, rows: Rows, tables: Iterable[str], views: dict[str, View] | None = None) -> None:
        self.views = views or {}
        wanted = list(dict.fromkeys([*tables, *map(_place, self.views.values())]))
        self.tables: dict[int, dict[str, Any]] = {}
        self.indexes: dict[int, list[Index]] = {}
        self.references: dict[int, list[dict[str, Any]]] = {}
        for kind, relation, found in rows(_FACTS, (wanted,)):
            match kind:
                case "table":
                    self.tables[relation] = found
                case "index":
                    columns, equal = tuple(found["columns"]), tuple(found["equal"])
                    index = Index(found["method"], columns, equal, found["predicate"])
                    self.indexes.setdefault(relation, []).append(index)
                case _:
                    self.references.setdefault(relation, []).append(found)

    def declare(self, schema: str, table: str, columns: Sequence[str], predicate: str | None) -> None:
        """Count an index as there that a deployment is about to make."""
        relation = self.find(schema, table)
        if relation is not None:
            self.indexes.setdefault(relation, []).append(
                Index("btree", tuple(columns), tuple(columns), predicate)
            )

    def find(self, schema: str, table: str) -> int | None:
        """Return the number of a table with rows of its own, or of a partitioned one."""
        for relation, found in self.tables.items():
            if (found["schema"], found["name"]) == (schema, table) and found["kind"] in ("r", "p"):
                return relation
        return None

    def below(self, schema: str, table: str) -> tuple[int | None, Callable[[str], str | None]]:
        """Return the number of the table that holds the rows, and what a column is called there."""
        view = self.views.get(f"{ident(schema)}.{ident(table)}")
        if view is None:
            return self.find(schema, table), lambda column: column
        return self.find(view.schema, view.table), view.columns.get

    def serves(self, relation: int, test: Callable[[Index], bool]) -> bool:
        """Whether an index of a table, or one of each of its partitions, passes a test."""
        if any(map(test, self.indexes.get(relation, ()))):
            return True
        leaves = [leaf for leaf in self.tables[relation]["leaves"] if leaf != relation]
        return bool(leaves) and all(any(map(test, self.indexes.get(leaf, ()))) for leaf in leaves)

    def lack(self, relation: int, columns: Sequence[str], least: int, why: str) -> Lack:
        """Return the lack of an index of a table."""
        found = self.tables[relation]
        size = int(found["bytes"])
        return Lack(found["schema"], found["name"], tuple(columns), size, least, why, found["kind"] == "p")


def _any_of(columns: Sequence[str]) -> str:
    names = [ident(name) for name in columns]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def views_of(rows: Rows, places: Iterable[str]) -> dict[str, View]:
    """Return the simple views among what SQL names; asks a function that the checks have made."""
    found: dict[str, View] = {}
    for place, column, schema, table, own in rows(_VIEWS, (list(dict.fromkeys(places)),)):
        found.setdefault(place, View(schema, table, {})).columns[column] = own
    return found


def _place(view: View) -> str:
    return f"{ident(view.schema)}.{ident(view.table)}"
