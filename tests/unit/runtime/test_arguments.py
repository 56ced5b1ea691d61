"""What stands behind ``-p`` and ``-o`` becomes PostgreSQL's text form of a value, or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specgen.errors import UsageError
from specgen.runtime.arguments import Parameter, array_literal, read_arguments, read_options

if TYPE_CHECKING:
    from pathlib import Path

PARAMETERS = (
    Parameter("ids", "uuid[]"),
    Parameter("status", "text", required=False),
    Parameter("records", "jsonb", required=False),
    Parameter("since", "date", required=False),
)


def ids(*values: str) -> str:
    return read_arguments([f"ids={value}" for value in values], PARAMETERS)["ids"]


def records(value: str) -> str:
    return read_arguments(["ids=", f"records={value}"], PARAMETERS)["records"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a"], '{"a"}'),
        (["a", "b"], '{"a","b"}'),
        (['["a", null, 1, true]'], '{"a",NULL,"1",true}'),
        (["[]"], "{}"),
        (["{a,b}"], "{a,b}"),
        (["{}"], "{}"),
        (["a", '["b"]'], '{"a","b"}'),
        ([""], '{""}'),
    ],
)
def test_arrays(values: list[str], expected: str) -> None:
    assert ids(*values) == expected


def test_elements_mean_themselves() -> None:
    assert array_literal(['a"b', "c\\d", "NULL", "é,{}", None]) == '{"a\\"b","c\\\\d","NULL","é,{}",NULL}'
    assert array_literal([[1, 2], [3, None]]) == '{{"1","2"},{"3",NULL}}'
    assert array_literal([{"a": "é"}]) == '{"{\\"a\\": \\"é\\"}"}'


def test_array_files(tmp_path: Path) -> None:
    lines = tmp_path / "ids.txt"
    lines.write_bytes("﻿a\r\n\r\nb \n".encode())
    assert ids(f"@{lines}") == '{"a","b"}'
    assert ids("x", f"@{lines}") == '{"x","a","b"}'
    document = tmp_path / "ids.json"
    document.write_text('["a", null]')
    assert ids(f"@{document}") == '{"a",NULL}'


def test_a_scalar_is_passed_as_it_stands() -> None:
    values = read_arguments(["ids=a", "status=@home=x ", "since=yesterday"], PARAMETERS)
    assert values["status"] == "@home=x "
    assert values["since"] == "yesterday"


def test_json_keeps_its_digits(tmp_path: Path) -> None:
    text = '[{"price": 1.00000000000000000001}]'
    assert records(text) == text
    file = tmp_path / "records.json"
    file.write_text(text)
    assert records(f"@{file}") == text
    lines = tmp_path / "records.jsonl"
    lines.write_text('{"a": 1.10}\n\n{"a": 2}\n')
    assert records(f"@{lines}") == '[{"a": 1.10},\n{"a": 2}]'


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (["ids"], 'parameter ids (uuid[]) has no value in -p "ids"'),
        (["ids:a"], 'parameter ids (uuid[]) has no value in -p "ids:a"'),
        (["idx"], '-p wants name=value, not "idx"'),
        (["ids=a,b"], 'parameter ids (uuid[]): "a,b" is read as one element, and holds a comma'),
        (["=1"], "-p wants name=value"),
        (["idz=1"], 'there is no parameter "idz"'),
        ([], "missing parameter: ids (uuid[])"),
        (["ids=[1"], "parameter ids (uuid[]) is no JSON"),
        (["ids=[1]", "ids={2}"], "parameter ids (uuid[]) takes one {...}"),
        (["ids=1", "status=a", "status=b"], "given 2 times and takes one value"),
        (["ids=1", "records={"], "parameter records (jsonb) is no JSON"),
        (["ids=@/nowhere"], "No such file"),
    ],
)
def test_what_is_refused(pairs: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_arguments(pairs, PARAMETERS)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "help"),
    [
        (
            "bigint[]",
            "1,2",
            "several are given as -p x=1 -p x=2, -p 'x=[1,2]', -p 'x={1,2}', or -p x=@FILE with one a line",
        ),
        (
            "uuid[]",
            "a, b",
            """several are given as -p x=a -p x=b, -p 'x=["a","b"]', -p 'x={a,b}', or -p x=@FILE with one a line""",
        ),
        (
            "numeric[]",
            "1,5; 2",
            "several are given as -p x=9.90 -p x=12.50, -p 'x=[9.90,12.50]', -p 'x={9.90,12.50}',"
            " or -p x=@FILE with one a line",
        ),
        ("date", None, "for example -p x=2026-01-31"),
        ("public.mood", None, "for example -p x=..."),
    ],
)
def test_the_help_is_a_form_that_works(kind: str, value: str | None, help: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_arguments([] if value is None else [f"x={value}"], [Parameter("x", kind)])
    assert caught.value.help == help


def test_a_text_or_a_date_may_hold_a_comma() -> None:
    assert read_arguments(["x=a, b"], [Parameter("x", "text[]")]) == {"x": '{"a, b"}'}
    assert read_arguments(["x=May 8, 2026"], [Parameter("x", "date[]")]) == {"x": '{"May 8, 2026"}'}


def test_a_bad_line_of_records_is_named(tmp_path: Path) -> None:
    lines = tmp_path / "records.jsonl"
    lines.write_text("{}\n{]\n")
    with pytest.raises(UsageError, match="line 2 of"):
        records(f"@{lines}")


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_bytes(b"\xff\xfea\x00")
    with pytest.raises(UsageError, match="is not UTF-8"):
        ids(f"@{file}")


def test_options() -> None:
    assert read_options(["batch_size=10", 'context={"who": 1}']) == {
        "batch_size": "10",
        "context": {"who": 1},
    }


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (["batchsize=1"], 'there is no option "batchsize"'),
        (["timeout"], "-o wants name=value"),
        (["timeout=1s", "timeout=2s"], "given twice"),
        (["context={"], "option context is no JSON"),
    ],
)
def test_options_that_are_refused(pairs: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_options(pairs)
    assert told in str(caught.value)
