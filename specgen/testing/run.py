"""``specgen test run``: a database up, the SQL in, the generated tests run on copies of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from specgen.testing import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from specgen.database.server import Server
    from specgen.plan.project import Plan
    from specgen.render.engine import RenderedFile
    from specgen.spec.model import Project


# Seconds that pytest has to tidy up when the run is ended.
LAST_WORDS = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run.

    Attributes:
        plan: The entities whose tests are run.
        project: The whole project, which is loaded.
        arguments: Passed on to pytest.
        files: SQL files to load instead of the project's own.
        keep: Whether a database with everything in it stays.
    """

    plan: Plan
    project: Project
    arguments: Sequence[str] = ()
    files: tuple[tuple[str, str], ...] | None = None
    keep: bool = False


def tested(server: Server, wanted: Wanted) -> tuple[int, str | None]:
    """Run the tests.

    Args:
        server: Where databases for them are made, and dropped.
        wanted: What to run on it.

    Returns:
        pytest's exit code, and the connection string of the database that is kept, if one is.
    """
    from specgen.database import databases
    from specgen.testing.render import render_tests

    tests = render_tests(wanted.plan, wanted.project)

    def build(dsn: str) -> None:
        environment.fill(dsn, wanted.project, wanted.files, tested=wanted.plan)

    with (
        tempfile.TemporaryDirectory(prefix="specgen-tests-") as folder,
        databases.template(server, build) as template,
    ):
        variables = {
            environment.TEMPLATE_VARIABLE: template,
            environment.SERVER_VARIABLE: server.dsn,
            environment.KIND_VARIABLE: str(server.kind),
            environment.PREAMBLE_VARIABLE: environment.preamble(wanted.project),
        }
        paths = list(_paths(tests, wanted.project, Path(folder)))
        code = run_pytest(paths, wanted.arguments, variables) if paths else 0
        # Not before: who interrupts the tests is told of no database, and must not be left with one.
        kept = databases.create_database(server, template=template) if wanted.keep else None
        if kept:
            _disown(kept)
    return code, kept


def _disown(dsn: str) -> None:
    """Take the owner's mark off a database, so that nobody clears it away when this process is gone."""
    from psycopg import sql

    from specgen.database import databases
    from specgen.database.conninfo import dial

    with dial(dsn) as connection:
        name = sql.Identifier(databases.name_of(dsn))
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(name))


def run_pytest(paths: Sequence[Path], arguments: Sequence[str], variables: dict[str, str]) -> int:
    """Run pytest on files, with the plugin, in a process of its own; returns its exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *plugin_arguments()]
    process = subprocess.Popen([*command, *arguments, *map(str, paths)], env={**os.environ, **variables})
    try:
        return process.wait()
    except BaseException as stopped:
        # Its tests must not outlive the server. A terminal has told it of Ctrl-C already, and told twice it
        # would leave its databases behind.
        if not isinstance(stopped, KeyboardInterrupt):
            process.send_signal(signal.SIGINT)
        _wait_or_kill(process)
        raise


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=LAST_WORDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def plugin_arguments() -> list[str]:
    """Name the plugin to a pytest that does not find it by itself, as when specgen is not installed."""
    if entry_points(group="pytest11", name="specgen"):
        return []
    return ["-p", "specgen.testing.plugin"]


def _paths(tests: Iterable[RenderedFile], project: Project, folder: Path) -> Iterator[Path]:
    """The tests' files: those in the project where they are current, else in a temporary folder.

    A conftest.py beside the project's tests, where users help with data, counts for both.
    """
    written = project.settings.root / project.settings.paths.tests
    helps = environment.helps_of(project)
    if helps.exists():
        (folder / "conftest.py").write_text(helps.read_text(encoding="utf-8"), encoding="utf-8")
    for item in tests:
        current = written / item.name
        if current.exists() and current.read_text(encoding="utf-8") == item.text:
            yield current
        else:
            temporary = folder / item.name
            temporary.write_text(item.text, encoding="utf-8")
            yield temporary
