"""``specgen init``."""

from __future__ import annotations

from pathlib import Path

import click

from specgen import __version__
from specgen.cli.commands import Command

SETTINGS = """\
# Every setting has a default; these are the ones to know about.
schema: public                 # where entities live
runtime_schema: public         # where the batch_* tables live
postgres: 15                   # oldest server the SQL must run on
paths: {entities: entities, sql: generated, tests: tests/generated}
"""

ENTITY = """\
name: task
description: Things to do
fields:
  id: uuid
  title: {type: string, nullable: false, check: "length(title) > 0"}
  status: {type: "enum(open, done, archived)", nullable: false, default: open}
  priority: {type: integer, nullable: false, default: 0, check: "priority >= 0"}
  done_at: timestamp
  created_at: {type: timestamp, nullable: false, default: "NOW()"}
indexes:
  - status

patterns:
  - name: batch_operations
    description: Mark the given tasks as done
    operation: complete_tasks
    operation_type: update
    update_data:
      status: done
      done_at: "NOW()"
    where_condition: "id = ANY(:task_ids)"
    progress_tracking: true

  - name: batch_operations
    description: Archive what has been done for a while
    operation: archive_done_tasks
    operation_type: update
    update_data: {status: archived}
    where_condition: "status = 'done' AND done_at < :before"
    batch_size: 5000
"""

WORKFLOW = f"""\
name: specgen
on: [push, pull_request]
jobs:
  specgen:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: pip install specgen=={__version__}
      - run: specgen validate --format github
      - run: specgen generate --check
      - run: specgen test run
"""

FILES = {
    "specgen.yaml": SETTINGS,
    "entities/task.yaml": ENTITY,
    ".github/workflows/specgen.yml": WORKFLOW,
}


@click.command(cls=Command, examples=("specgen init", "specgen init shop"))
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(*, folder: Path) -> None:
    """Begin a project in DIR: settings, a first entity, a CI workflow.

    What is already there is left as it is.
    """
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            click.echo(f"     skip  {path}")
        else:
            click.echo(f"   create  {path}")
    inside = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"next: {inside}specgen generate", err=True)
