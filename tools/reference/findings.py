"""docs/findings.md as text: what each code means."""

from __future__ import annotations

from specgen.rules import RULES

INTRODUCTION = """\
# Findings

What `specgen validate` finds has a place, a code, a message and, where something better is known, a help.
Codes stay what they are from version to version; messages may get better. `--format sarif` lists the codes as
rules. This is what holds where nothing is found:"""


def findings_page() -> str:
    """Return the whole page."""
    rows = [f"| `{code}` | {meaning} |" for code, meaning in sorted(RULES.items())]
    return "\n".join([INTRODUCTION, "", "| code | what holds |", "|---|---|", *rows, ""])
