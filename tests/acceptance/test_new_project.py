"""The hooks and the workflow that ``specgen init`` writes, run as pre-commit and CI run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What finds this checkout's specgen as ``specgen``, and nothing of the user's own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "specgen"
    python_path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH="{python_path}" exec "{sys.executable}" -m specgen "$@"\n', encoding="utf-8"
    )
    script.chmod(0o755)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "SPECGEN_", "GIT_"))
    }
    return kept | {
        "HOME": str(tmp_path),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / "hooks"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


@pytest.fixture
def project(tmp_path: Path, environment: dict[str, str]) -> Path:
    folder = tmp_path / "shop"
    assert run(["specgen", "init", str(folder)], tmp_path, environment).returncode == 0
    return folder


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def git(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    done = run(["git", *arguments], folder, environment)
    assert done.returncode == 0, done.stderr


def pre_commit(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "pre_commit", *arguments], folder, environment)


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_the_hooks_stop_a_commit_that_ci_would_refuse(project: Path, environment: dict[str, str]) -> None:
    git(project, environment, "init", "-q")
    git(project, environment, "add", "--all")
    missing = pre_commit(project, environment, "run", "--all-files")
    assert missing.returncode == 1
    assert "missing  generated/10_task.sql" in missing.stdout
    assert run(["specgen", "generate"], project, environment).returncode == 0
    git(project, environment, "add", "--all")
    fine = pre_commit(project, environment, "run")
    assert fine.returncode == 0, fine.stdout
    assert fine.stdout.count("Passed") == 2
    task = project / "entities/task.yaml"
    task.write_text(task.read_text(encoding="utf-8").replace("status: done", "status: dun"), encoding="utf-8")
    git(project, environment, "add", "--all")
    wrong = pre_commit(project, environment, "run")
    assert wrong.returncode == 1
    assert '"dun" is not one of the allowed values' in wrong.stdout
    git(project, environment, "reset", "-q")
    (project / "README").write_text("no spec", encoding="utf-8")
    git(project, environment, "add", "README")
    assert pre_commit(project, environment, "run", "--files", "README").stdout.count("no files to check") == 2


def test_others_can_take_the_hooks_from_this_repository(tmp_path: Path, environment: dict[str, str]) -> None:
    manifest = ROOT / ".pre-commit-hooks.yaml"
    done = pre_commit(tmp_path, environment, "validate-manifest", str(manifest))
    assert done.returncode == 0, done.stdout
    hooks: list[dict[str, Any]] = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    for hook in hooks:
        assert hook["language"] == "python"
        shown = run([*hook["entry"].split(), "--help"], tmp_path, environment)
        assert shown.returncode == 0, shown.stderr


def test_each_step_of_the_workflow_passes_on_the_new_project(
    project: Path, environment: dict[str, str]
) -> None:
    assert run(["specgen", "generate"], project, environment).returncode == 0
    workflow = yaml.safe_load((project / ".github/workflows/specgen.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["specgen"]["steps"] if "run" in step]
    install, *rest = steps
    assert install.startswith("pip install ")
    assert [step.split()[1] for step in rest] == ["validate", "generate", "test"]
    for step in rest:
        done = run(["sh", "-ec", step], project, environment | {"DOCKER_HOST": "unix:///nowhere"})
        assert done.returncode == 0, step + done.stdout + done.stderr


GUIDE = (ROOT / "docs/editors-and-ci.md").read_text(encoding="utf-8")


def test_the_commands_of_the_guide_make_the_schemas_that_init_makes(
    project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    command = next(
        block for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) if "specgen schema" in block
    )
    folder = tmp_path / "older"
    folder.mkdir()
    assert run(["sh", "-ec", command], folder, environment).returncode == 0
    for name in ("entity.schema.json", "specgen.schema.json"):
        assert (folder / ".specgen" / name).read_bytes() == (project / ".specgen" / name).read_bytes()


def test_the_guide_names_hooks_and_lines_that_are_there(project: Path) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert re.findall(r"- id: (\S+)", GUIDE) == [hook["id"] for hook in hooks]
    first = (project / "entities/task.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert f"```text\n{first}\n```" in GUIDE
