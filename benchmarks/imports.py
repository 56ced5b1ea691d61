"""What importing a CSV file costs: the client's memory whatever the size, and the time beside COPY's.

The file is read by ``specgen run --input`` in a process of its own, whose largest resident size is what
counts; COPY writes the same lines into an equal table, typed and checked, in the same run.

    python benchmarks/imports.py [--lines N] [--workers N] [--postgres MAJOR] [--write]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from common import CHECKOUT, command, deploy, environment

from specgen.database import databases
from specgen.database.embedded import EmbeddedProvider

SPEC = """
name: product
fields:
  id: uuid
  name: {type: string, nullable: false}
  price: {type: "decimal(10,2)", nullable: false, check: "price > 0"}
  category: string
patterns:
  - name: batch_operations
    operation: import_products
    data_source: csv_file
    field_mapping: {name: csv_column_1, price: csv_column_2, category: csv_column_3}
    validation_rules: ["price > 0", "name IS NOT NULL"]
    skip_invalid_rows: true
"""
SERVER = {"shared_buffers": "2GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min"}
RESULTS = Path(__file__).parents[1] / "docs/benchmarks-imports.md"


def main() -> None:
    """Run both, print the figures, and write them down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedProvider(postgres=given.postgres, settings=SERVER) as server,
        databases.database(server) as dsn,
    ):
        folder = Path(name)
        deploy(dsn, SPEC, folder=folder)
        rows = []
        for lines in (given.lines // 10, given.lines):
            file = folder / f"{lines}.csv"
            write(file, lines)
            rows.append((lines, copied(file, dsn), *imported(folder, file, dsn, given.workers)))
            file.unlink()
    text = report(rows, given)
    print(text)
    if given.write:
        RESULTS.write_text(text, encoding="utf-8")


def write(file: Path, lines: int) -> None:
    """Write a file of lines of some 40 bytes, every fifth with quotes."""
    with file.open("w", encoding="utf-8") as out:
        out.write("name,price,category\n")
        for number in range(lines):
            name = f'"Product, {number}"' if number % 5 == 0 else f"Product {number}"
            out.write(f"{name},{number % 9000 + 1}.99,category {number % 50}\n")


def copied(file: Path, dsn: str) -> float:
    """Seconds that COPY takes for the same lines into the same table."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE product")
        began = time.perf_counter()
        with (
            connection.cursor().copy(
                "COPY product (name, price, category) FROM STDIN (FORMAT csv, HEADER)"
            ) as copy,
            file.open("rb") as source,
        ):
            while block := source.read(1 << 16):
                copy.write(block)
        return time.perf_counter() - began


def imported(
    folder: Path, file: Path, dsn: str, workers: int, checkout: Path = CHECKOUT
) -> tuple[float, float]:
    """Seconds that the import takes, and the client's largest resident size in MB."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE product, batch_ranges, batch_operations CASCADE")
        connection.execute("VACUUM")
        connection.execute("CHECKPOINT")
    began = time.perf_counter()
    process = subprocess.Popen(
        command(
            *("run", "import_products", "--input", file, "--workers", str(workers)),
            *("--project", folder, "--database-url", dsn),
        ),
        env=environment(checkout),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    assert status == 0
    return seconds, usage.ru_maxrss / 1024


def report(rows: list[tuple[int, float, float, float]], given: argparse.Namespace) -> str:
    """The figures as a page."""
    table = "\n".join(
        f"| {lines:,} | {copy:,.1f} | {run:,.1f} | {run / copy:.2f} | {memory:,.0f} |"
        for lines, copy, run, memory in rows
    )
    return f"""# Benchmarks: imports

Made by `python benchmarks/imports.py --write`; see that file for the table and the lines.
PostgreSQL {given.postgres}, {given.workers} workers, two cores for server and client. COPY fills
an equal table in one statement; the import reads, checks two rules, keeps each line until it is done,
and commits batch by batch.

| lines | COPY, s | import, s | ratio | client's memory, MB |
|---|---|---|---|---|
{table}
"""


if __name__ == "__main__":
    main()
