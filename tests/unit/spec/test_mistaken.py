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
