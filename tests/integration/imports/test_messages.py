"""What is said of a file: which line is meant, how to go on, and what kind of file it seems to be."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Shop

NUMBERS = "SELECT record_number, line_number FROM batch_operation_errors ORDER BY record_number"
LONG = 'name,price\n"a\nb",1\n\n"c\n\nd",2\ne,dear\nf\n"g\nh",x\n'


def test_the_number_of_a_record_and_its_line_are_two_things(shop: Shop) -> None:
    shop.write("in.csv", LONG)
    code, out, _ = shop.run("import_mostly", "--input", "in.csv", "--reject-file", "rejects.csv")
    assert code == 1
    assert shop.rows(NUMBERS) == [(3, 8), (4, 9), (5, 10)]
    assert [line for line in ("line 8", "line 9", "line 10") if line in out] == [
        "line 8",
        "line 9",
        "line 10",
    ]
    assert "#3" not in out
    reasons = (shop.folder / "rejects.reasons.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in reasons[1:4]] == [["2", "8"], ["3", "9"], ["4", "10"]]


def test_the_line_of_an_element_of_an_array_is_its_line(shop: Shop) -> None:
    shop.write(
        "in.json",
        '[{"name": "a", "price": 1},\n {"name": "b",\n  "price": "dear"}, 7,\n\n {"name": "c", "price": "x"}]',
    )
    code, _, _ = shop.run("add_records", "--input", "in.json", "--yes")
    assert code == 1
    assert shop.rows(NUMBERS) == [(2, 2), (3, 3), (4, 5)]
    assert shop.rows("SELECT error_message FROM batch_operation_errors WHERE record_number = 3") == [
        "a record must be a JSON object, not 7"
    ]


def test_lines_are_told_where_batches_hold_several_and_some_are_invalid(shop: Shop) -> None:
    shop.write("in.csv", "n,p,c\n" + '"x\ny",-1,c\n' * 3 + "z,2,c\n" + '"x\ny",0,c\n')
    assert shop.run("import_products", "--input", "in.csv")[0] == 0
    assert shop.rows(NUMBERS) == [(1, 2), (2, 4), (3, 6), (5, 9)]


def test_a_number_that_the_database_cannot_hold_costs_its_record(shop: Shop) -> None:
    wrong = ["1e200000", "-1E+200000", "9" * 140_000, "1e-20000", "NaN"]
    records = [f'{{"name": "{n}", "price": 1, "data": {{"n": [{text}]}}}}' for n, text in enumerate(wrong)]
    shop.write(
        "in.json", f'[{{"name": "a", "price": 1}},\n{",".join(records)},\n{{"name": "c", "price": 3}}]'
    )
    assert shop.run("add_records", "--input", "in.json", "--yes")[0] == 1
    assert [row[:2] for row in shop.errors] == [*[(2, "22003")] * 4, (2, "22P02")]
    assert shop.names == ["a", "c"]


def test_a_number_that_it_holds_is_written(shop: Shop) -> None:
    numbers = ["1e10000", "1e131071", "1e-16383", "0.5e-5", "1E400"]
    lines = [f'{{"name": "{n}", "price": 1, "data": {text}}}\n' for n, text in enumerate(numbers)]
    shop.write("in.jsonl", "".join(lines))
    assert shop.run("add_records", "--input", "in.jsonl", "--yes")[0] == 0
    query = "SELECT data = (%s::jsonb[])[name::int + 1] FROM product"
    assert shop.rows(query, numbers) == [True] * len(numbers)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--reject-file", "bad.csv"], []),
        (
            ["--reject-file", "bad.csv", "-o", "idempotency_key=monday", "-o", "batch_size=5"],
            ["-o", "batch_size=5"],
        ),
    ],
)
def test_the_hint_names_all_that_the_next_import_needs(shop: Shop, given: list[str], kept: list[str]) -> None:
    shop.write("in.csv", "SKU,Name,Unit price\nA,,1\n")
    _, _, err = shop.run("import_strict", "--input", "in.csv", *given)
    words = " ".join(["specgen run import_strict", *kept, "--input bad.csv --reject-file bad.csv"])
    assert f"correct them, then: {words}\n" in err
    (shop.folder / "bad.csv").write_text("SKU,Name,Unit price\nA,a,1\nB,,2\n")
    _, _, err = shop.run(*words.split()[2:])
    assert "--input bad.2.csv --reject-file bad.2.csv" in err
    assert shop.names == ["a"]


def test_the_hint_repeats_the_parameters(shop: Shop) -> None:
    shop.write("in.csv", "name,price,made_on\n,1,2012-01-31\n")
    given = ["-p", "since=2013-01-31 10:00"]
    _, _, err = shop.run("add_made", "--input", "in.csv", "--reject-file", "bad.csv", *given)
    assert "specgen run add_made -p 'since=2013-01-31 10:00' --input bad.csv --reject-file bad.csv" in err


@pytest.mark.parametrize(
    ("operation", "sign", "shown"),
    [("import_strict", ";", '";"'), ("import_products", "\t", '"\\t"'), ("import_strict", "|", '"|"')],
)
def test_another_delimiter_is_recognised(shop: Shop, operation: str, sign: str, shown: str) -> None:
    shop.write("in.csv", f"SKU{sign}Name{sign}Unit price\nA{sign}a{sign}1\n")
    code, _, err = shop.run(operation, "--input", "in.csv")
    assert code == 2
    assert f"its columns seem to be separated by {shown}: say csv_delimiter: {shown} in the spec" in err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "in.csv",
            '{"SKU": "A", "Name": "a"}\n',
            "it looks like JSON; if it is an object a line, name it NAME.jsonl",
        ),
        ("in.csv", '[{"SKU": "A"}]', "it looks like JSON; if it is an array, name it NAME.json"),
        ("in.json", '{"sku": "A"}\n{"sku": "B"}\n', "an object a line is NAME.jsonl"),
        ("in.jsonl", '[\n{"sku": "A"}\n]\n', "a file that is one array is named NAME.json"),
    ],
)
def test_a_file_of_another_kind_than_its_name_is_recognised(
    shop: Shop, name: str, text: str, told: str
) -> None:
    shop.write(name, text)
    code, _, err = shop.run("import_strict", "--input", name)
    assert code == 2
    assert told in err


def test_rejected_lines_are_not_written_to_a_file_that_would_be_read_otherwise(shop: Shop) -> None:
    shop.write("in.jsonl", json.dumps({"sku": "A", "name": None, "price": 1}))
    code, _, err = shop.run("import_strict", "--input", "in.jsonl", "--reject-file", "bad.csv")
    assert code == 2
    assert "are JSON, an object a line, and bad.csv would be read as CSV" in err
    assert "help: --reject-file bad.jsonl" in err
    assert shop.rows("SELECT count(*) FROM batch_operations") == [0]


def test_a_record_that_is_no_object_is_told_with_its_line(shop: Shop) -> None:
    shop.write("in.jsonl", '{"name": "a", "price": 1}\n\n[1]\n"a"\nnull\n17\n')
    code, out, _ = shop.run("add_records", "--input", "in.jsonl", "--yes")
    assert code == 1
    for line, shown in ((3, "an array"), (4, '"a"'), (5, "null"), (6, "17")):
        assert re.search(rf"line {line} +22P02 +a record must be a JSON object, not {shown}\n", out)


def test_an_atomic_operation_takes_no_reject_file(shop: Shop) -> None:
    shop.write("in.csv", "name,price\na,1\n")
    code, _, err = shop.run("import_whole", "--input", "in.csv", "--reject-file", "bad.csv")
    assert code == 2
    assert "import_whole is atomic: it writes all records or none, so no lines are rejected" in err
