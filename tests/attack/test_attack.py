"""A few rounds of each kind, so that the command does not rot; what they find is the command's to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specgen.database.embedded import EmbeddedProvider
from tests.attack.__main__ import SERVER
from tests.attack.rounds import KINDS, Arena, open_arena, play

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = ("crash", "frozen", "cut")


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """A server that may be hurt, which no other test uses."""
    provider = EmbeddedProvider(in_memory=True, settings=SERVER)
    with provider as server:
        yield open_arena(server, provider, mild=True)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SLOW])
def test_a_round_is_played_to_its_end(arena: Arena, kind: str) -> None:
    report = play(arena, 1, kind)
    assert report.facts["YAML"], report


def test_a_record_that_is_written_twice_is_found(arena: Arena) -> None:
    from collections import Counter
    from dataclasses import replace

    from tests.attack.operations import Operation
    from tests.attack.oracle import Outcome, compare

    done = Outcome("completed", 2, 2, 0, 0, Counter(), Counter("ab"), Counter("ab"), Counter(), Counter())
    operation = Operation("update", "rows", {}, {}, "", "")
    assert not compare(done, done, operation)
    assert compare(done, replace(done, writes=Counter("abb")), operation)
    assert compare(done, replace(done, rows=Counter("a")), operation)
    assert compare(done, replace(done, status="failed"), operation)
    assert compare(done, replace(done, failed=Counter({("a", "23505"): 1})), operation)
    assert compare(done, replace(done, processed=1), operation)
