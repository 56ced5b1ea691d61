"""The page on imports is done as it stands, with the sample that it shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.server import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/imports.md").read_text(encoding="utf-8")


def test_the_sample_is_imported_as_the_page_tells(
    tmp_path: Path, postgres_server: Server, new_database: Callable[..., str]
) -> None:
    shutil.copytree(ROOT / "entities", tmp_path / "entities")
    shutil.copy(ROOT / "specgen.yaml", tmp_path)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert yaml in (tmp_path / "entities/product.yaml").read_text(encoding="utf-8")
    file, rejected = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert (tmp_path / "entities/products.csv").read_text(encoding="utf-8") == file
    dsn = new_database(postgres_server)
    prepared = specgen(tmp_path, dsn, "generate", "deploy --setup")
    assert prepared.returncode == 0, prepared.stderr
    (command, shown) = re.findall(r"```console\n\$ specgen (.*?)\n(.*?)```", PAGE, re.DOTALL)[0]
    done = specgen(tmp_path, dsn, command)
    assert done.returncode == 0, done.stderr
    printed = re.sub(r"^id .*\n", "", done.stdout, flags=re.MULTILINE)
    assert printed.startswith(shown), printed
    assert (tmp_path / "rejects.csv").read_text(encoding="utf-8") == rejected
    rejects = tmp_path / "rejects.csv"
    rejects.write_text(rejected.replace(",0,", ",5,").replace("twelve", "12").replace("Vase", "Vase,9,glass"))
    again = specgen(tmp_path, dsn, "run import_products_csv --input rejects.csv --reject-file rejects.csv")
    assert "3 total = 3 processed + 0 skipped + 0 failed" in again.stdout, again.stderr


def specgen(folder: Path, dsn: str, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands until one fails."""
    for command in commands:
        words = command.split()
        done = subprocess.run(
            [sys.executable, "-m", "specgen", *words, *(() if words[0] == "generate" else ("--database-url", dsn))],
            capture_output=True, text=True, check=False, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        if done.returncode:
            break
    return done
