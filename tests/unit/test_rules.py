"""The list of rules is that of the codes that findings have: none missing, none left over."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import specgen
from specgen.rules import RULES

PACKAGE = Path(specgen.__file__).parent
ROOT = Path(__file__).parents[2]
FOLDERS = ("spec", "plan", "render", "checks", "testing")
NO_CODES = {"x-specgen-not-yet", "x-specgen-wrong"}


def texts() -> set[str]:
    """All strings in the parts of the package that find something."""
    files = [path for folder in FOLDERS for path in (PACKAGE / folder).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_code_is_described() -> None:
    codes = {text for text in texts() if re.fullmatch(r"[a-z]+(-[a-z]+)+", text)}
    assert codes - NO_CODES - set(RULES) == set(), "describe it in specgen/rules.py"
    for case in (ROOT / "tests/golden/errors").iterdir():
        found = re.findall(
            r"(?:error|warning)\[([a-z-]+)\]", (case / "stderr.txt").read_text(encoding="utf-8")
        )
        assert set(found) <= set(RULES), case.name


def test_no_rule_is_left_over() -> None:
    assert set(RULES) - texts() == set()


def test_descriptions_are_sentences() -> None:
    assert [text for text in RULES.values() if not (text[0].isupper() and text.endswith("."))] == []
