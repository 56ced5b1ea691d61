"""What does not parse is found before anybody gets it, with its file, line and object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specgen.render.engine import RenderedFile
from specgen.render.sqlcheck import check_files

if TYPE_CHECKING:
    from specgen.diagnostics import Finding

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


OWN = """-- values of types of one's own
CREATE FUNCTION f(p_kind public.mood, p_year year, p_ids "Odd"."Mood"[]) RETURNS SETOF app.code LANGUAGE plpgsql AS $$
DECLARE
    v_row app.thing;
    v_kind public.mood := 'ok'::public.mood;
    v_year year[];
    v_day "Odd"."Mood"(3);
BEGIN
    SELECT t.kind, t.year, interval '1' year INTO v_kind, v_year, v_day FROM year AS t WHERE t.mood = p_kind;
    v_row.id := extract(year FROM now());
    RETURN QUERY SELECT 1;
END
$$;
"""
TYPES = ("public.mood", "year", '"Odd"."Mood"', "app.code")


def test_values_of_types_of_ones_own_are_no_error_and_hide_none() -> None:
    def checked(text: str) -> tuple[Finding, ...]:
        return check_files([RenderedFile("1.sql", text)], schemas=("app",), types=TYPES)

    assert checked(OWN) == ()
    for wrong in ("now())", "'ok'::public.mood;", "RETURN QUERY SELECT 1;"):
        (found,) = checked(OWN.replace(wrong, wrong[:-1]))
        assert (found.code, found.span.start.line) == ("broken-sql", 2)


def test_only_sql_is_looked_at() -> None:
    assert check("def f(): ...", name="test_a.py") == []
