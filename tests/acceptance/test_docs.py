"""What README and docs show is run: YAML is loaded, SQL is executed, what comes out is compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project
from tests.acceptance.printing import results, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.server import Server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def generated(tmp_path: Path) -> dict[str, str]:
    """The files that README's entity gives."""
    return files_of(README, tmp_path)


def files_of(page: str, tmp_path: Path) -> dict[str, str]:
    """The files that a page's first entity gives."""
    yaml = blocks(page, "yaml")[0]
    spec = tmp_path / "entities/user.yaml"
    spec.parent.mkdir()
    spec.write_text(yaml, encoding="utf-8")
    project = load_project([spec], root=tmp_path).project
    assert project
    plan = plan_project(project).plan
    assert plan
    return {file.name: file.text for file in render_plan(plan)}


def test_the_sql_that_readme_shows_is_what_its_yaml_gives(generated: dict[str, str]) -> None:
    excerpts = [block for block in blocks(README, "sql") if "CREATE" in block or "v_slice" in block]
    assert len(excerpts) == 2
    for excerpt in excerpts:
        assert excerpt in generated["10_user.sql"]


def test_the_calls_that_readme_shows_have_the_results_it_shows(
    generated: dict[str, str], postgres_server: Server, new_database: Callable[..., str]
) -> None:
    calls = [block for block in blocks(README, "sql") if "SELECT status" in block]
    shown = blocks(README, "text")
    assert len(calls) == len(shown) == 2
    with psycopg.connect(new_database(postgres_server), autocommit=True) as connection:
        for text in generated.values():
            connection.execute(text.encode())
        for call, expected in zip(calls, shown, strict=True):
            printed = [table(cursor) for cursor in results(connection, call)]
            assert "\n".join(printed) == expected


def test_what_the_page_on_notifications_shows_is_what_happens(
    tmp_path: Path, postgres_server: Server, new_database: Callable[..., str]
) -> None:
    page = (ROOT / "docs/notifications.md").read_text(encoding="utf-8")
    with psycopg.connect(new_database(postgres_server), autocommit=True) as connection:
        for text in files_of(page, tmp_path).values():
            connection.execute(text.encode())
        printed = [table(cursor) for call in blocks(page, "sql") for cursor in results(connection, call)]
        assert printed == blocks(page, "text")
        heard = [(item.channel, json.loads(item.payload)) for item in connection.notifies(timeout=0)]
    for channel in ("batch_progress", "batch_completed"):
        (shown,) = (json.loads(block) for block in blocks(page, f"json {channel}"))
        first = next(payload for name, payload in heard if name == channel)
        changing = {"operation_id", "at", "started_at", "completed_at"}
        assert {**first, **{key: shown[key] for key in changing & set(shown)}} == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
