"""A mutant, as data.

Each replaces a text that must stand in the SQL of the project beside this file, everywhere it stands;
one that is not there is an error, so that the list cannot quietly go stale.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break the SQL.

    Attributes:
        name: What a user would see go wrong.
        old: What stands in the SQL.
        new: What it becomes.
        tests: The test files that are about it, in the order in which they are asked.
        file: The part of the SQL file's name in which it stands, nothing for all.
        survives: Why no test can notice, where that is so.
    """

    name: str
    old: str
    new: str
    tests: tuple[str, ...] = ("ticket",)
    file: str = ""
    survives: str = ""
