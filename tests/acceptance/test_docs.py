"""What README and docs show is run: YAML is loaded, SQL is executed, what comes out is compared."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import counting
import peers
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
    excerpts = [block for block in blocks(README, "sql") if "CREATE" in block or "p_keys" in block]
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


@pytest.fixture
def notified(tmp_path: Path, postgres_server: Server, new_database: Callable[..., str]) -> Notified:
    """The page on notifications, done up to its outbox."""
    page = (ROOT / "docs/notifications.md").read_text(encoding="utf-8")
    dsn = new_database(postgres_server)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for text in files_of(page, tmp_path).values():
            connection.execute(text.encode())
        printed = [table(cursor) for call in blocks(page, "sql") for cursor in results(connection, call)]
        heard = [(item.channel, json.loads(item.payload)) for item in connection.notifies(timeout=0)]
    return Notified(page, dsn, printed, heard)


@dataclass
class Notified:
    """What the page's statements printed, and what a listener heard."""

    page: str
    dsn: str
    printed: list[str]
    heard: list[tuple[str, Any]]


def test_what_the_page_on_notifications_shows_is_what_happens(notified: Notified) -> None:
    assert notified.printed == blocks(notified.page, "text")
    for channel in ("batch_progress", "batch_completed"):
        (shown,) = (json.loads(block) for block in blocks(notified.page, f"json {channel}"))
        first = next(payload for name, payload in notified.heard if name == channel)
        changing = {"operation_id", "at", "started_at", "completed_at"}
        assert {**first, **{key: shown[key] for key in changing & set(shown)}} == shown


def test_the_delivery_that_the_page_shows_is_what_happens(
    notified: Notified, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = blocks(notified.page, "text specgen notify")
    (settings,) = blocks(notified.page, "yaml specgen.yaml")
    project = tmp_path / "project"
    project.mkdir()
    with peers.webhook() as webhook, peers.mailbox() as mailbox:
        webhook.status = 500
        monkeypatch.setenv("ALERT_MAIL_URL", mailbox.url)
        settings = settings.replace("https://hooks.example.org/batches", webhook.url)
        (project / "specgen.yaml").write_text(settings, encoding="utf-8")
        code, out, err = counting.run(notified.dsn, "notify", "--project", str(project))
        assert (code, err) == (1, "")
        out = out.replace(f":{webhook.port} ", ":8080 ")
        assert re.sub(r"again in [0-9]+ s", "", out) == re.sub(r"again in [0-9]+ s", "", shown)
        (mail,) = mailbox.mails
    assert mail.get_content().strip() == "Deactivated 500 inactive users"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
