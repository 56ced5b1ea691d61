"""The projects in examples/ are what specgen makes of them, their tests pass, and bills are right."""

from __future__ import annotations

import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.server import Server

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECTS = sorted(path.parent for path in EXAMPLES.glob("*/specgen.yaml"))


def specgen(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "specgen", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_what_is_checked_in_is_what_is_generated(project: Path) -> None:
    for arguments in (["generate", "--check"], ["generate", "tests", "--check"]):
        run = specgen(project, *arguments)
        assert run.returncode == 0, run.stderr + run.stdout


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_the_tests_of_an_example_pass(project: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(project, tmp_path / project.name))
    run = specgen(copy, "test", "run", "--provider", "embedded")
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr


READINGS = """Customer,Date,Units
1,2026-03-01,10
1,2026-03-31,2.5
2,2026-03-15,0
3,2026-03-15,4
3,2026-04-01,1000
"""


@pytest.mark.parametrize("how", [("--workers", "3"), ("--once",)], ids=["workers", "once"])
def test_a_month_is_billed(
    how: tuple[str, ...], tmp_path: Path, postgres_server: Server, new_database: Callable[..., str]
) -> None:
    dsn = new_database(postgres_server)
    billing = ("--project", str(EXAMPLES / "billing"))
    (tmp_path / "readings.csv").write_text(READINGS, encoding="utf-8")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute((EXAMPLES / "billing/sql/billing.sql").read_bytes())
        code, _, err = counting.run(dsn, "deploy", *billing)
        assert code == 0, err
        connection.execute("INSERT INTO customer (name, price) VALUES ('a', 0.2), ('b', 0.2), ('c', 0.3333)")
        code, _, err = counting.run(
            dsn, "run", "import_readings", "--input", str(tmp_path / "readings.csv"), *billing
        )
        assert code == 0, err
        code, out, err = counting.run(
            dsn, "run", "bill_month", "-p", "target_month=2026-03-01", *how, *billing
        )
        assert code == 1, err  # customer 2 used nothing, and nobody gets a bill of 0
        assert "bill_amount_check" in out
        rows = connection.execute(
            "SELECT b.customer_id, b.amount, b.status, f.name IS NOT NULL, m.text"
            " FROM bill AS b LEFT JOIN bill_file AS f ON f.bill_id = b.id LEFT JOIN message AS m USING (customer_id)"
            " ORDER BY 1"
        ).fetchall()
    told = "Your bill is ready"
    assert rows == [(1, Decimal("2.50"), "sent", True, told), (3, Decimal("1.33"), "sent", True, told)]
