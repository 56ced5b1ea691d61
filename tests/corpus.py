"""The golden corpus: what is generated for each case, and how it gets onto a server."""

from __future__ import annotations

import shlex
from pathlib import Path

import psycopg
from click.testing import CliRunner

from specgen.cli.main import main

ROOT = Path(__file__).parents[1]
RUNTIME = "00_runtime.sql"

CASES = sorted(path for path in (ROOT / "tests" / "golden" / "cases").iterdir() if path.is_dir())
"""A case is a lone ``entity.yaml``, or a project with its ``specgen.yaml``."""

PROJECTS = [*CASES, ROOT]
"""The cases, and the samples."""


def case_name(project: Path) -> str:
    """What a test over projects is called."""
    return "samples" if project == ROOT else project.name


def generate(project: Path, out: Path) -> None:
    """Run ``specgen generate`` on a case, with the arguments in its file ``args``, if it has one."""
    lone = project / "entity.yaml"
    paths = [str(lone)] if lone.exists() else []
    more = project / "args"
    extra = shlex.split(more.read_text(encoding="utf-8")) if more.exists() else []
    command = ["generate", *paths, "--project", str(project), "-o", str(out), *extra]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output


def set_up(project: Path, dsn: str) -> None:
    """Make what a case's SQL expects to be there: ``setup.sql``, or the sample's own functions."""
    files = [ROOT / "entities" / "sql" / "functions.sql"] if project == ROOT else project.glob("setup.sql")
    for file in files:
        execute(dsn, file.read_text(encoding="utf-8"))


def load(folder: Path, dsn: str) -> None:
    """Load a folder's files in their order, each in one transaction, as ``psql -1 -f`` does."""
    for file in sorted(folder.glob("*.sql")):
        execute(dsn, file.read_text(encoding="utf-8"))


def execute(dsn: str, sql: str) -> None:
    """Run a text of many statements, without any notice left."""
    notices: list[str] = []
    with psycopg.connect(dsn) as connection:
        connection.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
        connection.execute(sql.encode())
    assert notices == []
