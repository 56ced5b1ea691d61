"""Operation names in a shell: there when they can be told, and silence when not."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from specgen.cli.main import main

ROOT = Path(__file__).parents[3]


def offered(words: str) -> list[str]:
    count = len(words.split()) - (not words.endswith(" "))
    variables = {"_SPECGEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    result = CliRunner().invoke(main, [], env=variables)
    assert result.stderr == ""
    return [line.split(",", 1)[1] for line in result.stdout.splitlines() if line]


@pytest.mark.parametrize("command", ["run", "explain"])
def test_operations_are_offered(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert {"bulk_update_user_status", "import_products"} <= set(offered(f"specgen {command} "))
    assert offered(f"specgen {command} bulk_a") == ["bulk_approve_orders"]


def test_of_another_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered("specgen run ") == []
    assert "purge_cancelled_orders" in offered(f"specgen run --project {ROOT} p")


BROKEN = [
    "name: [",
    "\tname: x",
    "",
    "- 1\n- 2\n",
    "patterns: 3",
    "patterns: [1, {operation: [x]}, {operation: 5}, null]",
    "a: &a [*a]",
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_passed_over(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "entities"
    folder.mkdir()
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    (folder / "b.yaml").write_text("patterns: [{operation: send_all, where_condition: ((}]", encoding="utf-8")
    assert offered("specgen run ") == ["send_all"]


def test_broken_settings_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specgen.yaml").write_text("paths: {entities: [", encoding="utf-8")
    assert offered("specgen run ") == []


def test_a_folder_that_cannot_be_listed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "entities").write_text("not a folder", encoding="utf-8")
    assert offered("specgen run ") == []
