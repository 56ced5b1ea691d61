"""Imports that are cut off: while the file is read, and while its records are written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest
from gates import PATIENCE, holding

from .conftest import ROOT

if TYPE_CHECKING:
    from .conftest import Shop

WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'specgen run%'"
)


def start(shop: Shop, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "specgen", "run", *arguments, "--database-url", shop.dsn]
    return subprocess.Popen(
        command, cwd=shop.folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def until(shop: Shop, query: str) -> None:
    with psycopg.connect(shop.dsn, autocommit=True) as connection:
        while not connection.execute(query.encode()).fetchone():
            time.sleep(0.01)


def test_a_client_that_is_killed_while_it_loads_leaves_nothing(shop: Shop) -> None:
    shop.write("p.csv", "name,price,category\n" + "a,1,x\n" * 5000)
    # What it loads into is locked: the client is still loading when it is killed, whoever is faster.
    with holding(shop.dsn, "LOCK TABLE batch_ranges IN SHARE MODE"):
        process = start(shop, "import_products", "--input", "p.csv")
        until(shop, WAITING)
        process.send_signal(signal.SIGKILL)
        process.wait()
    until(
        shop,
        "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'specgen run%')",
    )
    for table in ("batch_operations", "batch_ranges", "batch_operation_errors", "product"):
        assert shop.rows(f"SELECT FROM {table}") == []


@pytest.mark.parametrize("workers", ["1", "3"])
def test_what_is_loaded_is_resumed_without_the_file_whose_header_is_enough_for_the_rejects(
    shop: Shop, workers: str
) -> None:
    shop.write(
        "p.csv", "Name,SKU,Unit price\n" + "".join(f"n{n},s{n},{n % 50}\n" for n in range(200)) + "bad\n"
    )
    with psycopg.connect(shop.dsn) as blocker:
        # The batch that meets this key waits until the client is dead.
        blocker.execute("INSERT INTO product (name, sku, price) VALUES ('blocker', 's150', 1)")
        process = start(
            shop, "import_strict", "--input", "p.csv", "--workers", workers, "--reject-file", "r.csv"
        )
        until(shop, WAITING)
        process.send_signal(signal.SIGKILL)
        process.wait()
        blocker.rollback()
    (shop.folder / "p.csv").unlink()
    (operation_id,) = shop.rows("SELECT operation_id::text FROM batch_operations")
    code, _, err = shop.run("--resume", operation_id, "--workers", workers)
    assert code == 1, err
    assert shop.account == ("completed_with_errors", 201, 200, 0, 1)
    assert f"specgen run --resume {operation_id} --input INPUT --reject-file REJECTS" in err
    shop.write("head.csv", "Name,SKU,Unit price\n")
    code, _, err = shop.run("--resume", operation_id, "--input", "head.csv", "--reject-file", "r.csv")
    assert code == 1, err
    assert (shop.folder / "r.csv").read_text() == "Name,SKU,Unit price\nbad\n"
    assert shop.rows("SELECT count(*), count(DISTINCT sku) FROM product") == [(200, 200)]


@pytest.mark.parametrize("name", ["p.csv", "-"])
def test_all_lines_of_a_pipe_are_read(shop: Shop, name: str) -> None:
    lines = "name,price,category\n" + "".join(f"n{n},{n % 50 + 1},x\n" for n in range(8_000))
    if name != "-":
        os.mkfifo(shop.folder / name)
    process = counting.specgen(
        shop.dsn, "run", "import_products", "--input", name, cwd=shop.folder, stdin=subprocess.PIPE
    )
    if name == "-":
        _, err = process.communicate(lines, timeout=PATIENCE)
    else:
        with (shop.folder / name).open("w") as file:
            file.write(lines)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert shop.rows("SELECT count(*), count(DISTINCT name) FROM product") == [(8_000, 8_000)]
