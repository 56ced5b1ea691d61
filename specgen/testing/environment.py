"""Databases for generated tests: one template with all of a project's SQL in it, cloned at will."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from specgen.errors import SpecgenError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from specgen.database.server import Server
    from specgen.spec.model import Project

TEMPLATE_VARIABLE = "SPECGEN_TEST_TEMPLATE"
SERVER_VARIABLE = "SPECGEN_TEST_SERVER"
KIND_VARIABLE = "SPECGEN_TEST_KIND"
PREAMBLE_VARIABLE = "SPECGEN_TEST_PREAMBLE"


@dataclass(frozen=True, slots=True)
class Environment:
    """A server and the template on it.

    Attributes:
        preamble: SQL that every session of a test begins with.
    """

    server: Server
    template: str
    preamble: str

    def copy(self) -> AbstractContextManager[str]:
        """A copy of the template for the length of a block; yields its connection string."""
        from specgen.database import databases

        return databases.clone(self.server, self.template)


@contextmanager
def open_environment(
    *, root: Path | str, database_url: str | None, kind: str | None, postgres: int | None
) -> Iterator[Environment]:
    """The environment that ``specgen test run`` has prepared, else one made here from the project.

    Args:
        root: The folder of ``specgen.yaml``.
        database_url: A server to use.
        kind: The kind of provider, None to choose.
        postgres: The server's major version.
    """
    from specgen.database import databases, provider

    template = os.environ.get(TEMPLATE_VARIABLE)
    if template:
        from specgen.database.server import Kind, Server

        kind = os.environ[KIND_VARIABLE]
        server = Server(os.environ[SERVER_VARIABLE], 0, Kind(kind), "given by specgen test run")
        yield Environment(server, template, os.environ[PREAMBLE_VARIABLE])
        return
    project = load(Path(root), ())
    chosen = provider.choose(kind=kind, database_url=database_url, postgres=postgres)
    with chosen as server, databases.template(server, lambda dsn: fill(dsn, project)) as name:
        yield Environment(server, name, preamble(project))


def load(root: Path, paths: Iterable[Path]) -> Project:
    """Read a project.

    Raises:
        UsageError: It has errors; ``specgen validate`` shows them.
    """
    from specgen.spec.build import load_project

    loaded = load_project(list(paths), root=root)
    if loaded.project is None:
        raise UsageError("the spec has errors", help="see: specgen validate")
    return loaded.project


def rendered(project: Project) -> list[tuple[str, str]]:
    """Name and text of every SQL file of a project, its setup files first."""
    from specgen.plan.project import plan_project
    from specgen.render.engine import render_plan

    planned = plan_project(project)
    if planned.plan is None:
        raise UsageError("the spec has errors", help="see: specgen validate")
    root = project.settings.root
    setup = [(str(path), (root / path).read_text(encoding="utf-8")) for path in project.settings.setup_sql]
    return setup + [(item.name, item.text) for item in render_plan(planned.plan)]


def fill(dsn: str, project: Project, files: Iterable[tuple[str, str]] | None = None) -> None:
    """Load a project's SQL into an empty database, and what tests use beside it.

    Raises:
        SpecgenError: A file does not load.
    """
    import psycopg

    from specgen.database.conninfo import dial

    helpers = resources.files("specgen.testing").joinpath("helpers.sql").read_text(encoding="utf-8")
    with dial(dsn) as connection:
        for name, text in [*(files if files is not None else rendered(project)), ("helpers.sql", helpers)]:
            try:
                connection.execute(text)
            except psycopg.Error as error:
                raise SpecgenError(f"{name}: {error}") from error


def preamble(project: Project) -> str:
    """SQL that every session of a test begins with: functions in conditions are found as in operations."""
    from specgen.plan.sqltext import ident

    path = ", ".join(map(ident, project.settings.search_path))
    return f"SET search_path = {path};\n"
