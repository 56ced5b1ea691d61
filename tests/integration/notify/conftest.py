"""A database whose outbox can be filled by an operation, and the program that empties it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import counting
import peers
import psycopg
import pytest

from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

SPEC = """
name: job
fields:
  id: bigint
  n: {type: integer, nullable: false, default: 0}
patterns:
  - name: batch_operations
    operation: large_data_import
    operation_type: update
    update_data: {n: 1}
    where_condition: "id <= :upto"
    notify_on_completion: true
    notification_message: "Did {processed_records} of {total_records} — 100% <ok>"
    notification_channels: [email, webhook]
  - name: batch_operations
    operation: hook_only
    operation_type: update
    update_data: {n: 1}
    where_condition: "id <= :upto"
    notify_on_completion: true
    notification_channels: [webhook]
"""


@dataclass
class Notifier:
    """``specgen notify`` in a project on the test's database."""

    dsn: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def configure(self, **channels: Any) -> None:
        """Write specgen.yaml: channel → address, or ``{"env": name}``."""
        text = json.dumps({"notifications": channels})
        (self.folder / "specgen.yaml").write_text(text, encoding="utf-8")

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return counting.specgen(self.dsn, "notify", *arguments, "--project", str(self.folder), **options)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def ended(self, operation: str = "large_data_import", times: int = 1) -> None:
        """Let an operation end and leave its messages."""
        self.rows(f"SELECT {operation}(10) FROM generate_series(1, {times})")

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def outbox(self, columns: str = "channel, status, attempts, last_error") -> list[Any]:
        return self.rows(f"SELECT {columns} FROM batch_outbox ORDER BY id")

    def make_due(self) -> None:
        self.rows("UPDATE batch_outbox SET next_attempt_at = now() WHERE status = 'pending'")


@pytest.fixture
def notify(
    postgres_server: Server,
    template_of: Template,
    new_database: NewDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Notifier:
    def build(dsn: str) -> None:
        folder = tmp_path_factory.mktemp("spec")
        (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
        loaded = load_project([folder / "spec.yaml"], root=folder)
        assert loaded.project, loaded.findings
        planned = plan_project(loaded.project)
        assert planned.plan, planned.findings
        with psycopg.connect(dsn, autocommit=True) as connection:
            for file in render_plan(planned.plan):
                connection.execute(file.text.encode())
            connection.execute("INSERT INTO job (n) SELECT 0 FROM generate_series(1, 10)")

    template = template_of(postgres_server, "notify", build)
    return Notifier(new_database(postgres_server, template), tmp_path_factory.mktemp("project"))


@pytest.fixture
def webhook() -> Iterator[peers.Webhook]:
    with peers.webhook() as peer:
        yield peer


@pytest.fixture
def mailbox() -> Iterator[peers.Mailbox]:
    with peers.mailbox() as peer:
        yield peer
