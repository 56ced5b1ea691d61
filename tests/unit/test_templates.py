"""No template pastes a text: whatever it interpolates goes through a filter that quotes or vouches for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import nodes

from specgen.render.engine import FILTERS, _environment, template_folder

TEMPLATES = sorted(path.relative_to(template_folder()).as_posix() for path in template_folder().rglob("*.j2"))

OF_TESTS = {"built", "name", "python", "text"}
"""The filters that ``specgen.testing.render`` adds for the templates of pytest files."""

LAYOUT = {"indent", "replace", "trim"}
"""Jinja's own filters that move a text about; what they are applied to must be safe."""

MACROS = {"m", "u", "w", "driving", "write", "keys", "records", "insert"}
"""The names under which templates import the macros, whose own interpolations are tested where they stand."""

PASSED = {"caller", "statement", "changed", "conflict"}
"""What macros are handed that other macros made."""


def parsed(name: str) -> nodes.Template:
    return _environment(None).parse((template_folder() / name).read_text(encoding="utf-8"), name)


def vouched_names() -> set[str]:
    """Macros, and variables that are only ever set to something safe."""
    good: set[str] = set()
    bad: set[str] = set()
    for name in TEMPLATES:
        tree = parsed(name)
        good |= {macro.name for macro in tree.find_all(nodes.Macro)}
        good |= {block.target.name for block in tree.find_all(nodes.AssignBlock)}
        for item in tree.find_all(nodes.Assign):
            if isinstance(item.target, nodes.Name):
                (good if safe(item.node, set()) else bad).add(item.target.name)
    return good - bad


def safe(node: nodes.Node | None, names: set[str]) -> bool:
    match node:
        case None | nodes.TemplateData() | nodes.Const():
            return True
        case nodes.Filter(name=name, node=inner):
            return name in FILTERS or name in OF_TESTS or (name in LAYOUT and safe(inner, names))
        case nodes.CondExpr(expr1=one, expr2=other):
            return safe(one, names) and safe(other, names)
        case nodes.Mul(left=nodes.Const()):
            return True
        case nodes.Name(name=name):
            return name in names
        case nodes.Call(node=nodes.Getattr(node=nodes.Name(name=name))):
            return name in MACROS
        case nodes.Call(node=nodes.Name(name=name)):
            return name in names
        case _:
            return False


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_interpolation_is_filtered(name: str) -> None:
    names = vouched_names() | PASSED
    unsafe = [
        f"{name}:{item.lineno}: {item}"
        for output in parsed(name).find_all(nodes.Output)
        for item in output.nodes
        if not safe(item, names)
    ]
    assert unsafe == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ op.name | ident }}", True),
        ("{{ op.name }}", False),
        ("{{ op.name | upper }}", False),
        ("{{ op.name | trim }}", False),
        ("{{ m.row(op) | indent(4) }}", True),
        ("{{ op.row() }}", False),
        ("{{ ', ' if not loop.last }}", True),
        ("{{ op.name if op else 'x' }}", False),
        ("{{ op.name ~ 'x' }}", False),
    ],
)
def test_the_test_tells_them_apart(text: str, expected: bool) -> None:
    (output,) = _environment(None).parse(text).find_all(nodes.Output)
    assert all(safe(item, set()) for item in output.nodes) is expected


def test_no_template_is_forgotten() -> None:
    found = {
        path.name
        for path in template_folder().rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found == {Path(name).name for name in TEMPLATES}
