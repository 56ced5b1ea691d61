"""SQL fragments: what is a parameter, what its type is known by, and what is no single expression."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specgen.diagnostics import Findings, Position, Span
from specgen.spec.fragments import KeyTest, Scope, SqlFragment, find_key_test, parse_fragment, split_conjuncts

COLUMNS = {
    "id": "uuid",
    "qty": "integer",
    "price": "numeric",
    "status": "text",
    "active": "boolean",
    "created_at": "timestamptz",
    "born": "date",
    "tags": "text[]",
    "é": "text",
}
SCOPE = Scope(COLUMNS, ("user",), what="where_condition")


def locate(start: int, end: int) -> Span:
    return Span("x.yaml", Position(1, start + 1), Position(1, end + 1))


def parse(text: str, scope: Scope = SCOPE) -> SqlFragment:
    findings = Findings()
    fragment = parse_fragment(text, locate, scope, findings)
    assert fragment is not None, findings.items
    return fragment


def names(text: str) -> list[str]:
    return [part.name + (f".{part.field}" if part.field else "") for part in parse(text).parameters]


def known_by(text: str, scope: Scope = SCOPE) -> list[tuple[str, str]]:
    found = []
    for item in parse(text, scope).evidence:
        kind = item.sql_type or item.column or f"{item.array_of}[]"
        found.append((item.parameter.name, kind))
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id = ANY(:ids)", ["ids"]),
        ("status = ':x' AND qty > :y", ["y"]),
        ("status = E'\\':x' OR status = $q$:z$q$", []),
        ("status = 'a' /* :x */", []),
        ("status = 'a' -- :x\n", []),
        ("created_at::date > :day::date", ["day"]),
        ("qty = :record.qty", ["record.qty"]),
        ("status = :größe AND status = :é.straße", ["größe", "é.straße"]),
        ('status = :item."first name" || \'é\' AND qty = :item."a ""b"""', ["item.first name", 'item.a "b"']),
        ("tags[1:qty] = tags", []),
        ("tags[:qty] = tags", []),
        ("tags[qty:] = tags", []),
        ("tags[:lo : :hi] = tags", ["lo", "hi"]),
        ("tags[1 : :hi] = tags", ["hi"]),
        ("tags[:lo : 3] = tags", ["lo"]),
        ("tags[(:n)] = status", ["n"]),
        ("tags[1 + :n] = status", ["n"]),
        ("tags && ARRAY[:a, :b]", ["a", "b"]),
        ("qty = :limit AND status = :user", ["limit", "user"]),
        ("qty IN (SELECT n FROM other WHERE m = :m)", ["m"]),
    ],
)
def test_parameters_are_found_where_they_are(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("id IN (:ids)", "id = ANY(?)"),
        ("id NOT IN ( :ids ) AND active", "id <> ALL( ? ) AND active"),
        ("status IN (:a, :b)", "status IN (?, ?)"),
        ("status = 'é' AND id /* x */ in (:ids)", "status = 'é' AND id   = ANY(?)"),
        ("qty > 1 -- one\nAND qty < :x", "qty > 1  \nAND qty < ?"),
    ],
)
def test_what_is_rendered(text: str, rendered: str) -> None:
    assert parse(text).render(lambda _name: "?") == rendered


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id = ANY(:ids)", [("ids", "id[]")]),
        ("id NOT IN (:ids)", [("ids", "id[]")]),
        ("status IN (:a, 'x')", [("a", "status")]),
        ("qty BETWEEN :lo AND :hi", [("lo", "qty"), ("hi", "qty")]),
        (":x <> status", [("x", "status")]),
        ("status IS NOT DISTINCT FROM :x", [("x", "status")]),
        ("status ILIKE :x", [("x", "text")]),
        ("qty + :by > 3", [("by", "qty")]),
        ("price > :base * 1.5", [("base", "price")]),
        ("created_at > now() - :age", [("age", "interval")]),
        ("created_at + :age < now()", [("age", "interval")]),
        ("created_at < :since + interval '1 day'", [("since", "created_at")]),
        ("coalesce(status, :x) = 'a'", [("x", "status")]),
        (":x > 3", [("x", "integer")]),
        (":flag AND NOT :other", [("flag", "boolean"), ("other", "boolean")]),
        (":flag", [("flag", "boolean")]),
        ("CASE WHEN :c THEN qty ELSE :d END > 3", [("d", "qty"), ("c", "boolean")]),
        ("created_at > :day::date", [("day", "date")]),
        ("qty = ANY(CAST(:list AS int[]))", [("list", "integer[]")]),
        ('created_at > :x::"a; DROP TABLE x"', [("x", '"a; DROP TABLE x"')]),
        ("lower(:x) = status", [("x", "text")]),
        ("f(:x)", []),
        ("born + :n > born", []),
    ],
)
def test_types_are_known_by_their_uses(text: str, found: list[tuple[str, str]]) -> None:
    assert known_by(text) == found


def test_the_whole_value_has_the_type_of_the_column_it_goes_to() -> None:
    scope = Scope(COLUMNS, ("user",), condition=False, assigned="price", what="the value of price")
    assert known_by("price * :factor", scope) == [("factor", "price")]
    assert known_by(":x", scope) == [("x", "price")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("round(price * :factor, 2)", [("factor", "price")]),
        ("(qty + :more)::numeric", [("more", "qty")]),
        ("greatest(0, price - floor(:less * qty))", [("less", "qty")]),
        # A whole number would have its division cut: a raise by 5 % would be none.
        ("price * (1 + :percent / 100)", [("percent", "price")]),
        ("round(price * (100 - :percent) / 100, 2)", [("percent", "price")]),
        ("price + :pieces * 2", [("pieces", "integer")]),
        ("created_at + (:days + 1) * interval '1 day'", [("days", "integer")]),
    ],
)
def test_a_number_that_a_column_is_computed_with_is_of_its_type(
    text: str, found: list[tuple[str, str]]
) -> None:
    scope = Scope(COLUMNS, ("user",), condition=False, assigned="price", what="the value of price")
    assert known_by(text, scope) == found


@pytest.mark.parametrize("kind", ["app.year", "year", "app.pair"])
def test_a_number_that_a_value_of_ones_own_type_is_computed_with_is_not_of_that_type(kind: str) -> None:
    scope = Scope({**COLUMNS, "made": kind}, ("user",), what="where_condition")
    assert known_by("made + :years > 2000", scope) == []
    assert known_by("made > :since", scope) == [("since", "made")]
    scope = Scope(
        {**COLUMNS, "made": kind}, ("user",), condition=False, assigned="made", what="the value of made"
    )
    assert known_by("made + :years", scope) == []


def test_columns_of_a_subquery_are_not_the_tables() -> None:
    fragment = parse('"user".qty > 1 AND id IN (SELECT other_id FROM other WHERE nothing > 1)')
    assert [(item.name, item.qualifier) for item in fragment.columns] == [("qty", "user"), ("id", None)]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("status = 'é' AND colour = 'é'", "unknown-column", "colour"),
        ("status = 'é' AND = 'é'", "sql-syntax", "="),
        ('é = :"é"', "sql-syntax", ":"),
        ("qty > 1; DELETE FROM x", "not-one-expression", ";"),
        ("1) OR (1=1", "sql-syntax", ")"),
        ("qty > 1 UNION SELECT 2", "sql-syntax", "UNION"),
        ("qty > 1 AS x", "sql-syntax", "AS"),
        ("VALUES (true)", "not-one-expression", "VALUES"),
        ("qty > $1", "sql-syntax", "$1"),
        ("qty > 1 \\gexec", "sql-syntax", "\\"),
        ("qty > 1 -- rest", "open-comment", "-- rest"),
        ("qty > 1 /* rest", "sql-syntax", "/"),
        ("qty > 'open", "sql-syntax", "'"),
        ("", "empty-fragment", ""),
        ("/* nothing */", "empty-fragment", "/* nothing */"),
        ("sum(qty) > 1", "aggregate", "sum"),
        ("tags[:a] = 'x'", "unknown-column", "a"),
    ],
)
def test_what_is_refused_and_where(text: str, code: str, place: str) -> None:
    findings = Findings()
    assert parse_fragment(text, locate, SCOPE, findings) is None
    (finding,) = findings.items
    assert finding.code == code
    assert text[finding.span.start.column - 1 : finding.span.end.column - 1] == place


def key_test(text: str) -> KeyTest | None:
    return find_key_test(text, locate, SCOPE, lambda name, _qualifier: name == "id")


@pytest.mark.parametrize(
    ("text", "remainder"),
    [
        ("id = ANY(:ids)", None),
        ("id IN (:ids)", None),
        ("qty BETWEEN 1 AND 2 AND id = ANY(:ids) AND status = 'x'", "qty BETWEEN 1 AND 2 AND status = 'x'"),
        ("id IN (:ids) AND (qty = 1 OR qty = 2)", "(qty = 1 OR qty = 2)"),
        (
            "CASE WHEN active AND true THEN true END AND id IN (:ids)",
            "CASE WHEN active AND true THEN true END",
        ),
        ('"user".id = ANY(:ids) AND qty < :most', "qty < ?"),
    ],
)
def test_an_array_of_keys_is_recognised(text: str, remainder: str | None) -> None:
    found = key_test(text)
    assert found is not None
    assert found.parameter.name == "ids"
    rest = found.remainder
    assert (rest.render(lambda _name: "?") if rest else None) == remainder


@pytest.mark.parametrize(
    "text",
    [
        "id = ANY(:ids) OR active",
        "NOT id = ANY(:ids)",
        "id <> ALL(:ids)",
        "id = ANY(:ids) AND id <> ALL(:ids)",
        "id = ANY(:ids) AND id = ANY(:others)",
        "status = ANY(:ids)",
        "id = :ids",
        "id > ANY(:ids)",
    ],
)
def test_what_is_no_array_of_keys(text: str) -> None:
    assert key_test(text) is None


def test_conjuncts_keep_their_places() -> None:
    first, second = split_conjuncts("status = 'é' AND qty > :x", locate, SCOPE)
    assert first.source.strip() == "status = 'é'"
    assert second.columns[0].span.start.column == 18
    assert second.parameters[0].span.start.column == 24


@given(st.text())
def test_any_text_is_a_fragment_or_a_finding(text: str) -> None:
    findings = Findings()
    assert (parse_fragment(text, locate, SCOPE, findings) is None) == bool(findings.items)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="'\\\0")))
def test_a_string_never_holds_a_parameter(text: str) -> None:
    fragment = parse(f"status = ':a {text} :b' AND qty > :c")
    assert [name.name for name in fragment.parameters] == ["c"]


@given(
    st.lists(
        st.sampled_from(["qty > 1", "status = 'a:b'", "tags[1:2] = tags", "born::text = 'x'"]), min_size=1
    )
)
def test_a_text_without_parameters_stays_as_it_is(conditions: list[str]) -> None:
    text = " AND ".join(conditions)
    assert parse(text).render(str) == text
