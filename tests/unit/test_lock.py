"""requirements-dev.txt fits pyproject.toml: `tools/lock` mends what fails here."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import locked

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
USERS = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["dev"]]
BUILD = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
LOCKED = locked.versions()


@pytest.mark.parametrize("requirement", [*USERS, *DEVELOPMENT, *BUILD], ids=str)
def test_a_clone_gets_a_version_in_the_range(requirement: Requirement) -> None:
    version = LOCKED.get(canonicalize_name(requirement.name))
    assert version is not None, "not locked"
    assert requirement.specifier.contains(version, prereleases=True)


def test_what_builds_the_wheel_is_what_development_installs() -> None:
    assert {str(requirement) for requirement in BUILD} <= {str(requirement) for requirement in DEVELOPMENT}


def test_nothing_is_locked_that_nothing_needs() -> None:
    assert set(LOCKED) - needed([*USERS, *DEVELOPMENT]) == set()


def needed(requirements: list[Requirement]) -> set[str]:
    """Everything that the requirements ask for on any platform, themselves included."""
    seen: set[tuple[str, frozenset[str]]] = set()
    left = [(canonicalize_name(item.name), frozenset(item.extras)) for item in requirements]
    while left:
        name, extras = left.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            below = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # one of another platform
            continue
        for text in below:
            item = Requirement(text)
            if item.marker is None or "extra" not in str(item.marker) or wanted(item, extras):
                left.append((canonicalize_name(item.name), frozenset(item.extras)))
    return {name for name, _ in seen}


def wanted(requirement: Requirement, extras: frozenset[str]) -> bool:
    assert requirement.marker is not None
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def test_it_names_no_place_to_install_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert locked.pins()
    monkeypatch.setattr(locked, "LOCK", tmp_path / "lock.txt")
    for line in ("--index-url https://example.org/simple", "click @ https://example.org/click.whl", "-e ."):
        locked.LOCK.write_text(f"click==8.5.1 \\\n    --hash=sha256:{'0' * 64}\n{line}\n", encoding="utf-8")
        with pytest.raises(ValueError, match="neither a version nor a hash"):
            locked.pins()
