"""docs/language-concepts.md, run from its first block to its last in one database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.renderings import render_text
from specgen.spec.build import load_project
from tests.acceptance.printing import results, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.server import Server

PAGE = Path(__file__).parents[2] / "docs/language-concepts.md"
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """Does what a page's blocks say, and writes what comes out into the blocks that show it."""

    def __init__(self, connection: psycopg.Connection, folder: Path) -> None:
        self.connection = connection
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

    def fail(self, text: str) -> str:
        try:
            self.connection.execute(text.encode())
        except psycopg.Error as error:
            lines = {"ERROR": error.diag.message_primary, "DETAIL": error.diag.message_detail}
            lines |= {"HINT": error.diag.message_hint}
            return "".join(f"{name}:  {said}\n" for name, said in lines.items() if said)
        raise AssertionError(f"no error: {text}")


def test_what_the_page_on_concepts_shows_is_what_happens(
    tmp_path: Path, postgres_server: Server, new_database: Callable[..., str], update_golden: bool
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    with psycopg.connect(new_database(postgres_server), autocommit=True) as connection:
        reader = Reader(connection, tmp_path)
        run = BLOCK.sub(reader.read, page)
    if update_golden:
        PAGE.write_text(run, encoding="utf-8")
    assert run == page or update_golden
