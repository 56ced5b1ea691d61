"""A project: its settings and its entities."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.spec.model.entities import Entity


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of a project, relative to ``specgen.yaml``."""

    entities: Path = Path("entities")
    sql: Path = Path("generated")
    tests: Path = Path("tests/generated")
    migrations: Path = Path("migrations")


@dataclass(frozen=True, slots=True)
class Channel:
    """Where the messages of a channel go: a URL, or the environment variable that holds it."""

    name: str
    url: str | None = field(default=None, repr=False)
    env: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``specgen.yaml`` says, defaults filled in.

    Attributes:
        root: The folder that relative paths start from.
        postgres: The oldest server version the SQL must run on.
        setup_sql: Files loaded before anything generated, by ``test run`` and the demo.
        search_path_is_chosen: Whether the project says it, so that it holds for all functions.
        defaults: Operation keys given for all operations, as plain data.
    """

    root: Path = Path()
    schema: str = "public"
    runtime_schema: str = "public"
    search_path: tuple[str, ...] = ("public",)
    search_path_is_chosen: bool = False
    postgres: int = 15
    paths: Paths = field(default_factory=Paths)
    setup_sql: tuple[Path, ...] = ()
    notifications: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """All entities of a run, in the order of their files, and the settings they share."""

    settings: Settings
    entities: tuple[Entity, ...]

    def entity(self, name: str) -> Entity:
        """Return the entity of that name.

        Raises:
            KeyError: There is none.
        """
        for candidate in self.entities:
            if candidate.name == name:
                return candidate
        raise KeyError(name)
