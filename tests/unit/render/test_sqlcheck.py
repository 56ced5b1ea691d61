"""What does not parse is found before anybody gets it, with its file, line and object."""

from __future__ import annotations

import pytest

from specgen.render.engine import RenderedFile
from specgen.render.sqlcheck import check_files

GOOD = """-- é
CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v app.thing;
BEGIN
    RETURN 1;
END
$$;
"""


def check(text: str, *schemas: str, name: str = "1.sql") -> list[str]:
    findings = check_files([RenderedFile(name, text)], schemas=schemas)
    return [
        f"{item.span.file}:{item.span.start.line}:{item.span.start.column} {item.code} {item.message}"
        for item in findings
    ]


def test_what_parses_has_no_finding() -> None:
    assert check(GOOD, "app") == []
    assert check("SELECT 1;") == []
    assert check("") == []


def test_a_statement_that_does_not_parse() -> None:
    (found,) = check("SELECT 'é';\n\nSELEC 2;\n")
    assert found.startswith("1.sql:3:1 broken-sql internal error")
    assert "SELEC" in found


@pytest.mark.parametrize(
    ("old", "new"), [("RETURN 1;", "RETURN 1"), ("RETURN 1;", "RETURN 1 +;"), ("BEGIN", "BEGIN IF true;")]
)
def test_a_body_that_does_not_parse_names_its_function(old: str, new: str) -> None:
    (found,) = check("SELECT 1;\n" + GOOD.replace(old, new), "app")
    assert found.startswith("1.sql:3:1 broken-sql internal error")
    assert found.endswith("in CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$")


def test_a_type_in_a_schema_nobody_named_is_not_taken_for_an_error() -> None:
    assert check(GOOD) == []


ARRAYS = """-- keys of types of one's own
CREATE FUNCTION f(p_ids "Odd".mood[], p_more citext[]) RETURNS public.citext[] LANGUAGE plpgsql AS $$
DECLARE
    v_keys "Odd"."Mood"[];
    v_more public.citext[] := '{}';
    v_short public.code(3)[];
    v_ratios double precision[];
    v_times timestamp without time zone[];
    v_places integer[] := ARRAY[]::integer[];
BEGIN
    RETURN v_more;
END
$$;
"""


def test_arrays_of_types_of_ones_own_are_no_error_and_hide_none() -> None:
    assert check(ARRAYS, "Odd") == []
    (found,) = check(ARRAYS.replace("RETURN v_more;", "RETURN v_more"), "Odd")
    assert "broken-sql" in found


def test_only_sql_is_looked_at() -> None:
    assert check("def f(): ...", name="test_a.py") == []
