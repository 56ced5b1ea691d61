"""Words that findings share: what a value is, and which known name is near an unknown one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return ``did you mean "...".`` for the nearest candidate, if one is near."""
    known = list(candidates)
    lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=cutoff)
    return f'did you mean "{lower[near[0]]}"?' if near else None


def closest(name: str, candidates: Iterable[str], *, within: int) -> str | None:
    """Return the candidate that a few slips of the hand away is, nothing where none is that near.

    Args:
        name: What was written.
        candidates: What could be meant; of equally near ones the first is taken.
        within: How many characters may be wrong, missing, too many, or exchanged with their neighbour.
    """
    found = [(_slips(name.lower(), item.lower()), place, item) for place, item in enumerate(candidates)]
    slips, _, nearest = min(found, default=(within + 1, 0, None))
    return nearest if slips <= within else None


def _slips(one: str, other: str) -> int:
    """Return the distance of Damerau and Levenshtein, no character edited twice."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        now = [row]
        for column, right in enumerate(other, 1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and right == one[row - 2]:
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]


def kind_of(value: Any) -> str:
    """Return what a plain value is, in words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{value}"' if len(value) <= 40 else "a text"
        case list():
            return "a list"
        case _:
            return "a map"
