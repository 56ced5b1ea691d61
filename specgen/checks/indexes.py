"""Indexes that a batch needs: for its key, for rows that refer to what it deletes, for its condition.

The first two are looked for with every record or every batch: without an index each of them reads a whole
table. The condition is looked for once, when an operation is planned, so its table has to be large before it
is worth a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from specgen.checks.conditions import only_present, tested_columns
from specgen.database.connection import explain
from specgen.plan.sqltext import ident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from specgen.checks.parts import Part
    from specgen.checks.probe import Probe
    from specgen.database.connection import Connection
    from specgen.diagnostics import Findings
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import Project

    Rows = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]

MATTERS = 1024 * 1024
"""Bytes from which reading a whole table again and again takes long: 8,000 times 1 MB are seconds."""
LARGE = 64 * 1024 * 1024
"""Bytes from which reading a whole table once takes long."""
_FEW = 10
"""An index over a column of fewer values finds so many rows that the table is read instead."""

_NO_JIT = "SET LOCAL jit = off"
"""How many partitions a table has is only guessed: compiling for that many would take seconds."""
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
class _Index:
    method: str
    columns: tuple[str | None, ...]
    predicate: str | None = None

    def finds(self, columns: Iterable[str]) -> bool:
        """Whether it finds rows by some of the columns; only a B-tree needs the first of its own."""
        leading = self.columns[:1] if self.method == "btree" else self.columns
        wanted = set(columns)
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
        return None in self.columns or self.finds(columns)


class Facts:
    """What the catalog says about tables, read with one query.

    Args:
        rows: Asks the database.
        tables: As SQL names them.
    """

    def __init__(self, rows: Rows, tables: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(tables))
        self.tables: dict[int, dict[str, Any]] = {}
        self.indexes: dict[int, list[_Index]] = {}
        self.references: dict[int, list[dict[str, Any]]] = {}
        for kind, relation, found in rows(_FACTS, (wanted,)):
            match kind:
                case "table":
                    self.tables[relation] = found
                case "index":
                    index = _Index(found["method"], tuple(found["columns"]), found["predicate"])
                    self.indexes.setdefault(relation, []).append(index)
                case _:
                    self.references.setdefault(relation, []).append(found)

    def declare(self, schema: str, table: str, columns: Sequence[str], predicate: str | None) -> None:
        """Count an index as there that a deployment is about to make."""
        relation = self.find(schema, table)
        if relation is not None:
            self.indexes.setdefault(relation, []).append(_Index("btree", tuple(columns), predicate))

    def find(self, schema: str, table: str) -> int | None:
        """Return the number of a table with rows of its own, or of a partitioned one."""
        for relation, found in self.tables.items():
            if (found["schema"], found["name"]) == (schema, table) and found["kind"] in ("r", "p"):
                return relation
        return None

    def serves(self, relation: int, test: Callable[[_Index], bool]) -> bool:
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


def tables_of(operation: PlannedOperation) -> list[str]:
    """Return the tables that an operation, or its steps, work on."""
    parts = [step.operation for step in operation.steps] or [operation]
    return [
        f"{ident(part.table.schema)}.{ident(part.table.name)}" for part in parts if part.call_function is None
    ]


def lacks(operation: PlannedOperation, facts: Facts) -> Iterator[Lack]:
    """Yield the indexes that an operation without steps, or a step, lacks."""
    relation = facts.find(operation.table.schema, operation.table.name)
    if relation is None or operation.call_function is not None:
        return
    yield from _of_key(operation, relation, facts)
    yield from _of_references(operation, relation, facts)
    yield from _of_condition(operation, relation, facts)


def _of_key(operation: PlannedOperation, relation: int, facts: Facts) -> Iterator[Lack]:
    key = operation.key
    if key is None:
        return
    # Other keys have a unique index, or the operation does not begin: the first of its columns is theirs.
    if key.use == "several" and not facts.serves(relation, lambda index: index.finds(key.columns)):
        why = "each batch reads the whole table to find its records' rows"
        yield facts.lack(relation, key.columns, MATTERS, why)
    if (
        key.use == "rows"
        and len(key.columns) > 1
        and not facts.serves(relation, lambda index: index.finds(key.columns[:1]) and index.method == "btree")
    ):
        why = "each batch reads the whole table to find where the key goes on"
        yield facts.lack(relation, key.columns, MATTERS, why)


def _of_references(operation: PlannedOperation, relation: int, facts: Facts) -> Iterator[Lack]:
    written = _rewritten(operation)
    seen: set[tuple[int, tuple[str, ...]]] = set()
    for found in facts.references.get(relation, ()):
        child, columns = found["child"], tuple(found["columns"])
        touched = operation.type == "delete" or (found["direct"] and written & set(found["referred"]))
        if not touched or (child, columns) in seen:
            continue
        seen.add((child, columns))
        if not facts.serves(child, lambda index, wanted=columns: index.finds(wanted)):  # type: ignore[misc]
            done = "deleted" if operation.type == "delete" else "changed"
            yield facts.lack(
                child,
                columns,
                MATTERS,
                f"its foreign key {found['name']} reads it whole for each row that is {done}",
            )


def _rewritten(operation: PlannedOperation) -> set[str]:
    """Return the columns of rows that are there which an operation writes."""
    if operation.type == "update":
        return {item.column for item in operation.assignments}
    return set(operation.update_columns) if operation.type == "upsert" else set()


def _of_condition(operation: PlannedOperation, relation: int, facts: Facts) -> Iterator[Lack]:
    found = facts.tables[relation]
    if not operation.walks_rows or not operation.condition or int(found["bytes"]) < LARGE:
        return
    variables = {item.variable for item in operation.where_parameters}
    tested = tested_columns(operation.condition, operation.table.name, variables)
    names = tuple(dict.fromkeys(item.column for item in tested))
    values = found["values"] or {}
    telling = any(not item.equality or not 0 < values.get(item.column, _FEW) < _FEW for item in tested)
    if telling and not facts.serves(relation, lambda index: index.answers(names)):
        best = tuple(dict.fromkeys(item.column for item in tested if item.equality)) or names
        yield facts.lack(
            relation, best[:1], LARGE, "the whole table is read to find what meets the condition"
        )


def check_indexes(parts: Sequence[Part], project: Project, probe: Probe, findings: Findings) -> None:
    """Report the indexes that an operation's parts lack, those that its project declares counted as there."""
    probe.connection.execute(_NO_JIT)
    facts = Facts(probe.rows, [name for part in parts for name in tables_of(part.planned)])
    managed = {(item.schema, item.table): item for item in project.entities if item.managed}
    for entity in managed.values():
        for index in entity.indexes:
            predicate = index.where.source if index.where else None
            facts.declare(entity.schema, entity.table, index.columns, predicate)
    for part in parts:
        for lack in lacks(part.planned, facts):
            home = managed.get((lack.schema, lack.table))
            help = (
                lack.statement
                if home is None
                else f"{lack.statement}, or {_declaration(lack)} in {home.file}"
            )
            findings.warning("no-index", part.operation.span, lack.message, help)


def lacking_in_a_run(connection: Connection, operation: PlannedOperation) -> list[Lack]:
    """Return the indexes that an operation lacks where the tables are so large that a run will feel it.

    Raises:
        DatabaseUnavailable: The connection was lost. Nothing else keeps a run from beginning: what cannot be
            seen, or is locked, is left.
    """

    def rows(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        # One message, which is a transaction by itself: no setting stays, behind a pooler neither.
        literals = [sql.Literal(value) for value in values]
        facts = sql.SQL(query.replace("%s", "{}")).format(*literals)
        cursor = connection.execute(
            sql.SQL("SET LOCAL lock_timeout = '1s'; {}; {}").format(sql.SQL(_NO_JIT), facts)
        )
        while cursor.nextset():
            pass
        return cursor.fetchall()

    parts = [step.operation for step in operation.steps] or [operation]
    try:
        facts = Facts(rows, tables_of(operation))
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise explain(error) from error
        return []
    found = [lack for part in parts for lack in lacks(part, facts)]
    return [lack for lack in dict.fromkeys(found) if lack.bytes >= lack.least]


def _declaration(lack: Lack) -> str:
    columns = ", ".join(lack.columns)
    return f"indexes: [{columns if len(lack.columns) == 1 else f'{{columns: [{columns}]}}'}]"


def _any_of(columns: Sequence[str]) -> str:
    names = [ident(name) for name in columns]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
