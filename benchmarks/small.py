"""Operations over a few records, where the engine's own work is most of what a call costs.

`benchmarks/versions.py` measures them: calls in a warm session, and batches of ten records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString, cast

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    import psycopg

SPEC = """
name: item
fields:
  id: bigint
  n: integer
  status: string
  updated_at: timestamp
indexes:
  - {columns: [n]}
patterns:
  - name: batch_operations
    operation: by_keys
    operation_type: update
    update_data: {status: a, updated_at: "NOW()"}
    where_condition: "id = ANY(:ids)"
  - name: batch_operations
    operation: by_condition
    operation_type: update
    update_data: {status: a, updated_at: "NOW()"}
    where_condition: "n >= :low AND n < :high"
  - name: batch_operations
    operation: in_tens_by_condition
    operation_type: update
    batch_size: 10
    update_data: {status: a, updated_at: "NOW()"}
    where_condition: "n >= :low AND n < :high"
  - name: batch_operations
    operation: two_steps
    steps:
      - name: find
        operation_type: select
        select_fields: [id]
        where_condition: "n >= :low AND n < :high"
        output: found
      - name: change
        operation_type: update
        update_data: {status: a, updated_at: "NOW()"}
        where_condition: "id IN (:found_ids)"
---
name: entry
fields:
  id: bigint
  n: integer
  label: string
patterns:
  - name: batch_operations
    operation: add_entries
    operation_type: insert
    data_source: :records
    insert_data: {n: :item.n, label: :item.label}
  - name: batch_operations
    operation: add_in_tens
    operation_type: insert
    batch_size: 10
    data_source: :records
    insert_data: {n: :item.n, label: :item.label}
  - name: batch_operations
    operation: add_entry
    operation_type: insert
    insert_data: {n: :number, label: :text}
"""
ROWS = 100_000
TENS = 200  # batches of ten records in an operation
HISTORY = 50  # operations of each case that have been called before

UPDATE = "UPDATE item SET status = 'a', updated_at = now()"
BY_KEYS = f"{UPDATE} WHERE id = ANY (%(ids)s::bigint[])"
BY_CONDITION = f"{UPDATE} WHERE n >= %(low)s::integer AND n < %(high)s::integer"
INSERT = (
    "INSERT INTO entry (n, label) SELECT r.n, r.label"
    " FROM jsonb_to_recordset(%(records)s::jsonb) AS r (n integer, label text)"
)
WINDOW = "%(low)s::integer, %(high)s::integer"
COMMITTED = f"""
DO $$
BEGIN
    FOR i IN 0 .. {TENS - 1} LOOP
        {{statement}};
        COMMIT;
    END LOOP;
END;
$$
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What is written by hand, the operation that does the same, and how it is worked on."""

    name: str
    by_hand: str
    call: str
    then: str = ""  # "work": a worker does what was submitted; "steps": the caller, batch by batch
    tens: int = 1  # batches among which the time is divided


CALLS = (
    Case("a call over 10 keys", BY_KEYS, "by_keys(%(ids)s::bigint[])"),
    Case("a call over a condition, 10 rows", BY_CONDITION, f"by_condition({WINDOW})"),
    Case("a call over 10 jsonb records", INSERT, "add_entries(%(records)s::jsonb)"),
    Case(
        "a call with one record",
        "INSERT INTO entry (n, label) VALUES (%(low)s::integer, 'x')",
        "add_entry(number => %(low)s::integer, text => 'x')",
    ),
    Case("a call of two steps, 10 rows each", BY_CONDITION, f"two_steps({WINDOW})"),
    Case("submit 10 keys, batch_step to the end", BY_KEYS, "by_keys_submit(%(ids)s::bigint[])", "steps"),
    Case("submit 10 keys, batch_work", BY_KEYS, "by_keys_submit(%(ids)s::bigint[])", "work"),
    Case("submit two steps, batch_work", BY_CONDITION, f"two_steps_submit({WINDOW})", "work"),
)
IN_TENS = (
    Case(
        "a batch of 10 rows, condition, submitted",
        COMMITTED.format(statement=f"{UPDATE} WHERE n >= i * 10 AND n < i * 10 + 10"),
        f"in_tens_by_condition_submit(0, {TENS * 10})",
        "work",
        TENS,
    ),
    Case(
        "a batch of 10 rows, condition, one call",
        f"{UPDATE} WHERE n < {TENS * 10}",
        f"in_tens_by_condition(0, {TENS * 10})",
        tens=TENS,
    ),
    Case(
        "a batch of 10 jsonb records, submitted",
        COMMITTED.format(
            statement="INSERT INTO entry (n, label)"
            " SELECT g, 'x' FROM generate_series(i * 10, i * 10 + 9) AS g"
        ),
        "add_in_tens_submit((SELECT records FROM payload))",
        "work",
        TENS,
    ),
)


def prepare(connection: psycopg.Connection) -> None:
    """Fill the tables, also with some operations' history, and let commits not wait for the disk.

    What is measured is what is computed, in a database that has been in use.
    """
    for statement in (
        f"INSERT INTO item (id, n, status) SELECT g, g, 'b' FROM generate_series(0, {ROWS - 1}) AS g",
        "CREATE TABLE payload AS SELECT jsonb_agg(jsonb_build_object('n', g, 'label', 'x')) AS records"
        f" FROM generate_series(1, {TENS * 10}) AS g",
        "SET synchronous_commit = off",
    ):
        connection.execute(cast("LiteralString", statement))
    for case in CALLS:
        for turn in range(HISTORY):
            operation(connection, case, turn)


def by_hand(connection: psycopg.Connection, case: Case, turn: int) -> None:
    """Run the statement that somebody would write."""
    _run(connection, case.by_hand, turn)


def operation(connection: psycopg.Connection, case: Case, turn: int) -> None:
    """Run the operation, to its end."""
    result = _run(connection, f"SELECT {case.call}", turn).fetchone()
    if case.then == "work" and result:
        connection.execute("CALL batch_work(%s)", result)
    while case.then == "steps" and result:
        progress = connection.execute("SELECT (batch_step(%s)).state", result).fetchone()
        if progress == ("finished",):
            break


def _run(connection: psycopg.Connection, text: str, turn: int) -> psycopg.Cursor:
    """Run a statement over ten records that are others each time."""
    if "%(" not in text:
        return connection.execute(cast("LiteralString", text))
    low = turn * 10 % ROWS
    numbers = range(low, low + 10)
    records = [{"n": number, "label": "x"} for number in numbers]
    return connection.execute(
        cast("LiteralString", text),
        {"ids": list(numbers), "low": low, "high": low + 10, "records": Jsonb(records)},
    )
