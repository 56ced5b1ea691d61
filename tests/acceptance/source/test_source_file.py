"""The source document's import of a CSV file: each line is a product, or is named with its reason."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import counting
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.source.bench import Bench
    from tests.acceptance.source.conftest import OpenBlock

HOW = pytest.mark.parametrize("how", [(), ("--once",)], ids=["workers", "once"])


def run(bench: Bench, folder: Path, *arguments: str) -> tuple[int, Any]:
    """Run the import as a user does; return its exit code and its outcome."""
    command = ("run", "import_products_csv", "--json", "--project", str(folder), *arguments)
    code, out, err = counting.run(bench.dsn, *command)
    assert out, err
    return code, json.loads(out)


@HOW
def test_data_import(block: OpenBlock, tmp_path: Path, how: tuple[str, ...]) -> None:
    bench = block("Data Import/Export")
    lines = [f'"product {n}",{n}.50,tools\n' for n in range(1, 1201)]
    lines[9] = '"with ""quotes"", a comma\nand a second line",10.50,tools\n'
    wrong = {100: '"free",0,tools\n', 200: ",5,tools\n", 600: '"much",much,tools\n', 1200: '"short",1\n'}
    for number, line in wrong.items():
        lines[number - 1] = line
    (tmp_path / "products.csv").write_text("name,price,category\n" + "".join(lines), encoding="utf-8")
    rejects = tmp_path / "rejects.csv"
    code, outcome = run(
        bench, tmp_path, "--input", str(tmp_path / "products.csv"), "--reject-file", str(rejects), *how
    )

    account = [
        outcome[name] for name in ("total_records", "processed_records", "skipped_records", "error_count")
    ]
    assert (code, outcome["status"], account) == (0, "completed", [1200, 1196, 4, 0])
    assert bench.rows("SELECT count(*)::integer, sum(price), max(category) AS category FROM product") == [
        (1196, Decimal(sum(range(1201)) - sum(wrong)) + Decimal("0.5") * 1196, "tools")
    ]
    assert bench.rows("SELECT name FROM product WHERE price = 10.50") == [
        'with "quotes", a comma\nand a second line'
    ]
    # Line 1 is the header, and record 10 takes two lines.
    found = bench.rows(
        "SELECT line_number, raw_text, column_name, value, error_message FROM batch_operation_errors ORDER BY 1"
    )
    assert [row[0] for row in found] == [number + 2 for number in wrong]
    assert [row[1].strip() for row in found] == [line.strip() for line in wrong.values()]
    assert [row[2] for row in found][:3] == ["price", "name", "price"]
    assert "price > 0" in found[0][4]
    assert "name IS NOT NULL" in found[1][4]
    assert found[2][3] == "much"
    assert rejects.read_text(encoding="utf-8").splitlines() == [
        "name,price,category",
        *(line.strip() for line in wrong.values()),
    ]

    corrected = '"free",7,gifts\n"named",7,gifts\n"much",7,gifts\n"short",7,gifts\n'
    rejects.write_text("name,price,category\n" + corrected, encoding="utf-8")
    code, outcome = run(bench, tmp_path, "--input", str(rejects), *how)
    assert (code, outcome["status"], outcome["processed_records"]) == (0, "completed", 4)
    assert bench.rows("SELECT count(*) FROM product") == [1200]
