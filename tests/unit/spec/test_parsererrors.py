"""Where the parser's errors are, whichever version of pglast is installed."""

from __future__ import annotations

import pytest
from pglast.parser import ParseError, parse_sql_json

from specgen.spec.parsererrors import error_place, place_from_bytes

# ‸ stands before the character that is wrong
MARKED = [
    "SELECT 1 ‸1",
    "SELECT 'é' + + ‸from",
    "SELECT 'é' from ‸from x",
    "SELECT 'ééé' , ‸from x",
    "SELECT 'é', ‸'open",
    "/* 😀é */ SELECT 1 ‸1 x",
    "SELECT '😀' ‸$ FROM é",
    "SELECT 1; SELECT 'é' from ‸from x",
    "SELECT é ‸)",
    "‸é",
    "SELECT (‸",
    "SELECT é(‸",
    "SELECT '😀', (‸",
]


@pytest.mark.parametrize("marked", MARKED)
def test_an_error_behind_any_characters_is_shown_where_it_is(marked: str) -> None:
    text = marked.replace("‸", "")
    with pytest.raises(ParseError) as caught:
        parse_sql_json(text)
    assert error_place(text, caught.value) == marked.index("‸")


@pytest.mark.parametrize(
    ("marked", "index"),
    [
        ("SELECT 1 ‸1", 9),
        ("SELECT 'é' + + ‸from", 14),
        ("SELECT 'ééé' , ‸from x", 12),
        ("/* 😀é */ SELECT 1 ‸1 x", 14),
        ("SELECT 1 😀 ‸$", 9),
        ("‸é", 0),
    ],
)
def test_what_pglast_before_8_8_says_is_read_as_it_was_meant(marked: str, index: int) -> None:
    text = marked.replace("‸", "")
    near = text[marked.index("‸") :].split()[0]
    assert place_from_bytes(text, f'syntax error at or near "{near}"', index) == marked.index("‸")


def test_an_error_without_a_place_has_none() -> None:
    assert error_place("SELECT 1", ParseError("something else", None)) is None
