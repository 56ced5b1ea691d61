"""Types, literals and spans of time: what is taken, and what it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specgen.spec.builtins import TYPES
from specgen.spec.intervals import parse_interval
from specgen.spec.literals import LiteralProblem, fit_literal
from specgen.spec.model import FieldType
from specgen.spec.types import SHORT_TYPES, TypeProblem, is_own, parse_type


@pytest.mark.parametrize(
    ("text", "sql", "base"),
    [
        ("string", "text", "text"),
        ("varchar(20)", "varchar(20)", "varchar"),
        ("decimal(10, 2)", "numeric(10,2)", "numeric"),
        ("int[]", "integer[]", "integer"),
        ("double", "double precision", "double precision"),
        ("double precision", "double precision", "double precision"),
        ("timestamp", "timestamptz", "timestamptz"),
        ("timestamp without time zone", "timestamp without time zone", "timestamp"),
        ("character varying(20)", "varchar(20)", "varchar"),
        ("char(3)", "character(3)", "character"),
        ("inet", "inet", "inet"),
        ("app.mood", "app.mood", "app.mood"),
        ('"My App".mood[]', '"My App".mood[]', '"My App".mood'),
        ("pg_catalog.int4", "integer", "integer"),
        ('"char"', '"char"', '"char"'),
        ("char", "character", "character"),
        ("jsonpath", "jsonpath", "jsonpath"),
        ("mood", "mood", "mood"),
        ('"Mood"[]', '"Mood"[]', '"Mood"'),
        ('"int64"', "int64", "int64"),
        ("app.position", 'app."position"', 'app."position"'),
        ("app.code(3)", "app.code(3)", "app.code"),
        ("app.code(3)[]", "app.code(3)[]", "app.code"),
        ("public.geometry(Point, 4326)", "public.geometry(point,4326)", "public.geometry"),
    ],
)
def test_types_become_postgresqls(text: str, sql: str, base: str) -> None:
    assert parse_type(text) == FieldType(sql, base, array=sql.endswith("[]"))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("strnig", '"string"'),
        ("integr", '"integer"'),
        ("int64", '"bigint"'),
        ("datetime", '"timestamp"'),
        ("pg_catalog.mood", None),
        ("app.code(x.y)", None),
    ],
)
def test_a_name_that_is_nearly_a_types_is_no_type_of_ones_own(text: str, meant: str | None) -> None:
    found = parse_type(text)
    assert isinstance(found, TypeProblem)
    assert meant is None or f"did you mean {meant}?" in (found.help or "")


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_type_of_postgresqls_is_known(name: str) -> None:
    found, array = parse_type(f"pg_catalog.{name}" if " " not in name else name), parse_type(f"{name}[]")
    assert isinstance(found, FieldType)
    assert isinstance(array, FieldType)
    assert not is_own(found.sql)
    assert not is_own(array.sql)


@pytest.mark.parametrize("name", SHORT_TYPES)
def test_every_short_type_is_known(name: str) -> None:
    assert isinstance(parse_type(name), FieldType)
    assert isinstance(parse_type(f"{name}[]"), FieldType)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("enum(a, b)", ("a", "b")),
        ("enum('a, b', \"c\"\"d\", 'it''s')", ("a, b", 'c"d', "it's")),
        ("ENUM( two words )", ("two words",)),
    ],
)
def test_values_of_an_enum(text: str, values: tuple[str, ...]) -> None:
    found = parse_type(text)
    assert isinstance(found, FieldType)
    assert (found.sql, found.enum) == ("text", values)


@given(st.text())
def test_any_text_is_a_type_or_a_problem(text: str) -> None:
    assert isinstance(parse_type(text), (FieldType, TypeProblem))


@pytest.mark.parametrize(
    "text",
    [
        "int; DROP TABLE x",
        "int AS x",
        "int, 1",
        "app.mood, 1",
        "int::app.mood",
        "app.mood%TYPE",
        "int -- x",
        "int) (",
        "setof int",
        "int FROM x",
    ],
)
def test_a_type_cannot_bring_other_sql_along(text: str) -> None:
    assert isinstance(parse_type(text), TypeProblem)


def fitted(kind: str, value: object, raw: str = "") -> object:
    wanted = parse_type(kind)
    assert isinstance(wanted, FieldType)
    return fit_literal(value, raw, wanted)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("smallint", -32768, -32768),
        ("bigint", "42", 42),
        ("decimal(3,1)", 99.9, 99.9),
        ("numeric", "NaN", "NaN"),
        ("double", float("inf"), "Infinity"),
        ("boolean", "off", False),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "infinity", "infinity"),
        ("time", "23:59", "23:59"),
        ("timestamp", "2025-01-31T23:59:00Z", "2025-01-31T23:59:00Z"),
        ("timestamp", "2025-01-31 23:59:00.5 +02:00", "2025-01-31 23:59:00.5 +02:00"),
        ("interval", "1 day 02:00", "1 day 02:00"),
        ("interval", "P1DT2H", "P1DT2H"),
        ("uuid", "{0123456789ABCDEF0123456789abcdef}", "01234567-89ab-cdef-0123-456789abcdef"),
        ("json", "[1, null]", (1, None)),
        ("jsonb", True, True),
        ("bytea", r"\xDEAD", r"\xDEAD"),
        ("varchar(3)", "é2345"[:3], "é23"),
        ("int[]", [1, [2, None]], (1, (2, None))),
        ("int[]", "{1,2}", "{1,2}"),
        ("enum(a, b)[]", ["a"], ("a",)),
        ("inet", "10.0.0.1", "10.0.0.1"),
        ("app.mood", "happy", "happy"),
    ],
)
def test_literals_that_fit(kind: str, value: object, expected: object) -> None:
    assert fitted(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("smallint", 32768),
        ("integer", 1.5),
        ("integer", True),
        ("integer", "1 " + "2"),
        ("decimal(3,1)", 100),
        ("numeric", "1,5"),
        ("double", "much"),
        ("boolean", 1),
        ("date", "2025-02-29"),
        ("date", "31.01.2025"),
        ("time", "25:00"),
        ("timestamp", "2025-01-31 25:00"),
        ("interval", "soon"),
        ("interval", "P"),
        ("uuid", "123"),
        ("json", "{a: 1"),
        ("bytea", r"\xABC"),
        ("varchar(3)", "1234"),
        ("text", True),
        ("text", ["a"]),
        ("text", "a\0b"),
        ("int[]", 1),
        ("int[]", [1, "x"]),
        ("enum(a, b)", "c"),
        ("enum(a, b)[]", ["a", "c"]),
        ("inet", {"a": 1}),
    ],
)
def test_literals_that_do_not_fit(kind: str, value: object) -> None:
    assert isinstance(fitted(kind, value), LiteralProblem)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("30 minutes", 1_800_000),
        ("10 seconds", 10_000),
        ("2 hours", 7_200_000),
        ("100ms", 100),
        ("1h", 3_600_000),
        ("1 hour 30 min", 5_400_000),
        ("1.5s", 1500),
        ("00:00:30", 30_000),
        ("soon", None),
        ("5", None),
        ("-1 s", None),
        ("", None),
        ("1 h later", None),
    ],
)
def test_spans_of_time(text: str, milliseconds: int | None) -> None:
    assert parse_interval(text) == milliseconds


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("txet", "text"), ("uudi", "uuid"), ("itn", "int"), ("dtae", "date"), ("bigin", "bigint")],
)
def test_letters_exchanged_in_a_types_name_are_a_slip_and_no_type_of_ones_own(slip: str, meant: str) -> None:
    found = parse_type(slip)
    assert isinstance(found, TypeProblem)
    assert (found.help or "").startswith(f'did you mean "{meant}"?')


@pytest.mark.parametrize("own", ["rate", "mood", "app.txet", '"txet"'])
def test_a_type_of_ones_own_may_be_called_nearly_as_another(own: str) -> None:
    assert isinstance(parse_type(own), FieldType)


def test_an_interval_of_some_fields_is_refused_instead_of_keeping_all() -> None:
    found = parse_type("interval day to second")
    assert isinstance(found, TypeProblem)
    assert "are not supported" in found.message
    assert parse_type("interval") == FieldType("interval", "interval")
