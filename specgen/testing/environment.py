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

    from specgen.database.connection import Connection
    from specgen.database.server import Server
    from specgen.plan.project import Plan
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
        server = Server(os.environ[SERVER_VARIABLE], 0, Kind(kind), "")
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
    return [*_setup(project), *_generated(_whole_plan(project))]


def _whole_plan(project: Project) -> Plan:
    from specgen.plan.project import plan_project

    planned = plan_project(project)
    if planned.plan is None:
        raise UsageError("the spec has errors", help="see: specgen validate")
    return planned.plan


def _setup(project: Project) -> list[tuple[str, str]]:
    root = project.settings.root
    return [(str(path), (root / path).read_text(encoding="utf-8")) for path in project.settings.setup_sql]


def _generated(plan: Plan) -> list[tuple[str, str]]:
    from specgen.render.engine import render_plan

    return [(item.name, item.text) for item in render_plan(plan)]


def fill(
    dsn: str,
    project: Project,
    files: Iterable[tuple[str, str]] | None = None,
    *,
    tested: Plan | None = None,
) -> None:
    """Load a project's SQL into an empty database, and what tests use beside it.

    Args:
        dsn: The database.
        project: What is loaded, whole.
        files: SQL to load instead of the project's own, without any check.
        tested: What is to be tested of the project, if not all.

    Raises:
        Lacking: What ``setup_sql`` makes is not all that the operations need, or values are not known.
        SpecgenError: A file does not load.
    """
    from specgen.database.conninfo import dial
    from specgen.testing.lacking import refuse_lacking, refuse_valueless

    helpers = resources.files("specgen.testing").joinpath("helpers.sql").read_text(encoding="utf-8")
    if files is None:
        whole = _whole_plan(project)
        with dial(dsn, autocommit=True) as connection:
            _load(connection, _setup(project))
            refuse_lacking(connection, project, whole, tested or whole)
        files = _generated(whole)
    with dial(dsn) as connection:
        _load(connection, [*files, ("helpers.sql", helpers)])
        _note_fields(connection, project)
        if tested is not None and not helps_of(project).exists():
            refuse_valueless(connection, project, tested)


def _note_fields(connection: Connection, project: Project) -> None:
    """Write down what the spec says of columns, for the rows of other tables that a test needs."""
    from specgen.plan.sqltext import constant, ident

    found = [
        (
            f"{ident(entity.schema)}.{ident(entity.table)}",
            field.name,
            f"{field.span.file}:{field.span.start.line}",
            [constant(example.value, field.type) for example in field.examples],
        )
        for entity in project.entities
        for field in entity.fields
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO specgen_test.fields "
            "SELECT to_regclass(%s), %s, %s, %s WHERE to_regclass(%s) IS NOT NULL",
            [(table, *rest, table) for table, *rest in found],
        )


def _load(connection: Connection, files: Iterable[tuple[str, str]]) -> None:
    import psycopg

    for name, text in files:
        try:
            connection.execute(text.encode())
        except psycopg.Error as error:
            raise SpecgenError(f"{name}: {error}") from error


def helps_of(project: Project) -> Path:
    """The file in which users help with test data."""
    return project.settings.root / project.settings.paths.tests / "conftest.py"


def preamble(project: Project) -> str:
    """SQL that every session of a test begins with: functions in conditions are found as in operations."""
    from specgen.plan.sqltext import ident

    path = ", ".join(map(ident, project.settings.search_path))
    return f"SET search_path = {path};\n"
