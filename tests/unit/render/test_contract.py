"""Generated code lives on beside a newer runtime, so what it calls of the runtime is written down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from specgen.render.engine import STEPS, render_runtime, template_folder
from specgen.spec.model import Settings
from specgen.versions import CALLED, NAMED, RUNTIME

ROOT = Path(__file__).parents[3]
GENERATED = sorted(
    [
        *(ROOT / "tests/golden/cases").glob("*/expected/[1-9]*.sql"),
        *(ROOT / "examples").glob("*/generated/[1-9]*.sql"),
    ]
)

WRITERS = [
    *(path for folder in ("operation", "steps") for path in (template_folder() / folder).rglob("*.j2")),
    *(ROOT / "specgen/plan").glob("*.py"),
]


def used(text: str) -> tuple[set[str], set[str]]:
    """The functions of the runtime that a file calls, and the tables and types that it names."""
    runtime = re.search(r"^CALL (\S+)\.batch_replace\(", text, re.MULTILINE)
    if runtime is None:
        return set(), set()  # a table alone
    found = re.findall(rf'(?<![\w".]){re.escape(runtime[1])}\.(batch_\w+)(\(?)', text)
    return {name for name, call in found if call}, {name for name, call in found if not call}


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: f"{path.parents[1].name}/{path.name}")
def test_generated_code_calls_what_upgrades_keep_and_nothing_else(path: Path) -> None:
    called, named = used(path.read_text(encoding="utf-8"))
    assert called - CALLED == set(), "add it to specgen/versions.py, and it can change no more"
    assert named - NAMED == set()


def test_the_list_holds_nothing_that_no_generated_code_calls() -> None:
    files = [used(path.read_text(encoding="utf-8")) for path in GENERATED]
    called = set().union(*(called for called, _ in files))
    # The rare ones stand in the templates, or in the plan, and in no case.
    written = "".join(path.read_text(encoding="utf-8") for path in WRITERS)
    assert {name for name in CALLED - called if f".{name}(" not in written} == set()
    assert set().union(*(named for _, named in files)) == NAMED


def test_all_of_it_is_there_to_be_called() -> None:
    runtime = render_runtime(Settings())
    made = set(re.findall(r"CREATE OR REPLACE (?:FUNCTION|PROCEDURE) public\.(\w+)\(", runtime))
    assert made >= CALLED
    assert set(re.findall(r"CREATE (?:TABLE IF NOT EXISTS|TYPE) public\.(\w+) ", runtime)) >= NAMED


def test_each_version_after_the_first_has_a_step_that_leads_to_it() -> None:
    steps = sorted(path.name[:4] for path in (template_folder() / STEPS).iterdir())
    assert steps == [f"{number:04}" for number in range(2, RUNTIME + 1)]


def test_a_version_that_was_released_does_not_change_any_more() -> None:
    """What is kept of it for the tests of upgrades is what this specgen still makes; else it is a new version."""
    kept = ROOT / f"tests/integration/upgrade/version_{RUNTIME}/00_runtime.sql"
    text = render_runtime(Settings(runtime_schema="batch"))
    assert not kept.exists() or kept.read_text(encoding="utf-8") == text
