"""Hints about SQL that does not parse: never about what is right in it."""

from __future__ import annotations

import pytest

from specgen.spec.grammar import Analysis, analyse
from specgen.spec.lexing import LexError
from specgen.spec.mistaken import placeholder, syntax_help


@pytest.mark.parametrize(
    "right",
    [
        "data ? 'a'",
        "tags && :tags",
        "made > now() - make_interval(days => 3)",
        "status IN ('{a}', '%s', '?', '`x`')",
        "status LIKE '{{ x }}'",
        "name || '=' || status",
        "qty BETWEEN 1 AND coalesce(:most, 3)",
        "qty IS NOT NULL",
        "active IS NOT TRUE",
        "qty IS DISTINCT FROM NULL",
        "(SELECT NULL) IS NULL",
        "status OPERATOR(app.==) 'x'",
        "a || b = 'c'",
        "CASE WHEN qty = 1 THEN NULL ELSE 2 END = 2",
        "coalesce(qty, NULL) = 1",
        "box && box",
        "'a' = ANY(ARRAY['a', NULL])",
        "id = (SELECT o.id FROM o ORDER BY o.id LIMIT 1)",
        '"user".status = 1',
        "made < '2020-01-01'",
        "year - 01 - 01 > 2",
        "status = '\u201cx\u201d'",
    ],
)
def test_what_is_right_stays_right_and_is_no_reason_where_something_else_is_wrong(right: str) -> None:
    assert isinstance(analyse(right), Analysis), analyse(right)
    broken = f"{right} AND AND"
    assert isinstance(analyse(broken), LexError)
    assert syntax_help(broken) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("${since}", "since"),
        ("{{ since }}", "since"),
        ("{since}", "since"),
        ("%(since)s", "since"),
        ("$since", "since"),
        ("@since", "since"),
        ({"since": None}, "since"),
        ("$5", None),
        ("me@example.org", None),
        ("{}", None),
        ("{a, b}", None),
        ("plain", None),
        ({"since": 1}, None),
        (5, None),
    ],
)
def test_a_parameter_in_another_languages_writing_is_known(value: object, name: str | None) -> None:
    assert placeholder(value) == name


@pytest.mark.parametrize(
    ("wrong", "help"),
    [
        ("id = ANY(:ids) LIMIT 10", "max_records: 10"),
        ("points > 0 ORDER BY born", "leave out ORDER BY"),
        ("\u201cid = 1\u201d", "quotes are straight ones"),
        ("user.status = 'new'", 'write "user".status, or status alone'),
    ],
)
def test_what_stands_in_other_statements_is_told_where_it_is_said(wrong: str, help: str) -> None:
    assert isinstance(analyse(wrong), LexError)
    assert help in (syntax_help(wrong) or "")


def test_a_date_without_quotes_is_no_difference_of_numbers() -> None:
    wrong = analyse("qty > 1 AND made < 2020-01-31")
    assert isinstance(wrong, LexError)
    assert (wrong.code, wrong.help) == ("bad-literal", "a date stands in quotes: '2020-01-31'")
    assert (wrong.start, wrong.end) == (19, 29)
