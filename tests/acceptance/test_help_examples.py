"""Every command's help ends with examples, and each of them does what it says."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psycopg
import pytest
from gates import PATIENCE

from specgen.cli.commands import Forms
from specgen.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.database.server import Server

ROOT = Path(__file__).parents[2]


def commands(
    command: click.Command, name: str, context: click.Context
) -> Iterator[tuple[str, click.Command]]:
    """All commands that do something, with the words that call them."""
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            if inner is not None:
                yield from commands(inner, f"{name} {word}", context)
        return
    yield name, command
    if isinstance(command, Forms):
        for word, form in command.forms.items():
            yield f"{name} {word}", form


COMMANDS = dict(commands(main, "specgen", click.Context(main)))
EXAMPLES = [
    (name, example) for name, command in COMMANDS.items() for example in getattr(command, "examples", ())
]


def test_every_command_is_there() -> None:
    for place in main.lazy.values():
        module, attribute = place.split(":")
        assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_call_it(name: str) -> None:
    examples = getattr(COMMANDS[name], "examples", ())
    assert examples
    for example in examples:
        assert example.startswith(name.removesuffix(" tests")), example


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_examples(name: str) -> None:
    command = COMMANDS[name]
    text = command.get_help(click.Context(command, info_name=name))
    assert "Examples:" in text
    for example in getattr(command, "examples", ()):
        assert f"  {example}\n" in f"{text}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder as a user of the samples has it, generated once."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copytree(ROOT / "entities", folder / "entities")
    shutil.copy(ROOT / "specgen.yaml", folder)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What finds this checkout's specgen as ``specgen``, and nothing of the user's own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "specgen"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m specgen "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    home = tmp_path / "home"
    (home / ".local/share/bash-completion/completions").mkdir(parents=True)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "SPECGEN_DATABASE"))
    }
    python_path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return kept | {
        "HOME": str(home),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": python_path,
    }


def sh(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


WITH_DATABASE = (
    "specgen validate --database-url",
    "specgen deploy",
    "specgen run",
    "specgen status",
    "specgen output",
    "specgen notify",
    "specgen cancel",
    "specgen history",
)
"""Commands that work on a user's own database; they get a new one with the samples in it."""

SHOWN_URL = "postgresql://localhost/app"
"""The address in examples, for which a real one is put."""

PREPARE = {
    "specgen generate --check": "specgen generate",
    "specgen generate --diff": "specgen generate",
    "specgen generate tests --check": "specgen generate tests",
    "specgen run import_products_csv --input products.csv --reject-file rejects.csv": (
        "cp entities/products.csv ."
    ),
}
"""What must have happened before an example can succeed."""


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_examples_work(
    name: str,
    example: str,
    project: Path,
    environment: dict[str, str],
    server_of: Callable[[int], Server],
    new_database: Callable[[Server], str],
) -> None:
    if example in PREPARE:
        done = sh(PREPARE[example], project, environment)
        assert done.returncode == 0, done.stderr
    if example.startswith(WITH_DATABASE):
        environment["SPECGEN_DATABASE_URL"] = new_database(server_of(18))
        prepare_database(project, environment)
        example = with_a_real_id(example, environment)
        example = example.replace(SHOWN_URL, shlex.quote(environment["SPECGEN_DATABASE_URL"]))
    if name == "specgen test run":
        keep_one_entity(project)
    done = sh(example, project, environment)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"


def keep_one_entity(project: Path) -> None:
    """Leave the samples' users: running all the samples' generated tests is another test's."""
    for path in (project / "entities").glob("*.yaml"):
        if path.name != "user.yaml":
            path.unlink()


def prepare_database(project: Path, environment: dict[str, str]) -> None:
    """The samples deployed, ten users of whom five want deactivating, and files that examples name."""
    with psycopg.connect(environment["SPECGEN_DATABASE_URL"]) as connection:
        connection.execute((project / "entities/sql/functions.sql").read_bytes())
    done = sh("specgen deploy", project, environment)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(environment["SPECGEN_DATABASE_URL"]) as connection:
        columns = "(email, last_login_at)"
        connection.execute(
            f'INSERT INTO "user" {columns} SELECT n || $$@example.org$$, now() - interval $$2 years$$'
            " FROM generate_series(1, 10) AS n"
        )
        ids = connection.execute('SELECT id::text FROM "user"').fetchall()
    (project / "ids.txt").write_text("".join(f"{row[0]}\n" for row in ids), encoding="utf-8")


def with_a_real_id(example: str, environment: dict[str, str]) -> str:
    """The example with the id of an operation that is there, in place of the one it shows."""
    shown = re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}", example)
    if shown is None:
        return example
    sql = 'SELECT bulk_update_user_status_submit(ARRAY(SELECT id FROM "user"), $$active$$)::text'
    if example.startswith("specgen output"):
        sql = "SELECT operation_id::text FROM migrate_user_data()"
    with psycopg.connect(environment["SPECGEN_DATABASE_URL"]) as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return example.replace(shown.group(), row[0])
