"""The wheel, in a clean environment and used from another folder, generates what the checkout does.

python -m tools.wheel_check [PROGRAM]

With the specgen of another environment, only that one is used. Otherwise an environment is made with the
locked versions, so that nothing that is published later can break it; `tools.ranges` tries the others.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tools import locked

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Build, install, generate, compare."""
    with tempfile.TemporaryDirectory(prefix="specgen-wheel-") as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            use(Path(sys.argv[1]), folder)
            return
        wheel = build(folder)
        program = install(wheel, folder / "venv")
        found = use(program, folder)
        look_at_a_new_project(program, wheel, folder)
        print(f"wheel and checkout generate the same {found} files")  # noqa: T201


def use(program: Path, folder: Path) -> int:
    """Validate and generate with an installed specgen, in a folder that knows no checkout.

    Args:
        program: The ``specgen`` of the environment that the wheel is installed in.
        folder: Where to work.

    Returns:
        How many files are those that the checkout generates; it ends the program when one is not.
    """
    project, elsewhere = folder / "project", folder / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    shutil.copytree(ROOT / "entities", project / "entities")
    shutil.copy(ROOT / "specgen.yaml", project)
    expected, found = folder / "expected", folder / "found"
    here = [sys.executable, "-m", "specgen"]
    run([*here, "generate", "--project", str(ROOT), "-o", str(expected)], ROOT)
    run([str(program), "validate", "--project", str(project)], elsewhere)
    run([str(program), "generate", "--project", str(project), "-o", str(found)], elsewhere)
    different = compare(expected, found)
    if different:
        sys.exit(f"wheel and checkout differ in: {', '.join(different)}")
    return len(list(found.iterdir()))


def look_at_a_new_project(program: Path, wheel: Path, folder: Path) -> None:
    """Hold what ``specgen init`` writes against the wheel that it comes from."""
    new = folder / "new"
    run([str(program), "init", str(new)], folder)
    run([str(program), "generate", "--project", str(new)], folder)
    if f'pip install "tools/{wheel.name}"' not in (new / ".github/workflows/specgen.yml").read_text():
        sys.exit("the new project's workflow does not install the wheel that made it")


def build(folder: Path) -> Path:
    """Build a source archive, and the wheel from that: both must hold the templates."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)], ROOT)
    return next((folder / "dist").glob("*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel in an environment of its own, with the locked versions, and return its program."""
    venv.create(folder, with_pip=True)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(locked.pins()), encoding="utf-8")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run([*pip, "--constraint", str(constraints), str(wheel)], folder)
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
