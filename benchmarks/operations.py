"""How an operation compares with the one statement that somebody would write by hand.

Every figure is a ratio: the hand-written statement and the operation run in turn on the same table in
one run, and the median of the pairs counts. Absolute times depend on the machine; ratios hardly do.

    python benchmarks/operations.py [--rows N] [--pairs N] [--postgres MAJOR] [--write]
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, LiteralString, cast

import psycopg
from common import deploy

from specgen.database import databases
from specgen.database.embedded import EmbeddedProvider

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = """
name: account
fields:
  id: uuid
  email: string
  status: string
  n: integer
  updated_at: timestamp
patterns:
  - name: batch_operations
    operation: by_keys
    operation_type: update
    update_data: {status: :new_status, updated_at: "NOW()"}
    where_condition: "id = ANY(:ids)"
  - name: batch_operations
    operation: by_condition
    operation_type: update
    update_data: {status: :new_status, updated_at: "NOW()"}
    where_condition: "n > 0"
  - name: batch_operations
    operation: by_index
    operation_type: update
    update_data: {updated_at: "NOW()"}
    where_condition: "status = 'rare'"
---
name: imported
fields:
  id: uuid
  email: string
  status: string
  n: integer
  updated_at: timestamp
patterns:
  - name: batch_operations
    operation: import_records
    operation_type: insert
    data_source: :records
    insert_data: {email: :item.email, status: :item.status, n: :item.n, updated_at: "NOW()"}
"""

SERVER = {
    "shared_buffers": "2GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
    "max_parallel_workers_per_gather": "0",
}
PAYLOAD = "(SELECT records FROM payload)"
KEYS = "(SELECT ids FROM key_list)"
BY_HAND = {
    "keys": f"UPDATE account SET status = 'a', updated_at = now() WHERE id = ANY ({KEYS}::uuid[])",
    "condition": "UPDATE account SET status = 'a', updated_at = now() WHERE n > 0",
    "records": (
        "INSERT INTO imported (email, status, n, updated_at) SELECT i.email, i.status, i.n, now()"
        " FROM payload, jsonb_to_recordset(records) AS i (email text, status text, n integer)"
    ),
    "index": "UPDATE account SET updated_at = now() WHERE status = 'rare'",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison."""

    name: str
    limit: float
    by_hand: str
    run: Callable[[Bench], None]


class Bench:
    """A server with the tables of one comparison."""

    def __init__(self, dsn: str, pairs: int) -> None:
        self.dsn = dsn
        self.pairs = pairs
        self.vacuum = True
        self.connection = psycopg.connect(dsn, autocommit=True)

    def execute(self, statement: str) -> None:
        """Run one statement."""
        self.connection.execute(cast("LiteralString", statement))

    def call(self, operation: str) -> None:
        """Run an operation in one call."""
        self.execute(f"SELECT {operation}")

    def submit(self, operation: str, workers: int) -> None:
        """Submit an operation and work on it from several sessions."""
        row = self.connection.execute(cast("LiteralString", f"SELECT {operation}")).fetchone()
        threads = [Thread(target=self._work, args=(row[0],)) for _ in range(workers)] if row else []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, operation: object) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("CALL batch_work(%s)", (operation,))

    def compare(self, case: Case) -> tuple[float, float, list[float]]:
        """Return the median seconds by hand and by operation, and the ratio of each pair."""
        by_hand: list[float] = []
        ours: list[float] = []
        self._tidy()
        self.execute(BY_HAND[case.by_hand])
        for _ in range(self.pairs):
            by_hand.append(self.timed(lambda: self.execute(BY_HAND[case.by_hand])))
            ours.append(self.timed(lambda: case.run(self)))
        ratios = [one / other for one, other in zip(ours, by_hand, strict=True)]
        return statistics.median(by_hand), statistics.median(ours), ratios

    def timed(self, work: Callable[[], None]) -> float:
        """Return the seconds of some work, begun with tidy tables."""
        self._tidy()
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def _tidy(self) -> None:
        self.execute("TRUNCATE imported, batch_operations CASCADE")
        if self.vacuum:
            self.execute("VACUUM account")
        self.execute("CHECKPOINT")


FULL = (
    Case("one call over an array of keys", 1.25, "keys", lambda b: b.call(f"by_keys({KEYS}, 'a')")),
    Case("one call over a condition", 1.3, "condition", lambda b: b.call("by_condition('a')")),
    Case("one call over jsonb records", 1.2, "records", lambda b: b.call(f"import_records({PAYLOAD})")),
    Case("submitted, one worker", 1.35, "condition", lambda b: b.submit("by_condition_submit('a')", 1)),
    Case("submitted, two workers", 0.7, "condition", lambda b: b.submit("by_condition_submit('a')", 2)),
)
INDEXED = (
    Case("1 % by an index, one call", 1.8, "index", lambda b: b.call("by_index()")),
    Case("1 % by an index, submitted", 3.0, "index", lambda b: b.submit("by_index_submit()", 1)),
)


def fill(bench: Bench, rows: int) -> None:
    """Make ``rows`` accounts, 1 % of them rare, and the same as keys and as records."""
    bench.execute(
        "INSERT INTO account SELECT gen_random_uuid(), 'user' || g || '@example.org',"
        f" CASE WHEN g % 100 = 0 THEN 'rare' ELSE 'common' END, g, now() FROM generate_series(1, {rows}) AS g"
    )


def prepare_full(bench: Bench, rows: int) -> None:
    """Fill the tables of the cases that go through most rows."""
    fill(bench, rows)
    bench.execute("CREATE TABLE key_list AS SELECT array_agg(id ORDER BY n) AS ids FROM account")
    bench.execute(
        "CREATE TABLE payload AS SELECT jsonb_agg(jsonb_build_object("
        "'email', email, 'status', status, 'n', n)) AS records FROM account"
    )
    bench.execute("VACUUM FULL account")
    bench.execute("ANALYZE")


def prepare_indexed(bench: Bench, rows: int) -> None:
    """Fill the table of the cases that go through few rows; it is not analyzed."""
    bench.execute("CREATE INDEX account_status ON account (status)")
    fill(bench, 3 * rows)
    # VACUUM, too, leaves something in pg_class that the planner reads.
    bench.vacuum = False


def analyze(bench: Bench) -> None:
    """Let the planner know the table."""
    bench.vacuum = True
    bench.execute("VACUUM ANALYZE account")


def run(bench: Bench, cases: tuple[Case, ...], suffix: str = "") -> list[str]:
    """Measure cases and return their table rows."""
    lines = []
    for case in cases:
        by_hand, ours, ratios = bench.compare(case)
        ratio = statistics.median(ratios)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        line = f"| {case.name}{suffix} | {by_hand:.2f} | {ours:.2f} | {ratio:.2f} | {spread} | {case.limit} |"
        print(line, flush=True)
        lines.append(line)
    return lines


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--postgres", type=int)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks-operations.md")
    given = parser.parse_args()
    with EmbeddedProvider(postgres=given.postgres, durable=True, settings=SERVER) as server:
        lines = [
            "| what | by hand, s | operation, s | ratio | pairs | goal, at most |",
            "|---|---|---|---|---|---|",
        ]
        print("\n".join(lines), flush=True)
        with databases.database(server) as dsn:
            deploy(dsn, SPEC)
            bench = Bench(dsn, given.pairs)
            prepare_full(bench, given.rows)
            lines += run(bench, FULL)
            bench.connection.close()
        with databases.database(server) as dsn:
            deploy(dsn, SPEC)
            bench = Bench(dsn, given.pairs)
            prepare_indexed(bench, given.rows)
            lines += run(bench, INDEXED, ", never analyzed")
            analyze(bench)
            lines += run(bench, INDEXED, ", analyzed")
            bench.connection.close()
    if given.write:
        write(lines, server.version, given.rows)


def write(lines: list[str], version: int, rows: int) -> None:
    """Write the table into the docs."""
    text = (
        "# Benchmarks: operations\n\n"
        "Made by `python benchmarks/operations.py --write`; see that file for the statements.\n"
        f"PostgreSQL {version}, {rows:,} rows with a random uuid key (three times as many for the index),\n"
        "batch size 1000, two cores. By hand and by operation in turn; the ratio is their median.\n\n"
        + "\n".join(lines)
        + "\n"
    )
    Path(__file__).parents[1].joinpath("docs/benchmarks-operations.md").write_text(text)


if __name__ == "__main__":
    main()
