"""Test data: numbered values keep their order and stay apart in columns that are short."""

from __future__ import annotations

from itertools import pairwise

import pytest

from specgen.testing import candidates

NUMBERS = [*range(1, 9), 10_000, 20_001, 25_000, 30_001]


@pytest.mark.parametrize("kind", ["character(1)", "character varying(2)", "character varying(5)", "text"])
def test_numbered_texts_fit_their_column_and_ascend(kind: str) -> None:
    found = [candidates.nth(kind, number) for number in NUMBERS]
    assert all(one < other for one, other in pairwise(found)), found
    room = int(kind.partition("(")[2].rstrip(")") or 100)
    assert all(len(text) <= room for text in found)


def test_what_a_domain_asks_of_its_values_is_tried() -> None:
    assert "'3'" in [f"'{text}'" for text in candidates.of_domain(["((length(VALUE) = 5) AND (VALUE >= 3))"])]
    assert any("'%@%'" in text for text in candidates.of_domain(["(VALUE ~~ '%@%'::text)"]))
