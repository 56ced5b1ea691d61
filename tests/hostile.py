"""Text that does something to a terminal that obeys it, and how to tell that it was only shown."""

from __future__ import annotations

import re

CONTROLS = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\r\u202e\u2066\u2028"
TEXT = f"{CONTROLS}\nFORGED all is well"
"""A window's title, a cleared screen, a colour by a single character, deletion, reversed writing, a line of its own."""

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def check_harmless(printed: str) -> None:
    """Find nothing in it that a terminal would obey, and no line that the text made up."""
    found = _OBEYED.search(printed)
    assert not found, ascii(printed[max(found.start() - 60, 0) : found.end() + 20])
    assert not [line for line in printed.split("\n") if line.startswith("FORGED")], printed


def check_shown(printed: str) -> None:
    """Find it harmless, and there."""
    check_harmless(printed)
    assert "\\x1b]0;owned\\x07" in printed or "\\u001b]0;owned\\u0007" in printed, printed
