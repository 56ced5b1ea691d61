"""Whatever a name or a value holds, the SQL made from it means just that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast import parse_sql

from specgen.plan.sqltext import BODY_TAG, constant, ident, literal, one_line_strings, qualify
from specgen.spec.model import FieldType

if TYPE_CHECKING:
    from specgen.database.server import Server

HOSTILE = [
    *("user", 'a"b', "x'y", "naïve name", "$$", "-- drop", "a\\b", "line\nbreak", "$function$", "50%", "/*"),
    *("E'", "e\u0301", "$do$ BEGIN", "{{ 7 }}", "\t", "select", "Group", "1st"),
]
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=15)


@pytest.fixture(scope="module")
def connection(server_of) -> psycopg.Connection:
    server: Server = server_of(18)
    with psycopg.connect(server.dsn, autocommit=True) as made:
        yield made


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_a_literal_is_read_as_its_text(connection: psycopg.Connection, text: str, conforming: str) -> None:
    connection.execute(f"SET standard_conforming_strings = {conforming}")
    connection.execute("SET escape_string_warning = off")
    assert connection.execute(f"SELECT {literal(text)}").fetchone() == (text,)
    connection.execute("SET standard_conforming_strings = on")


@pytest.mark.parametrize("text", HOSTILE)
def test_an_identifier_is_read_as_its_name(connection: psycopg.Connection, text: str) -> None:
    cursor = connection.execute(f"SELECT 1 AS {ident(text)}")
    assert cursor.description
    assert cursor.description[0].name == text


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_texts_stand_in_a_function_body(connection: psycopg.Connection, text: str) -> None:
    body = f"SELECT {ident(text)} FROM (SELECT {literal(text)} AS {ident(text)}) AS t"
    connection.execute(
        f"CREATE OR REPLACE FUNCTION pg_temp.echo() RETURNS text LANGUAGE sql AS $function$ {body} $function$"
    )
    assert connection.execute("SELECT pg_temp.echo()").fetchone() == (text,)


@given(names)
def test_any_name_is_one_identifier_on_one_line_without_a_body_tag(name: str) -> None:
    made = ident(name)
    assert "\n" not in made
    assert not BODY_TAG.search(made)
    (statement,) = parse_sql(f"SELECT 1 AS {made}")
    assert statement.stmt.targetList[0].name == name[: len(statement.stmt.targetList[0].name)]


@given(names)
def test_any_text_is_one_constant_on_one_line_without_a_body_tag(text: str) -> None:
    made = literal(text)
    assert "\n" not in made
    assert not BODY_TAG.search(made)
    (statement,) = parse_sql(f"SELECT {made}")
    assert statement.stmt.targetList[0].val.val.sval == text


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a\nAND b = 'x\ny'", "a\nAND b = E'x\\ny'"),
        ("$q$a\nb$q$", "E'a\\nb'"),
        ('"odd\nname" > 1', 'U&"odd\\000Aname" > 1'),
        ("'é' = $function$x$function$", "'é' = 'x'"),
        ("a -- note\n  AND b", "a -- note\n  AND b"),
    ],
)
def test_a_fragment_can_be_indented_without_changing_its_strings(sql: str, expected: str) -> None:
    assert one_line_strings(sql) == expected


def test_typed_values_are_constants_of_their_column() -> None:
    assert constant(("a", 'b"c', None), FieldType("text[]", "text", array=True)) == (
        'E\'{"a","b\\\\"c",NULL}\'::text[]'
    )
    assert constant({"a": (1, None)}, FieldType("jsonb", "jsonb")) == "'{\"a\": [1, null]}'::jsonb"
    assert constant("2024-01-01", FieldType("date", "date")) == "'2024-01-01'::date"
    assert constant(True, FieldType("boolean", "boolean")) == "true"


def test_a_column_called_as_a_variable_is_qualified_behind_letters_beyond_ascii() -> None:
    assert qualify("é = 'é' AND v_x = 1 AND t.v_x = 2", frozenset({"v_x"}), "t") == (
        "é = 'é' AND t.v_x = 1 AND t.v_x = 2"
    )


@pytest.mark.parametrize(
    ("fragment", "written"),
    [
        (r"label ~ '^\d+$'", r"label ~ E'^\\d+$'"),
        (r"é = '\' OR x = 'plain'", r"é = E'\\' OR x = 'plain'"),
        (r"label = E'a\tb'", r"label = E'a\tb'"),
        (r"label = $$\$$", r"label = E'\\'"),
    ],
)
def test_a_string_outside_of_functions_is_written_so_that_no_setting_reads_it_otherwise(
    fragment: str, written: str
) -> None:
    assert one_line_strings(fragment, settled=True) == written
