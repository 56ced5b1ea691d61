"""What a new project consists of: ``specgen init`` writes these files."""

from __future__ import annotations

SETTINGS = """\
# yaml-language-server: $schema=.specgen/specgen.schema.json
# Every setting has a default; these are the ones to know about.
schema: public                 # where entities live
runtime_schema: public         # where the batch_* tables live
postgres: 15                   # oldest server the SQL must run on
paths: {entities: entities, sql: generated, tests: tests/generated}
"""

ENTITY = """\
# yaml-language-server: $schema=../.specgen/entity.schema.json
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

HOOKS = """\
# `pre-commit install` makes these run before each commit that touches what they are about.
repos:
  - repo: local
    hooks:
      - id: specgen-validate
        name: specgen validate
        entry: specgen validate
        language: system
        pass_filenames: false
        files: ^(entities/|specgen\\.yaml$)
      - id: specgen-generate
        name: specgen generate --check
        entry: specgen generate --check
        language: system
        pass_filenames: false
        files: ^(entities/|generated/|templates/|specgen\\.yaml$)
"""

WORKFLOW = """\
name: specgen
on: [push, pull_request]
permissions:
  contents: read
jobs:
  specgen:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
{install}
      - run: specgen validate --format github
      - run: specgen generate --check
      - run: specgen test run
"""

FROM_WHEEL = """\
      # specgen was installed from a file when this was written. Check that wheel in under this name, or put
      # here where your machines get it from: a version in your package index, a repository's address.
"""


def files() -> dict[str, str]:
    """Return path → text of the files of a new project that from then on are the user's."""
    return {
        "specgen.yaml": SETTINGS,
        "entities/task.yaml": ENTITY,
        ".pre-commit-config.yaml": HOOKS,
        ".github/workflows/specgen.yml": workflow(),
    }


def schemas() -> dict[str, str]:
    """Return path → text of the JSON Schemas, which stay specgen's own and follow its version."""
    from specgen.spec.published import SCHEMAS, published_text

    return {f".specgen/{name}.schema.json": published_text(name) for name in SCHEMAS}


def workflow(needed: str | None = None) -> str:
    """Return the CI workflow.

    Args:
        needed: What pip is to install; by default, what is installed here.
    """
    from specgen.cli.origin import WHEEL, requirement

    needed = needed or requirement()
    step = f'      - run: pip install "{needed}"'
    return WORKFLOW.format(install=(FROM_WHEEL if needed == WHEEL else "") + step)
