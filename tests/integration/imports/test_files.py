"""``specgen run --input``: what is read, what is rejected and why, and that nothing is lost in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Shop

HEADER = "name,price,category\n"


@pytest.mark.parametrize("how", [(), ("--workers", "3"), ("--once",)])
def test_a_file_is_imported_and_every_rejected_line_named(shop: Shop, how: tuple[str, ...]) -> None:
    lines = [
        "a,1.50,x",
        "b,0,x",
        '"c, d",2,"two\nlines"',
        "d,abc,y",
        "e,5",
        "f,6,z,too many",
        "",
        'g,7,""',
        "h,8,",
    ]
    shop.write("p.csv", HEADER + "\n".join(lines) + "\n")
    code, out, err = shop.run("import_products", "--input", "p.csv", *how)
    assert code == 0, err
    assert shop.account == ("completed", 8, 4, 4, 0)
    assert shop.rows("SELECT name, price::text, category FROM product ORDER BY name") == [
        ("a", "1.50", "x"), ("c, d", "2.00", "two\nlines"), ("g", "7.00", ""), ("h", "8.00", None),
    ]  # fmt: skip
    assert shop.errors == [
        (3, "P0B08", "price", "0.00", True),
        (6, "22P02", "price", "abc", True),
        (7, "22P04", None, None, True),
        (8, "22P04", None, None, True),
    ]
    assert "skipped as invalid" in out
    assert "4 lines were rejected: rejects.csv" in err
    rejected = (shop.folder / "rejects.csv").read_text()
    assert rejected == HEADER + "b,0,x\nd,abc,y\ne,5\nf,6,z,too many\n"
    reasons = (shop.folder / "rejects.reasons.csv").read_text().splitlines()
    assert reasons[1:3] == [
        "2,3,price,0.00,P0B08,validation rule not met: price > 0,true",
        '3,6,price,abc,22P02,"invalid input syntax for type numeric: ""abc""",true',
    ]


def test_the_corrected_reject_file_completes_the_job_and_is_not_overwritten(shop: Shop) -> None:
    shop.write("p.csv", HEADER + "a,1,x\nb,0,x\nc,-1,x\n")
    assert shop.run("import_products", "--input", "p.csv")[0] == 0
    rejects = shop.folder / "rejects.csv"
    rejects.write_text(rejects.read_text().replace("b,0,x", "b,2,x"))
    corrected = rejects.read_text()
    code, _, err = shop.run("import_products", "--input", "rejects.csv")
    assert code == 0, err
    assert shop.names == ["a", "b"]
    assert rejects.read_text() == corrected
    last = shop.folder / "rejects.2.csv"
    assert last.read_text() == HEADER + "c,-1,x\n"
    last.write_text(last.read_text().replace("-1", "3"))
    code, _, err = shop.run("import_products", "--input", "rejects.2.csv")
    assert (code, shop.names) == (0, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "p.csv is empty: not even a header is there"),
        ("Nmae,SKU,Unit price\na,1,2\n", 'there is no "Name" (did you mean "Nmae"?)'),
        ("Name,SKU,Unit price,Name\na,1,2,b\n", '"Name" stands in it 2 times'),
        ("Name;SKU;Unit price\na;1;2\n", 'say csv_delimiter: ";" in the spec'),
        ('Name,SKU,"Unit price\n', "the header: the quote that opens column 3 is never closed"),
        ("Name,SKU,\0\n", "NUL"),
        (b"\xff\xfeN\0a\0m\0e\0\n\0", "begins with the byte order mark of utf-16"),
        ("Na\u00efve".encode("latin-1") + b",SKU\n", "byte 0xef is no utf-8"),
    ],
)
def test_a_file_whose_header_does_not_fit_is_refused_whole(
    shop: Shop, content: str | bytes, told: str
) -> None:
    shop.write("p.csv", content)
    code, out, err = shop.run("import_strict", "--input", "p.csv")
    assert (code, out) == (2, "")
    assert told in err
    assert shop.rows("SELECT FROM batch_operations") == []


def test_a_position_beyond_the_file_is_refused(shop: Shop) -> None:
    shop.write("p.csv", "name,price\na,1\n")
    code, _, err = shop.run("import_products", "--input", "p.csv")
    assert code == 2
    assert "p.csv has 2 columns, and field_mapping takes category from number 3" in err


def test_a_header_alone_is_an_import_of_nothing(shop: Shop) -> None:
    shop.write("p.csv", HEADER)
    code, _, err = shop.run("import_products", "--input", "p.csv")
    assert code == 0, err
    assert shop.account == ("completed", 0, 0, 0, 0)
    assert not (shop.folder / "rejects.csv").exists()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'b,"2,x', "the quote that opens column 2 is never closed"),
        (b'b,"2"0,x', "column 2 goes on behind its closing quote"),
        (b"b,2,\0", "the line holds a NUL byte"),
        (b"b,2,\xe9t\xe9", "byte 0xe9 is no utf-8 (character 5 of the line)"),
        (b"b,2", "too few columns: the line has 2 columns, the header has 3"),
        (b"b,2,x,y,", "too many columns: the line has 5 columns, the header has 3"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_malformed_line_costs_no_other(shop: Shop, bad: bytes, reason: str, end: bytes) -> None:
    lines = [HEADER.strip().encode(), b"a,1,x", bad, b'c,3,"x"', b"d,4,x"]
    shop.write("p.csv", end.join(lines) + end)
    code, _, err = shop.run("import_products", "--input", "p.csv")
    assert code == 0, err
    assert shop.account == ("completed", 4, 3, 1, 0)
    assert shop.names == ["a", "c", "d"]
    ((line, message),) = shop.rows("SELECT line_number, error_message FROM batch_operation_errors")
    assert (line, reason in message) == (3, True), message
    rejected = (shop.folder / "rejects.csv").read_bytes()
    assert rejected.startswith(HEADER.strip().encode() + end + b"b,")
    assert rejected.count(end) == 2


def test_nothing_begins_where_the_reject_file_cannot_be_written(shop: Shop) -> None:
    shop.write("p.csv", "Name,SKU,Unit price\na,1,1\nb,2\n")
    code, _, err = shop.run("import_strict", "--input", "p.csv", "--reject-file", "nowhere/r.csv")
    assert code == 2
    assert "nowhere/r.csv: No such file or directory" in err
    assert shop.rows("SELECT FROM product") == shop.rows("SELECT FROM batch_operations") == []


def test_errors_of_lines_and_constraints_are_all_rejected(shop: Shop) -> None:
    shop.write("p.csv", "Name,SKU,Unit price\na,1,1\nb,2\nc,1,5\nd,4,x\ne,5,5000\n")
    code, _, err = shop.run("import_strict", "--input", "p.csv", "--reject-file", "r.csv")
    assert code == 1, err
    assert shop.account == ("completed_with_errors", 5, 1, 0, 4)
    assert shop.errors == [
        (3, "22P04", None, None, False),
        (4, "23505", "sku", "1", False),
        (5, "22P02", "price", "x", False),
        (6, "23514", "price", "5000", False),
    ]
    assert (shop.folder / "r.csv").read_text() == "Name,SKU,Unit price\nb,2\nc,1,5\nd,4,x\ne,5,5000\n"


def test_without_a_reject_file_a_hint_tells_how_to_get_one(shop: Shop) -> None:
    shop.write("p.csv", "Name,SKU,Unit price\na,1,1\nb,2\n")
    _, _, err = shop.run("import_strict", "--input", "p.csv")
    (operation_id,) = shop.rows("SELECT operation_id::text FROM batch_operations")
    again = f"specgen run --resume {operation_id} --input p.csv --reject-file REJECTS"
    assert f"1 line was rejected; to correct them and read them again: {again}\n" in err
    code, _, err = shop.run(*again.split()[2:-1], "later.csv")
    assert code == 1
    assert (shop.folder / "later.csv").read_text() == "Name,SKU,Unit price\nb,2\n"


def test_default_mapping_takes_names_and_fills_in_defaults(shop: Shop) -> None:
    shop.write("p.csv", '\ufeffprice,name,data\n1,a,"{""n"": 1.50}"\n2,b,\n3,c,{no\n')
    code, _, err = shop.run("import_all", "--input", "p.csv")
    assert code == 1, err
    rows = shop.rows("SELECT name, id IS NOT NULL, made_on::text, data::text, sku FROM product ORDER BY name")
    assert rows == [("a", True, "2024-01-01", '{"n": 1.50}', None), ("b", True, "2024-01-01", None, None)]
    assert shop.errors == [(4, "22P02", "data", "{no", False)]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("price,nme", 'there is no "name" (did you mean "nme"?); "nme" is no field of the records'),
        ("price,name,prise", '"prise" is no field of the records (did you mean "price"?)'),
    ],
)
def test_default_mapping_refuses_names_that_are_none(shop: Shop, header: str, told: str) -> None:
    shop.write("p.csv", f"{header}\n1,2\n")
    code, _, err = shop.run("import_all", "--input", "p.csv")
    assert code == 2
    assert told in err
    assert "the operation reads: " in err
    assert "field_mapping" not in err


def test_an_upsert_takes_the_first_of_one_key_across_batches(shop: Shop) -> None:
    shop.write("p.csv", "s1,a,1\ns2,b,2\ns3,c,3\ns1,d,4\ns2\ns3,x,y\ns4,e,5\n")
    code, _, err = shop.run("put_products", "--input", "p.csv", "--workers", "2")
    assert code == 1, err
    assert shop.account == ("completed_with_errors", 7, 4, 0, 3)
    assert [row[:2] for row in shop.errors] == [(4, "21000"), (5, "22P04"), (6, "22P02")]
    assert shop.names == ["a", "b", "c", "e"]


def test_latin_1_and_other_characters_of_the_format(shop: Shop) -> None:
    shop.write("p.csv", "name;price;category\n'M^'üller; ^^ Söhne';1;-\n'-';2;''\nä;3;-x\n".encode("latin-1"))
    code, _, err = shop.run("import_latin", "--input", "p.csv")
    assert code == 0, err
    rows = shop.rows("SELECT name, category FROM product ORDER BY price")
    assert rows == [("M'üller; ^ Söhne", None), ("-", ""), ("ä", "-x")]


def test_utf_16_in_and_its_rejects_out(shop: Shop) -> None:
    shop.write("p.txt", "name\tprice\tcategory\r\nü\t1\tx\r\né\tzwei\tx\r\n".encode("utf-16"))
    code, _, err = shop.run("import_utf16", "--input", "p.txt")
    assert code == 1, err
    assert shop.names == ["ü"]
    rejected = (shop.folder / "rejects16.txt").read_bytes().decode("utf-16")
    assert rejected == "name\tprice\tcategory\r\né\tzwei\tx\r\n"


@pytest.mark.parametrize("name", ["p.json", "p.jsonl", "p.csv"])
def test_records_come_from_json_too(shop: Shop, name: str) -> None:
    objects = [
        '{"name": "a", "price": 1.50, "data": {"n": 1.10}}',
        '{"name": "b", "price": "x"}',
        '{"name": "c", "price": 3}',
    ]
    text = {
        "p.json": f"[{', '.join(objects)}]",
        "p.jsonl": "\n".join(objects),
        "p.csv": 'name,price,data\na,1.50,"{""n"": 1.10}"\nb,x,\nc,3,\n',
    }[name]
    shop.write(name, text)
    code, _, err = shop.run("add_records", "--input", name)
    assert code == 4
    assert "add_records: 3 records" in err
    assert shop.rows("SELECT FROM batch_operations") == []
    code, _, err = shop.run("add_records", "--input", name, "--yes", "--reject-file", "r" + name[1:])
    assert code == 1, err
    assert shop.rows("SELECT name, price::text, data::text FROM product ORDER BY 1") == [
        ("a", "1.50", '{"n": 1.10}'),
        ("c", "3.00", None),
    ]
    corrected = (shop.folder / ("r" + name[1:])).read_text().replace('"x"', "2").replace("x", "2")
    shop.write("corrected" + name[1:], corrected)
    code, _, err = shop.run("add_records", "--input", "corrected" + name[1:], "--yes")
    assert (code, shop.names) == (0, ["a", "b", "c"]), err


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{no", "the line is no JSON"),
        ("7", "a record must be a JSON object"),
        ('{"name": "\\u0000"}', "stands for NUL"),
        ('{"name": "\\ud800"}', "surrogate"),
        ('{"price": NaN}', "NaN is no JSON"),
        ('{"price": 1e200000}', "as large or as fine as 1e200000"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_line_that_is_no_object_is_rejected_alone(shop: Shop, line: str, reason: str) -> None:
    shop.write("p.jsonl", f'{{"name": "a", "price": 1}}\n{line}\n\n{{"name": "c\\\\u0000", "price": 3}}\n')
    code, _, err = shop.run("add_records", "--input", "p.jsonl", "--yes")
    assert code == 1, err
    ((number, message),) = shop.rows("SELECT line_number, error_message FROM batch_operation_errors")
    assert (number, reason in message) == (2, True), message
    assert shop.names == ["a", "c\\u0000"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, column 1: the file must be a JSON array of objects"),
        ('{"name": "a"}', "line 1, column 1: the file must be a JSON array of objects"),
        (
            '[{"name": "a", "price": 1},\n {"name": "b" "price": 2}]',
            "line 2, column 15: element 2 is no JSON",
        ),
        ('[{"name": "a", "price": 1}', "a comma or the end of the array is missing"),
        ('[{"name": "a", "prise": 1}]', 'line 1: the operation reads no field "prise"'),
        ('[{"name": "a", "price": 1}]\n x', "line 2, column 2: there is something behind the end"),
    ],
)
def test_a_broken_array_imports_nothing(shop: Shop, text: str, told: str) -> None:
    shop.write("p.json", text)
    code, _, err = shop.run("add_records", "--input", "p.json", "--yes")
    assert code == 2
    assert told in err
    assert shop.rows("SELECT FROM batch_operations") == []
    assert shop.rows("SELECT FROM batch_ranges") == []


def test_max_records_counts_lines_and_reads_no_further(shop: Shop) -> None:
    shop.write("p.csv", "name,price\na,1\nb\nc,3\nd,4\ne,5\n")
    code, out, err = shop.run("import_few", "--input", "p.csv")
    assert code == 1, err
    assert "max_records was reached" in out
    assert shop.account == ("completed_with_errors", 3, 2, 0, 1)
    assert shop.names == ["a", "c"]
    code, _, err = shop.run("import_few_or_none", "--input", "p.csv")
    assert code == 4
    assert "5 records match, max_records is 3" in err


def test_a_dry_run_of_a_file_leaves_nothing(shop: Shop) -> None:
    shop.write("p.csv", HEADER + "a,1,x\nb,0,x\nc\n")
    code, out, err = shop.run("import_products", "--input", "p.csv", "--dry-run")
    assert code == 0, err
    assert "3 total = 1 processed + 2 skipped + 0 failed" in out
    assert "line 3" in out
    assert shop.rows("SELECT FROM product") == shop.rows("SELECT FROM batch_operation_errors") == []
    assert not (shop.folder / "rejects.csv").exists()


def test_a_dry_run_does_not_pretend_to_keep_rejected_lines(shop: Shop) -> None:
    shop.write("p.csv", HEADER + "b,0,x\n")
    code, out, err = shop.run("import_products", "--input", "p.csv", "--dry-run", "--reject-file", "r.csv")
    assert (code, out) == (2, "")
    assert "--reject-file goes with no --dry-run" in err


def test_an_import_without_its_file_says_how_to_name_it(shop: Shop) -> None:
    code, out, err = shop.run("import_products")
    assert (code, out) == (2, "")
    assert "for example --input FILE, or -p csv_file=" in err


def test_utf_16_without_a_byte_order_mark_is_told_apart(shop: Shop) -> None:
    shop.write("p.csv", HEADER.encode("utf-16-le"))
    code, _, err = shop.run("import_strict", "--input", "p.csv")
    assert code == 2
    assert "the spec needs csv_encoding: utf-16-le" in err


def test_an_idempotency_key_reads_the_file_once(shop: Shop) -> None:
    shop.write("p.csv", HEADER + "a,1,x\n")
    for _ in range(2):
        code, _, err = shop.run("import_products", "--input", "p.csv", "-o", "idempotency_key=k")
        assert code == 0, err
    assert shop.names == ["a"]


def test_a_dry_run_of_a_file_that_was_read_with_its_key_says_so(shop: Shop) -> None:
    shop.write("p.csv", HEADER + "a,1,x\n")
    again = ("import_products", "--input", "p.csv", "-o", "idempotency_key=k")
    assert shop.run(*again)[0] == 0
    for how, told in (("--dry-run", "nothing new would be begun"), ("--workers=1", "nothing new is begun")):
        code, out, err = shop.run(*again, how)
        assert code == 0, err
        assert told in err
        assert "would have ended" not in out
    assert shop.names == ["a"]


def test_stop_on_error_and_max_errors_end_before_anything_is_written(shop: Shop) -> None:
    shop.write("p.csv", "Name,SKU,Unit price\na,1,1\nb,2\nc,3\n")
    for option in ("error_handling=stop_on_error", "max_errors=1"):
        code, _, err = shop.run("import_strict", "--input", "p.csv", "-o", option)
        assert code == 1, err
        assert shop.account == ("failed", 3, 0, 1, 2)
    assert shop.names == []


def test_an_atomic_operation_takes_the_whole_file_or_nothing(shop: Shop) -> None:
    shop.write("p.csv", "name,price\na,1\nb\n")
    code, _, err = shop.run("import_whole", "--input", "p.csv")
    assert code == 2
    assert "line 3: too few columns" in err
    shop.write("p.csv", "name,price\na,1\nb,2000\n")
    code, _, err = shop.run("import_whole", "--input", "p.csv")
    assert (code, shop.account) == (1, ("failed", 2, 0, 1, 1)), err
    shop.write("p.csv", "name,price\na,1\nb,2\n")
    code, _, err = shop.run("import_whole", "--input", "p.csv")
    assert (code, shop.names) == (0, ["a", "b"]), err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import_products", "--input", "nowhere.csv"], "nowhere.csv: No such file or directory"),
        (["import_products", "--input", "."], "Is a directory"),
        (["touch", "--input", "p.csv"], "touch takes no records"),
        (["touch", "--reject-file", "p.csv"], "--reject-file goes with --input"),
    ],
)
def test_wrong_usage(shop: Shop, arguments: list[str], told: str) -> None:
    shop.write("p.csv", HEADER)
    code, _, err = shop.run(*arguments)
    assert code == 2
    assert told in err


@pytest.mark.parametrize(
    ("unreadable", "account"),
    [(6, ("failed", 100, 0, 94, 6)), (5, ("completed_with_errors", 100, 95, 0, 5))],
)
def test_too_large_a_share_of_unreadable_lines_ends_an_import_before_it_writes(
    shop: Shop, unreadable: int, account: tuple[Any, ...]
) -> None:
    lines = ["a"] * unreadable + ["b,1"] * (100 - unreadable)
    shop.write("p.csv", "name,price\n" + "\n".join(lines) + "\n")
    assert shop.run("import_mostly", "--input", "p.csv")[0] != 0
    assert shop.account == account
    assert len(shop.names) == account[2]


def test_a_number_that_numeric_cannot_hold_costs_its_record_alone(shop: Shop) -> None:
    numbers = [
        "1" * 131072,
        "1" * 131073,
        "0." + "1" * 16383,
        "0." + "1" * 16384,
        "1e-9999",
        "1." + "1" * 9999 + "e-9999",
    ]
    items = [f'{{"name": "n{n}", "price": 1, "data": [{text}]}}' for n, text in enumerate(numbers)]
    shop.write("p.jsonl", "\n".join(items))
    code, _, err = shop.run("add_records", "--input", "p.jsonl", "--yes")
    assert code == 1, err
    assert shop.names == ["n0", "n2", "n4"]
    assert shop.account == ("completed_with_errors", 6, 3, 0, 3)


def test_long_records_are_cut_into_batches_that_jsonb_and_memory_hold(shop: Shop) -> None:
    """A thousand of them would be more than the 256 MB that a jsonb array may have."""
    shop.write("p.csv", "name,price\n" + "".join(f"{n:03}{'x' * 2_000_000},1\n" for n in range(12)))
    code, _, err = shop.run("import_mostly", "--input", "p.csv")
    assert code == 0, err
    assert shop.account == ("completed", 12, 12, 0, 0)
    assert shop.rows("SELECT item_count FROM batch_ranges ORDER BY range_number") == [9, 3]


@pytest.mark.parametrize(
    ("option", "name", "told"),
    [
        ("idempotency_key", "May", "idempotency key"),
        ("operation_id", "6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11", "operation id"),
    ],
)
def test_the_name_of_a_call_means_one_file(shop: Shop, option: str, name: str, told: str) -> None:
    shop.write("p.csv", "name,price\na,1\n")
    shop.write("other.csv", "name,price\nb,1\n")
    key = ("--option", f"{option}={name}")
    for _ in range(2):
        code, _, err = shop.run("import_mostly", "--input", "p.csv", *key)
        assert code == 0, err
    code, _, err = shop.run("import_mostly", "--input", "other.csv", *key)
    assert code == 4
    assert f"the {told} was used with another file before, by operation" in err
    assert shop.names == ["a"]


def test_a_line_is_not_refused_for_an_earlier_one_of_its_key_that_cannot_be_read(shop: Shop) -> None:
    file = shop.write("in.csv", "a,Lamp,dear\nb,Rug,2\nc,Vase,3\na,Lamp,4\nb,Rug,5\n")
    assert shop.run("put_products", "--input", str(file))[0] == 1
    assert [(line, state) for line, state, *_ in shop.errors] == [(1, "22P02"), (5, "21000")]
    assert shop.rows("SELECT sku, price::int FROM product ORDER BY sku") == [("a", 4), ("b", 2), ("c", 3)]


def test_null_in_a_cell_of_json_is_not_nothing_in_it(shop: Shop) -> None:
    shop.write("p.csv", 'name,price,data\na,1,null\nb,2,\nc,3,"{""n"": null}"\n')
    assert shop.run("import_all", "--input", "p.csv")[0] == 0
    assert shop.rows("SELECT data::text FROM product ORDER BY name") == ["null", None, '{"n": null}']
