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
