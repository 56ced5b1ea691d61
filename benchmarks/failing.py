"""How an operation with many failing records compares with a loop that catches each exception.

Of all records every second, tenth or hundredth is refused, by each kind of violation in turn. The
hand-written side is a PL/pgSQL loop with an exception handler that notes key and SQLSTATE. Both sides run
in turn, and are undone.

    python benchmarks/failing.py [--records N] [--pairs N] [--postgres MAJOR] [--only TEXT] [--write]
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from common import deploy

from specgen.database import databases
from specgen.database.embedded import EmbeddedProvider

SPEC = """
name: owner
fields:
  id: integer
  label: string
patterns:
  - name: batch_operations
    operation: delete_owners
    operation_type: delete
    where_condition: "id > 0"
  - name: batch_operations
    operation: delete_owners_by_key
    operation_type: delete
    where_condition: "id = ANY(:ids)"
---
name: thing
fields:
  id: integer
  label: {type: string, nullable: false}
  code: {type: string, unique: true}
  amount: {type: integer, check: "amount >= 0"}
  owner_id: ref(owner)
  slot: integer
  note: string
patterns:
  - name: batch_operations
    operation: insert_things
    operation_type: insert
    data_source: :records
    insert_data:
      id: {sql: ":item.id + 1000000"}
      label: :item.label
      code: :item.code
      amount: :item.amount
      owner_id: :item.owner_id
      slot: :item.slot
      note: :item.note
  - name: batch_operations
    operation: insert_valid_things
    operation_type: insert
    data_source: :records
    validation_rules: ["amount >= 0"]
    insert_data:
      id: {sql: ":item.id + 1000000"}
      label: :item.label
      code: :item.code
      amount: :item.amount
      owner_id: :item.owner_id
      slot: :item.slot
      note: :item.note
  - name: batch_operations
    operation: upsert_things
    operation_type: upsert
    conflict_target: id
    data_source: :records
    upsert_data:
      id: :item.id
      label: :item.label
      code: :item.code
      amount: :item.amount
      owner_id: :item.owner_id
      slot: :item.slot
      note: :item.note
  - name: batch_operations
    operation: update_things
    operation_type: update
    match_on: [id]
    data_source: :records
    update_data:
      label: :item.label
      code: :item.code
      amount: :item.amount
      owner_id: :item.owner_id
      slot: :item.slot
      note: :item.note
  - name: batch_operations
    operation: change_things
    operation_type: update
    update_data:
      label: {sql: "CASE WHEN :kind = 'not null' AND id % :every = 1 THEN NULL ELSE label END"}
      code: {sql: "CASE WHEN :kind = 'unique' AND id % :every = 1 THEN 'taken' ELSE code END"}
      amount: {sql: "CASE WHEN :kind = 'check' AND id % :every = 1 THEN -1 ELSE amount END"}
      owner_id: {sql: "CASE WHEN :kind = 'foreign key' AND id % :every = 1 THEN -1 ELSE owner_id END"}
      slot: {sql: "CASE WHEN :kind = 'exclusion' AND id % :every = 1 THEN 0 ELSE slot END"}
      note: {sql: "CASE WHEN :kind = 'trigger' AND id % :every = 1 THEN 'bad' ELSE note END"}
    where_condition: "id > 0"
    parameters: {kind: string, every: integer}
"""

SCHEMA = """
ALTER TABLE thing ADD CONSTRAINT thing_slot_free EXCLUDE USING btree (slot WITH =);
CREATE INDEX ON thing (owner_id);
CREATE FUNCTION refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.note = 'bad' THEN
        RAISE EXCEPTION 'this note is not wanted: %', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER refuse_bad BEFORE INSERT OR UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION refuse_bad();
CREATE TABLE by_hand (key integer, code text);
CREATE TABLE payload (kind text, records jsonb);
INSERT INTO owner (id, label) SELECT g, 'owner ' || g FROM generate_series(1, {records}) AS g;
INSERT INTO thing (id, label, code, amount, owner_id, slot) VALUES (0, 'taken', 'taken', 0, NULL, 0);
INSERT INTO thing (id, label, code, amount, owner_id, slot)
SELECT g, 'thing ' || g, 'code ' || g, g, CASE WHEN g % {every} = 1 THEN g END, g
  FROM generate_series(1, {records} - 1) AS g;
INSERT INTO payload
SELECT kind, jsonb_agg(jsonb_build_object(
           'id', g,
           'label', CASE WHEN kind = 'not null' AND g % {every} = 1 THEN NULL ELSE 'new ' || g END,
           'code', CASE WHEN kind = 'unique' AND g % {every} = 1 THEN 'taken' ELSE 'new ' || g END,
           'amount', CASE
               WHEN kind = 'value' AND g % {every} = 1 THEN '"many"'
               WHEN kind = 'check' AND g % {every} = 1 THEN '-1'
               ELSE g::text
           END::jsonb,
           'owner_id', CASE WHEN kind = 'foreign key' AND g % {every} = 1 THEN -1 ELSE g END,
           'slot', CASE WHEN kind = 'exclusion' AND g % {every} = 1 THEN 0 ELSE 1000000 + g END,
           'note', CASE WHEN kind = 'trigger' AND g % {every} = 1 THEN 'bad' ELSE 'good' END
       ) ORDER BY g)
  FROM unnest(ARRAY['not null', 'check', 'unique', 'foreign key', 'exclusion', 'trigger', 'value']) AS kind
 CROSS JOIN generate_series(1, {records}) AS g
 GROUP BY kind;
"""

LOOP = """
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN {source} LOOP
        BEGIN
            {statement};
        EXCEPTION
            WHEN OTHERS THEN
                INSERT INTO by_hand VALUES (r.id, SQLSTATE);
        END;
    END LOOP;
END;
$$
"""
RECORDS = (
    "SELECT (e ->> 'id')::integer AS id, e ->> 'label' AS label, e ->> 'code' AS code,"
    " e ->> 'amount' AS amount,"
    " (e ->> 'owner_id')::integer AS owner_id, (e ->> 'slot')::integer AS slot, e ->> 'note' AS note"
    " FROM payload, jsonb_array_elements(records) AS e WHERE kind = '{kind}'"
)
INSERT = (
    "INSERT INTO thing (id, label, code, amount, owner_id, slot, note)"
    " VALUES (r.id + 1000000, r.label, r.code, r.amount::integer, r.owner_id, r.slot, r.note)"
)
SET = (
    "label = r.label, code = r.code, amount = r.amount::integer, owner_id = r.owner_id, slot = r.slot,"
    " note = r.note"
)
CHANGE = (
    "UPDATE thing SET"
    " label = CASE WHEN '{kind}' = 'not null' AND id % {every} = 1 THEN NULL ELSE label END,"
    " code = CASE WHEN '{kind}' = 'unique' AND id % {every} = 1 THEN 'taken' ELSE code END,"
    " amount = CASE WHEN '{kind}' = 'check' AND id % {every} = 1 THEN -1 ELSE amount END,"
    " owner_id = CASE WHEN '{kind}' = 'foreign key' AND id % {every} = 1 THEN -1 ELSE owner_id END,"
    " slot = CASE WHEN '{kind}' = 'exclusion' AND id % {every} = 1 THEN 0 ELSE slot END,"
    " note = CASE WHEN '{kind}' = 'trigger' AND id % {every} = 1 THEN 'bad' ELSE note END"
    " WHERE id = r.id"
)
ROW_KINDS = ("not null", "check", "unique", "foreign key", "exclusion", "trigger")
PAYLOAD = "(SELECT records FROM payload WHERE kind = '{kind}')"


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: an operation, and the loop that does the same by hand."""

    operation: str
    kind: str
    call: str
    by_hand: str


def over_records(operation: str, statement: str, kinds: tuple[str, ...]) -> tuple[Case, ...]:
    """Return the cases of an operation over handed-in records."""
    return tuple(
        Case(operation, kind, f"{operation}({PAYLOAD})", LOOP.format(source=RECORDS, statement=statement))
        for kind in kinds
    )


CASES = (
    *over_records("insert_things", INSERT, (*ROW_KINDS, "value")),
    *over_records("insert_valid_things", INSERT, ("check",)),
    *over_records(
        "upsert_things",
        INSERT.replace("r.id + 1000000", "r.id") + f" ON CONFLICT (id) DO UPDATE SET {SET}",
        (*ROW_KINDS, "value"),
    ),
    *over_records("update_things", f"UPDATE thing SET {SET} WHERE id = r.id", (*ROW_KINDS, "value")),
    *(
        Case(
            "change_things",
            kind,
            "change_things('{kind}', {every})",
            LOOP.format(source="SELECT id FROM thing WHERE id > 0", statement=CHANGE),
        )
        for kind in ROW_KINDS
    ),
    *(
        Case(
            operation,
            "foreign key",
            call,
            LOOP.format(source="SELECT id FROM owner", statement="DELETE FROM owner WHERE id = r.id"),
        )
        for operation, call in (
            ("delete_owners", "delete_owners()"),
            ("delete_owners_by_key", "delete_owners_by_key((SELECT array_agg(id) FROM owner))"),
        )
    ),
)


def filled_in(text: str, **values: object) -> LiteralString:
    """Return SQL with its ``{names}`` replaced."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return cast("LiteralString", text)


def prepare(connection: psycopg.Connection, records: int, every: int) -> None:
    """Fill the tables."""
    connection.execute(filled_in(SCHEMA, records=records, every=every))
    connection.execute("VACUUM ANALYZE")


def timed(
    connection: psycopg.Connection, statement: LiteralString, count: LiteralString
) -> tuple[float, int]:
    """Return how long a statement took, in seconds, and how many failed; undo it."""
    with connection.transaction(force_rollback=True):
        began = time.perf_counter()
        connection.execute(statement)
        seconds = time.perf_counter() - began
        row = connection.execute(count).fetchone()
    connection.execute("VACUUM thing, owner")
    return seconds, row[0] if row else 0


def compare(connection: psycopg.Connection, case: Case, every: int, pairs: int) -> str:
    """Measure a case; return its table row. The first pair is not counted: it fills caches."""
    hand = filled_in(case.by_hand, kind=case.kind, every=every)
    call = filled_in(f"SELECT {case.call}", kind=case.kind, every=every)
    by_hand: list[float] = []
    ours: list[float] = []
    for _ in range(pairs + 1):
        seconds, failed = timed(connection, hand, "SELECT count(*) FROM by_hand")
        by_hand.append(seconds)
        seconds, also = timed(connection, call, "SELECT count(*) FROM batch_operation_errors")
        ours.append(seconds)
        if failed != also or failed == 0:
            raise SystemExit(f"{case}: {failed} failed by hand, {also} in the operation")
    ratios = [one / other for one, other in zip(ours[1:], by_hand[1:], strict=True)]
    ratio = f"{statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f}"
    medians = f"{statistics.median(by_hand[1:]):.2f} | {statistics.median(ours[1:]):.2f}"
    return f"| {case.operation} | {case.kind} | {every} | {medians} | {ratio} |"


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument(
        "--every", type=int, action="append", help="one record of how many is refused: 2, 10, 100"
    )
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--postgres", type=int)
    parser.add_argument("--only", default="", help="cases whose operation and kind contain this text")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks-failing.md")
    given = parser.parse_args()
    lines = [
        "| operation | refused by | one of | loop, s | operation, s | ratio | pairs |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    with EmbeddedProvider(postgres=given.postgres, durable=True) as server:
        for every in given.every or (2, 10, 100):
            with databases.database(server) as dsn:
                deploy(dsn, SPEC)
                with psycopg.connect(dsn, autocommit=True) as connection:
                    prepare(connection, given.records, every)
                    for case in CASES:
                        if given.only in f"{case.operation} {case.kind}":
                            lines.append(compare(connection, case, every, given.pairs))
                            print(lines[-1], flush=True)
    if given.write:
        write(lines, server.version, given.records)


def write(lines: list[str], version: int, records: int) -> None:
    """Write the table into the docs."""
    text = (
        "# Benchmarks: failing records\n\n"
        "Made by `python benchmarks/failing.py --write`; see that file for the statements.\n"
        f"PostgreSQL {version}, {records:,} records of which every second, tenth or hundredth is\n"
        "refused, in one call, batch size 1000, two cores. The loop catches each exception and notes\n"
        "key and SQLSTATE. By hand and by operation in turn; the ratio is their median.\n\n"
        + "\n".join(lines)
        + "\n"
    )
    Path(__file__).parents[1].joinpath("docs/benchmarks-failing.md").write_text(text)


if __name__ == "__main__":
    main()
