"""Imports point one way, and only the command line prints."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import specgen

PACKAGE = Path(specgen.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

ALLOWED = {
    "dateforms": set(),
    "diagnostics": set(),
    "drafts": set(),
    "errors": set(),
    "renderings": {"diagnostics", "rules", "visible"},
    "visible": set(),
    "rules": set(),
    "versions": set(),
    "spec": {"dateforms", "diagnostics", "errors"},
    "plan": {"spec", "diagnostics", "errors"},
    "render": {"plan", "spec", "diagnostics", "drafts", "errors", "versions"},
    "output": {"drafts", "errors"},
    "testing": {
        "checks",
        "plan",
        "spec",
        "render",
        "database",
        "runtime",
        "diagnostics",
        "errors",
        "visible",
    },
    "database": {"dateforms", "errors", "versions"},
    "runtime": {"database", "dateforms", "drafts", "errors", "versions", "visible"},
    "checks": {"dateforms", "plan", "spec", "database", "diagnostics", "errors", "versions"},
}
"""What a part of the package may import of the others; the command line joins them all."""

FOREIGN = {
    "spec": {"jinja2", "psycopg", "click", "rich"},
    "plan": {"jinja2", "psycopg", "click", "rich", "yaml", "jsonschema"},
    "render": {"psycopg", "click", "rich", "yaml"},
    "output": {"jinja2", "psycopg", "click", "rich", "yaml", "pglast"},
    "database": {"jinja2", "click", "rich", "yaml"},
    "runtime": {"jinja2", "click", "yaml", "pglast"},
    "checks": {"jinja2", "click", "rich", "yaml"},
}
"""Libraries that a part has no business with."""


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[tuple[int, str]]:
    """Line and full name of everything a module imports, wherever in it; types alone excepted."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(node.lineno, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            found |= {(node.lineno, f"{node.module}.{alias.name}") for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    here = part(path)
    if here not in ALLOWED:
        return
    wrong = []
    for line, name in imports(path):
        words = name.split(".")
        if words[0] == "specgen" and len(words) > 1:
            other = words[1]
            if other not in {here, "__version__"} and other not in ALLOWED[here]:
                wrong.append(f"{path}:{line}: {here} imports {name}")
        elif words[0] in FOREIGN.get(here, ()):
            wrong.append(f"{path}:{line}: {here} imports {name}")
    assert wrong == []


def test_every_part_has_its_rule() -> None:
    assert {part(path) for path in MODULES} - {"__init__", "__main__", "cli"} == set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    if part(path) in {"cli", "__main__"} or "__main__" in path.read_text(encoding="utf-8"):
        return  # a script of its own, run by another process, speaks through its streams
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert (
        calls & {"print", "sys.exit", "exit", "click.echo", "sys.stdout.write", "sys.stderr.write"} == set()
    )


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.name)
def test_one_place_prints_so_that_no_escape_sequence_finds_another_way(path: Path) -> None:
    if path.name == "printing.py":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    printing = {"print", "sys.stdout.write", "sys.stderr.write", "traceback.print_exc", "error.show"}
    printing |= {
        f"click.{name}" for name in ("echo", "secho", "confirm", "prompt", "echo_via_pager", "pause")
    }
    assert calls & printing == set()


HEAVY = "apprise requests yaml jinja2 jsonschema pglast psycopg rich testcontainers docker pytest"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["generate", "--help"], ["run", "--help"]])
def test_help_needs_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from specgen.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        f"    print(sorted(set({HEAVY.split()!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
