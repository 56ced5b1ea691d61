"""Everything that a database's catalog says of three schemas, to compare one with another."""

from __future__ import annotations

from typing import Any

import psycopg

SCHEMAS = "('batch'::regnamespace, 'depot'::regnamespace, 'public'::regnamespace)"
# Names throughout, never oids. Columns by name: ALTER TABLE adds at the end.
QUERIES = {
    "relations": """
        SELECT c.oid::regclass, c.relkind, c.relpersistence, c.reloptions, c.relrowsecurity, r.rolname,
               c.relacl::text[], obj_description(c.oid, 'pg_class')
          FROM pg_class AS c
          JOIN pg_roles AS r ON r.oid = c.relowner
         WHERE c.relnamespace IN {schemas} AND c.relkind <> 'i'
    """,
    "columns": """
        SELECT c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               a.attgenerated, a.attstorage, a.attcollation::regcollation, a.attacl::text[],
               pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
          FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace IN {schemas} AND c.relkind <> 'i'
    """,
    "constraints": """
        SELECT c.conrelid::regclass, c.conname, c.convalidated, pg_get_constraintdef(c.oid),
               obj_description(c.oid, 'pg_constraint')
          FROM pg_constraint AS c
         WHERE c.connamespace IN {schemas}
    """,
    "indexes": """
        SELECT i.indexrelid::regclass, i.indisvalid, pg_get_indexdef(i.indexrelid)
          FROM pg_index AS i
          JOIN pg_class AS c ON c.oid = i.indexrelid
         WHERE c.relnamespace IN {schemas}
    """,
    "triggers": """
        SELECT t.tgrelid::regclass, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)
          FROM pg_trigger AS t
          JOIN pg_class AS c ON c.oid = t.tgrelid
         WHERE c.relnamespace IN {schemas} AND NOT t.tgisinternal
    """,
    "functions": """
        SELECT p.oid::regprocedure, pg_get_functiondef(p.oid), r.rolname, p.proacl::text[],
               obj_description(p.oid, 'pg_proc')
          FROM pg_proc AS p
          JOIN pg_roles AS r ON r.oid = p.proowner
         WHERE p.pronamespace IN {schemas}
    """,
    "types": """
        SELECT t.oid::regtype, t.typtype, t.typacl::text[], obj_description(t.oid, 'pg_type')
          FROM pg_type AS t
         WHERE t.typnamespace IN {schemas}
    """,
    "sequences": """
        SELECT s.seqrelid::regclass, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqcycle
          FROM pg_sequence AS s
          JOIN pg_class AS c ON c.oid = s.seqrelid
         WHERE c.relnamespace IN {schemas}
    """,
}


def catalogue(dsn: str) -> dict[str, set[str]]:
    """What there is, a line a thing."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET search_path = pg_catalog")

        def lines(query: str) -> set[str]:
            text = query.format(schemas=SCHEMAS)
            found: list[Any] = connection.execute(f"SELECT q::text FROM ({text}) AS q".encode()).fetchall()
            return {row[0] for row in found}

        return {kind: lines(query) for kind, query in QUERIES.items()}


def differences(one: dict[str, set[str]], other: dict[str, set[str]]) -> dict[str, list[str]]:
    """What only one of two catalogues has, by its kind."""
    found = {kind: sorted(one[kind] ^ other[kind]) for kind in QUERIES}
    return {kind: lines for kind, lines in found.items() if lines}
