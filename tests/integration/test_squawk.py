"""squawk has nothing against any generated file, but for what ``.squawk.toml`` argues."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from corpus import PROJECTS, ROOT, case_name, generate

SQUAWK = Path(sys.executable).parent / "squawk"


@pytest.mark.parametrize("project", PROJECTS, ids=case_name)
def test_squawk_finds_nothing(project: Path, tmp_path: Path) -> None:
    if not SQUAWK.exists():
        pytest.skip("squawk-cli is not installed in this environment")
    generate(project, tmp_path)
    files = sorted(map(str, tmp_path.glob("*.sql")))
    command = [SQUAWK, "--config", ROOT / ".squawk.toml", "--reporter", "gcc", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0
