"""``specgen init``."""

from __future__ import annotations

from pathlib import Path

import click

from specgen.cli.commands import Command
from specgen.cli.printing import say, visible


@click.command(cls=Command, examples=("specgen init", "specgen init shop"))
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(*, folder: Path) -> None:
    """Begin a project in DIR: settings, a first entity, hooks for pre-commit, a CI workflow.

    What is already there is left as it is, but for .specgen/: it holds the JSON Schemas that editors read,
    and `specgen init` brings them up to date after specgen itself was.
    """
    from specgen.cli import scaffold

    for name, text in scaffold.files().items():
        _tell("create" if _create(folder / name, text) else "skip", folder / name)
    for name, text in scaffold.schemas().items():
        _tell(_refresh(folder / name, text), folder / name)
    inside = "" if folder == Path() else f"cd {folder} && "
    say(f"next: {inside}specgen generate", err=True)
    root = _repository_around(folder)
    if root:
        told = f"note: {root} is a repository around {folder}: "
        say(f"{told}GitHub and pre-commit read only the files at its top", err=True)


def _create(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _refresh(path: Path, text: str) -> str:
    if _create(path, text):
        return "create"
    if path.read_text(encoding="utf-8") == text:
        return "skip"
    path.write_text(text, encoding="utf-8")
    return "update"


def _tell(verb: str, path: Path) -> None:
    say(f"{verb:>9}  {visible(str(path))}")


def _repository_around(folder: Path) -> Path | None:
    """Return the git repository that a folder lies in but is not the top of."""
    whole = folder.resolve()
    if (whole / ".git").exists():
        return None
    return next((parent for parent in whole.parents if (parent / ".git").exists()), None)
