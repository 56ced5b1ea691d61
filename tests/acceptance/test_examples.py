"""The projects in examples/ are what specgen makes of them, and their tests pass."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECTS = sorted(path.parent for path in EXAMPLES.glob("*/specgen.yaml"))


def specgen(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "specgen", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_what_is_checked_in_is_what_is_generated(project: Path) -> None:
    for arguments in (["generate", "--check"], ["generate", "tests", "--check"]):
        run = specgen(project, *arguments)
        assert run.returncode == 0, run.stderr + run.stdout


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_the_tests_of_an_example_pass(project: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(project, tmp_path / project.name))
    run = specgen(copy, "test", "run", "--provider", "embedded")
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr
