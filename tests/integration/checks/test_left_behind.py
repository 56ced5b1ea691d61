"""Operations that were renamed or removed: whoever deploys or validates is told that they can still be called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from specgen.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "name: task\nfields: {id: bigint, state: string, note: string}\npatterns:\n"
CLOSE = """  - {name: batch_operations, operation: close_tasks, operation_type: update, update_data: {state: closed},
     where_condition: "state = 'done'"}
"""
STEPS = """  - name: batch_operations
    operation: tidy_tasks
    steps:
      - {name: find_old, operation_type: select, select_fields: [id], where_condition: "state = 'old'"}
      - {name: drop_old, operation_type: delete, where_condition: "id = ANY(:old_ids)"}
"""
RENAMED = CLOSE.replace("close_tasks", "close_done_tasks")


def write(project: Path, text: str, *, file: str = "task", settings: str = "schema: public\n") -> Path:
    (project / "entities").mkdir(parents=True, exist_ok=True)
    (project / "specgen.yaml").write_text(settings)
    (project / "entities" / f"{file}.yaml").write_text(text)
    return project


def specgen(command: str, project: Path, dsn: str) -> tuple[int, str]:
    """The exit code, and what stands on stderr."""
    result = CliRunner().invoke(main, [command, "--project", str(project), "--database-url", dsn])
    return result.exit_code, result.stderr


def functions(dsn: str) -> set[str]:
    query = "SELECT p.proname FROM pg_proc AS p WHERE p.proname ~ 'tasks' ORDER BY 1"
    with psycopg.connect(dsn) as connection:
        return {row[0] for row in connection.execute(query)}


def test_of_two_entities_in_a_file_the_one_that_lost_the_operation_is_named(
    database: str, tmp_path: Path
) -> None:
    other = "---\nname: a_note\nfields: {id: bigint}\n"
    project = write(tmp_path, HEAD + CLOSE + RENAMED + other)
    specgen("deploy", project, database)
    write(tmp_path, HEAD + RENAMED + other)
    assert "task.yaml:1:7: warning[left-behind]: close_tasks" in specgen("deploy", project, database)[1]


@pytest.mark.parametrize("command", ["deploy", "validate"])
@pytest.mark.parametrize("gone", [CLOSE, STEPS], ids=["an operation", "steps"])
def test_an_operation_that_was_removed_is_named_with_what_drops_it(
    database: str, tmp_path: Path, command: str, gone: str
) -> None:
    project = write(tmp_path, HEAD + gone + RENAMED)
    assert specgen("deploy", project, database)[1].count("left-behind") == 0
    with psycopg.connect(database, autocommit=True) as connection:
        name = "close_tasks" if gone == CLOSE else "tidy_tasks"
        connection.execute(f"SELECT {name}_submit()".encode())
    write(tmp_path, HEAD + RENAMED)
    code, err = specgen(command, project, database)
    assert code == 0
    assert f"task.yaml:1:7: warning[left-behind]: {name} is deployed from this file" in err
    assert "1 open run of it would not go on" in err
    drop = re.search(r"CALL public.batch_forget\(.*;", err)
    assert drop is not None
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(drop[0].encode())
    assert all(found.startswith("close_done_tasks") for found in functions(database))
    assert "left-behind" not in specgen(command, project, database)[1]


def test_a_name_that_begins_like_that_of_a_removed_operation_stays_out_of_what_is_dropped(
    database: str, tmp_path: Path
) -> None:
    longer = CLOSE.replace("close_tasks", "close_tasks_submit_all")
    project = write(tmp_path, HEAD + CLOSE + longer)
    specgen("deploy", project, database)
    write(tmp_path, HEAD + longer)
    err = specgen("deploy", project, database)[1]
    assert "close_tasks is deployed from this file" in err
    assert "submit_all" not in err


def test_what_another_project_has_deployed_is_not_called_ours(database: str, tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", HEAD + RENAMED)
    same_table = HEAD.replace("fields", "managed: false\nfields") + CLOSE
    theirs = write(tmp_path / "theirs", same_table, file="chores")
    elsewhere = write(tmp_path / "elsewhere", HEAD + CLOSE, settings="schema: other\n")
    own_runtime = write(tmp_path / "runtime", HEAD + STEPS, settings="runtime_schema: own\n")
    for project in (ours, theirs, elsewhere, own_runtime):
        code, err = specgen("deploy", project, database)
        assert code == 0, err
    for project in (ours, theirs, elsewhere, own_runtime):
        assert "left-behind" not in specgen("validate", project, database)[1]


def test_an_operation_that_moved_to_another_file_is_not_left_behind(database: str, tmp_path: Path) -> None:
    project = write(tmp_path, HEAD + CLOSE)
    specgen("deploy", project, database)
    write(tmp_path, HEAD.removesuffix("patterns:\n"))
    other = "name: other\nfields: {id: bigint}\npatterns:\n" + CLOSE.replace(
        "operation_type", "target_entity: task, operation_type"
    )
    write(tmp_path, other, file="other")
    code, err = specgen("deploy", project, database)
    assert code == 0, err
    assert "left-behind" not in err


def test_the_way_to_submit_an_operation_that_became_atomic_is_gone(database: str, tmp_path: Path) -> None:
    project = write(tmp_path, HEAD + CLOSE)
    specgen("deploy", project, database)
    write(tmp_path, HEAD + CLOSE.replace("operation_type", "atomic: true, operation_type"))
    assert "close_tasks_submit" in functions(database)
    code, err = specgen("deploy", project, database)
    assert (code, err.count("left-behind")) == (0, 0), err
    assert "close_tasks" in functions(database)
    assert "close_tasks_submit" not in functions(database)
