"""Files of records: whatever is written by the rules of a format is read as it was."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specgen.errors import UsageError
from specgen.runtime.inputs import jsonfile
from specgen.runtime.inputs.csvfile import Column, CsvFile, Dialect
from specgen.runtime.inputs.jsonfile import JsonArray, JsonLines
from specgen.runtime.inputs.records import Item, Reject

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
PUNCTUATION = st.text("ab,;'\"^|\\ \t\r\n", max_size=8)


@st.composite
def dialects(draw: st.DrawFn) -> tuple[Dialect, dict[str, Any]]:
    delimiter = draw(st.sampled_from(",;\t|"))
    quote = draw(st.sampled_from("\"'"))
    escape = draw(st.sampled_from([quote, "^"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-16", "utf-16-le"]))
    # Unquoted, Python's writer leaves a lone CR bare and doubles an escape character: no format says so.
    sparing = escape == quote and draw(st.booleans())
    columns = (Column("a", 1, None), Column("b", 2, None), Column("c", 3, None))
    written = {
        "delimiter": delimiter,
        "quotechar": quote,
        "doublequote": escape == quote,
        "escapechar": None if escape == quote else escape,
        "quoting": csv.QUOTE_MINIMAL if sparing else csv.QUOTE_ALL,
        "lineterminator": "\r\n" if sparing else draw(st.sampled_from(["\n", "\r\n", "\r"])),
    }
    dialect = Dialect(columns, True, delimiter, draw(st.booleans()), quote, escape, encoding, null="NULL")
    return dialect, written


@given(dialects(), st.lists(st.tuples(*[TEXT | PUNCTUATION] * 3), max_size=6))
def test_what_a_csv_writer_writes_arrives_exactly(
    made: tuple[Dialect, dict[str, Any]], rows: list[tuple[str, str, str]]
) -> None:
    dialect, written = made
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        with path.open("w", encoding=dialect.encoding, newline="") as file:
            writer = csv.writer(file, **written)
            if dialect.has_header:
                writer.writerow(["a", "b", "c"])
            writer.writerows(rows)
        read = list(CsvFile(path, dialect))
    values = [json.loads(item.json) for item in read if isinstance(item, Item)]
    unquoted = written["quoting"] != csv.QUOTE_ALL
    expected = [
        {k: None if unquoted and v == "NULL" else v for k, v in zip("abc", row, strict=True)} for row in rows
    ]
    assert values == expected


@given(
    st.lists(
        st.dictionaries(
            st.just("a"), st.recursive(TEXT | st.integers() | st.booleans() | st.none(), st.lists)
        )
    )
)
def test_what_json_dumps_writes_arrives_exactly(records: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        array, lines = Path(folder) / "x.json", Path(folder) / "x.jsonl"
        array.write_text(json.dumps(records, indent=1), encoding="utf-8")
        lines.write_text("".join(f"{json.dumps(item)}\n" for item in records), encoding="utf-8")
        for reader in (JsonArray(array, ["a"]), JsonLines(lines, ["a"])):
            assert [json.loads(item.json) for item in reader if isinstance(item, Item)] == records


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_an_array_is_read_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(jsonfile, "_CHUNK", size)
    path = tmp_path / "x.json"
    path.write_text('\ufeff [ {"a": 12.50, "é": "]}"},\n{"a": -1e5} , {"a": [1, 23]}\n]\n', encoding="utf-8")
    read = list(JsonArray(path, ["a", "é"]))
    assert [(item.line, item.raw) for item in read] == [
        (1, '{"a": 12.50, "é": "]}"}'), (2, '{"a": -1e5}'), (2, '{"a": [1, 23]}'),
    ]  # fmt: skip
    path.write_text('[{"a": 1},\n {"a" 2}]', encoding="utf-8")
    with pytest.raises(UsageError, match=r"line 2, column 7: element 2"):
        list(JsonArray(path, ["a"]))


def read(tmp_path: Path, text: str, **changes: Any) -> list[Item | Reject]:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8", newline="")
    columns = (Column("a", 1, None), Column("b", 2, None))
    return list(CsvFile(path, Dialect(columns, mapped=True, has_header=False, **changes)))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('1,x\n2,"open\n3,y\n4,z\n', [1, -2, 3, 4]),
        ('1,x\n2,"open\n3,"y"\n4,z\n', [1, -2, 3, 4]),
        ('1,x\n2,"open\n3,"y\n4,z\n5,w\n', [1, -2, -3, 4, 5]),
        ('1,x\n2,"two\nlines"\n4,z\n', [1, 2, 4]),
        ('1,x\n2,"a"b\n3,y\n', [1, -2, 3]),
        ('1,x\n2,5" pipe\n3,y\n', [1, 2, 3]),
        ("1,x\n\n\r\n4,y\n", [1, 4]),
        ('1,x\n2,"never', [1, -2]),
    ],
)
def test_one_missing_quote_costs_one_line(tmp_path: Path, text: str, lines: list[int]) -> None:
    found = [item.line if isinstance(item, Item) else -item.line for item in read(tmp_path, text)]
    assert found == lines


def test_without_a_quote_character_quotes_are_text(tmp_path: Path) -> None:
    (item,) = read(tmp_path, '"a,b"\n', quote="", escape="")
    assert isinstance(item, Item)
    assert json.loads(item.json) == {"a": '"a', "b": 'b"'}


def test_an_unclosed_quote_gives_up_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specgen.runtime.inputs import csvfile

    monkeypatch.setattr(csvfile, "LONGEST", 1000)
    text = '1,"open\n' + "".join(f"{n},x\n" for n in range(2, 2000))
    found = read(tmp_path, text)
    assert [type(item).__name__ for item in found[:2]] == ["Reject", "Item"]
    assert len(found) == 1999
