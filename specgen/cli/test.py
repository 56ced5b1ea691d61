"""``specgen test run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specgen.cli.commands import Command
from specgen.cli.interrupt import unwinding
from specgen.cli.options import paths_argument, project_option, test_server_options
from specgen.cli.printing import say, visible
from specgen.errors import SpecgenError

if TYPE_CHECKING:
    from specgen.database.server import Server


@click.group()
def test() -> None:
    """Run generated tests on a real PostgreSQL."""


@test.command(
    cls=Command,
    examples=(
        "specgen test run entities/user.yaml",
        "specgen test run --postgres 18 --junit report.xml",
    ),
)
@paths_argument
@test_server_options
@project_option
@click.option("--keep", is_flag=True, help="Keep a database with everything in it; print its address.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a JUnit report."
)
@click.option("-k", "expression", metavar="EXPRESSION", help="Only tests whose name matches, as in pytest.")
def run(
    *,
    paths: tuple[Path, ...],
    database_url: str | None,
    provider: str | None,
    postgres: int | None,
    project: Path,
    keep: bool,
    junit: Path | None,
    expression: str | None,
) -> None:
    """Test the operations of PATHS: a database up, the SQL in, the generated tests run.

    The server is that of --database-url, else of SPECGEN_TEST_DATABASE_URL, else a container, else an
    embedded one; never that of SPECGEN_DATABASE_URL or of libpq's variables, where operations are run.

    Tests that lie in the project's tests folder are run from there where they are up to date, else they
    are generated for the run. Exit code 1 when a test fails.
    """
    from specgen.cli import findings as out
    from specgen.cli.pipeline import read
    from specgen.database.provider import choose
    from specgen.testing.lacking import Lacking
    from specgen.testing.run import Wanted, tested

    result = read(paths, project=project)
    out.report(result.findings, root=project)
    if result.plan is None or result.project is None:
        raise click.exceptions.Exit(1)
    if not any(entity.operations for entity in result.plan.entities):
        say("there is no operation to test", err=True)
    arguments = [f"--junit-xml={junit.absolute()}"] if junit else []
    arguments += ["-k", expression] if expression else []
    chosen = choose(kind=provider, database_url=database_url, postgres=postgres)
    wanted = Wanted(result.plan, result.project, arguments, keep=keep)
    with unwinding(), chosen as server:
        say(visible(f"on {server.description}"), err=True)
        try:
            code, kept = tested(server, wanted)
        except Lacking as lacking:
            out.report(lacking.findings, root=project)
            raise SpecgenError(lacking.summary, help=lacking.help) from lacking
        if kept is not None:
            _tell_kept(kept, server)
    if code:
        raise click.exceptions.Exit(1)


def _tell_kept(kept: str, server: Server) -> None:
    from specgen.database.conninfo import as_url
    from specgen.database.databases import dropping

    if server.kind == "url":
        # Of a server of one's own the password is known, of one that was started here it is needed.
        say(visible(as_url(kept)))
        say(f"drop it with: {visible(dropping(server, kept))}", err=True)
    else:
        say(visible(as_url(kept, secrets=True)))
        say("it ends with its server, and that with this command: press Enter", err=True)
        sys.stdin.readline()
