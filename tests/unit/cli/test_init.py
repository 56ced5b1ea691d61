"""``specgen init``: a project whose editor, hooks and CI work from the first minute."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from specgen import __version__
from specgen.cli import origin, scaffold
from specgen.cli.main import main
from specgen.spec.published import published_text

MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run("init").exit_code == 0
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(("file", "name"), [("specgen.yaml", "specgen"), ("entities/task.yaml", "entity")])
def test_the_first_line_leads_an_editor_to_the_schema_offline(project: Path, file: str, name: str) -> None:
    path = project / file
    first = MODELINE.fullmatch(path.read_text(encoding="utf-8").splitlines()[0])
    assert first
    schema = path.parent / first[1]
    assert schema.read_text(encoding="utf-8") == published_text(name)


def test_init_again_brings_the_schemas_up_to_date_and_nothing_else(project: Path) -> None:
    (project / ".specgen/entity.schema.json").write_text("{}\n", encoding="utf-8")
    (project / "entities/task.yaml").write_text("name: mine\n", encoding="utf-8")
    lines = run("init").stdout.splitlines()
    assert "   update  .specgen/entity.schema.json" in lines
    assert [line.split()[0] for line in lines].count("skip") == len(lines) - 1
    assert (project / ".specgen/entity.schema.json").read_text(encoding="utf-8") == published_text("entity")
    assert (project / "entities/task.yaml").read_text(encoding="utf-8") == "name: mine\n"


def test_schemas_are_no_spec_files(project: Path) -> None:
    assert run("validate", ".").exit_code == 0


def test_inside_a_repository_it_says_that_nobody_reads_its_workflow(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert "read only the files at its top" in run("init", str(tmp_path / "shop")).stderr
    assert "note:" not in run("init", str(tmp_path)).stderr


@pytest.mark.parametrize(
    ("record", "needed"),
    [
        (None, f"specgen=={__version__}"),
        (
            {"url": "https://example.org/specgen.whl", "archive_info": {}},
            "specgen @ https://example.org/specgen.whl",
        ),
        (
            {"url": "https://example.org/specgen.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "specgen @ git+https://example.org/specgen.git@abc",
        ),
        ({"url": "file:///home/me/specgen", "dir_info": {"editable": True}}, origin.WHEEL),
    ],
)
def test_ci_installs_from_where_this_was_installed(record: dict[str, Any] | None, needed: str) -> None:
    found = origin.requirement_of(None if record is None else json.dumps(record))
    assert found == needed
    steps = yaml.safe_load(scaffold.workflow(found))["jobs"]["specgen"]["steps"]
    assert f'pip install "{needed}"' in [step.get("run") for step in steps]


def test_a_workflow_names_no_folder_of_this_machine(project: Path) -> None:
    text = (project / ".github/workflows/specgen.yml").read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert "file:" not in text
