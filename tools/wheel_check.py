"""The wheel, in a clean environment and used from another folder, generates what the checkout does.

python tools/wheel_check.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Build, install, generate, compare."""
    with tempfile.TemporaryDirectory(prefix="specgen-wheel-") as name:
        folder = Path(name)
        wheel = build(folder)
        program = install(wheel, folder / "venv")
        project, elsewhere = folder / "project", folder / "elsewhere"
        project.mkdir()
        elsewhere.mkdir()
        shutil.copytree(ROOT / "entities", project / "entities")
        shutil.copy(ROOT / "specgen.yaml", project)
        expected, found = folder / "expected", folder / "found"
        here = [sys.executable, "-m", "specgen"]
        run([*here, "generate", "--project", str(ROOT), "-o", str(expected)], ROOT)
        run([str(program), "generate", "--project", str(project), "-o", str(found)], elsewhere)
        different = compare(expected, found)
        if different:
            sys.exit(f"wheel and checkout differ in: {', '.join(different)}")
        new = folder / "new"
        run([str(program), "init", str(new)], elsewhere)
        run([str(program), "generate", "--project", str(new)], elsewhere)
        if f'pip install "tools/{wheel.name}"' not in (new / ".github/workflows/specgen.yml").read_text():
            sys.exit("the new project's workflow does not install the wheel that made it")
        print(f"wheel and checkout generate the same {len(list(found.iterdir()))} files")  # noqa: T201


def build(folder: Path) -> Path:
    """Build a source archive, and the wheel from that: both must hold the templates."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)], ROOT)
    return next((folder / "dist").glob("*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel in an environment of its own and return its program."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel)], folder)
    return folder / "bin" / "specgen"


def run(command: list[str], folder: Path) -> None:
    """Run a command; its output is shown only when it fails."""
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def compare(expected: Path, found: Path) -> list[str]:
    """Return the names of files that are in one folder only, or differ."""
    names = {path.name for folder in (expected, found) for path in folder.iterdir()}
    return sorted(
        name
        for name in names
        if not ((expected / name).is_file() and (found / name).is_file())
        or (expected / name).read_bytes() != (found / name).read_bytes()
    )


if __name__ == "__main__":
    main()
