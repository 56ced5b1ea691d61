"""Pages that tell a story, each run from its first block to its last in a database of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.renderings import render_text
from specgen.spec.build import load_project
from tests.acceptance.printing import results, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.server import Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs/language-concepts.md", ROOT / "docs/steps.md"]
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """Does what a page's blocks say, and writes what comes out into the blocks that show it."""

    def __init__(self, connection: psycopg.Connection, dsn: str, folder: Path) -> None:
        self.connection = connection
        self.dsn = dsn
        self.entities = folder / "entities"
        self.entities.mkdir()
        self.folder = folder
        self.printed: str | None = None

    def read(self, block: re.Match[str]) -> str:
        """Run a block; return it as it should stand on the page."""
        language, kind, text = block.groups()
        match language, kind:
            case "text", None:
                assert self.printed is not None, f"nothing is printed before:\n{text}"
                shown, self.printed = self.printed, None
                return f"```text\n{shown}```"
            case "yaml", None:
                self.load(text)
            case "yaml", "wrong":
                self.printed = self.complain(text)
            case "sql", None:
                self.printed = "\n".join(table(cursor) for cursor in results(self.connection, text))
            case "sql", "error":
                self.printed = self.fail(text)
            case "csv", name:
                (self.folder / f"{name}.csv").write_text(text, encoding="utf-8")
            case "sh", None:
                self.printed = self.run(text)
            case "sh", "shown":
                self.printed = self.run(text, shown=True)
            case _:
                raise AssertionError(block.group())
        return block.group()

    def load(self, text: str) -> None:
        (self.entities / f"{text.split()[1]}.yaml").write_text(text, encoding="utf-8")
        loaded = load_project([self.entities], root=self.folder)
        assert loaded.findings == ()
        assert loaded.project
        planned = plan_project(loaded.project)
        assert planned.findings == ()
        assert planned.plan
        for file in render_plan(planned.plan):
            self.connection.execute(file.text.encode())

    def complain(self, text: str) -> str:
        name = f"{text.split()[1]}.yaml"
        (self.folder / name).write_text(text, encoding="utf-8")
        loaded = load_project([self.folder / name], root=self.folder)
        found = list(loaded.findings)
        if loaded.project:
            found += plan_project(loaded.project).findings
        return render_text(found, lambda _file, line: text.splitlines()[line - 1])

    def run(self, script: str, *, shown: bool = False) -> str:
        """Return what a shell prints; the outcome of ``specgen run`` has times in it, so it is left out."""
        where = "" if shown else ">&2"
        specgen = f'specgen() {{ "{sys.executable}" -m specgen "$@" {where} || test $? = 1; }}\n'
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"SPECGEN_DATABASE_URL": self.dsn, "PYTHONPATH": path}
        done = subprocess.run(
            ["sh", "-ec", specgen + script],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fail(self, text: str) -> str:
        try:
            self.connection.execute(text.encode())
        except psycopg.Error as error:
            lines = {"ERROR": error.diag.message_primary, "DETAIL": error.diag.message_detail}
            lines |= {"HINT": error.diag.message_hint}
            return "".join(f"{name}:  {said}\n" for name, said in lines.items() if said)
        raise AssertionError(f"no error: {text}")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_a_page_shows_is_what_happens(
    path: Path, tmp_path: Path, postgres_server: Server, new_database: Callable[..., str], update_golden: bool
) -> None:
    page = path.read_text(encoding="utf-8")
    dsn = new_database(postgres_server)
    with psycopg.connect(dsn, autocommit=True) as connection:
        reader = Reader(connection, dsn, tmp_path)
        run = BLOCK.sub(reader.read, page)
    if update_golden:
        path.write_text(run, encoding="utf-8")
    assert run == page or update_golden
