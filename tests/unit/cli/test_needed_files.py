"""What ``explain`` and ``run`` need of a project's files: those of the operation, whatever is wrong with others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from specgen.cli.main import main
from specgen.plan.project import plan_project
from specgen.spec.build import load_project
from specgen.spec.needed import load_needed

if TYPE_CHECKING:
    from specgen.plan.project import Plan
    from specgen.spec.model import Project

USER = """name: user
fields: {id: bigint, label: text}
patterns:
  - name: batch_operations
    operation: set_user
    operation_type: update
    update_data: {label: :label}
    where_condition: "id = ANY(:ids)"
"""
ORDER = """name: order
fields: {id: bigint, label: text, user_id: ref(user)}
patterns:
  - name: batch_operations
    operation: set_order
    operation_type: update
    update_data: {label: :label}
    where_condition: "user_id = :user"
"""


@pytest.fixture
def entities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the spec files: orders, which refer to users."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "entities"
    folder.mkdir()
    (folder / "user.yaml").write_text(USER)
    (folder / "order.yaml").write_text(ORDER)
    return folder


def explain(operation: str) -> Result:
    return CliRunner().invoke(main, ["explain", operation])


@pytest.mark.parametrize(
    "content",
    [
        "name: other\nfields: [\n",
        "name: other\nfieldz: {}\n",
        USER.replace("user", "other").replace("bigint", "bigin"),
    ],
    ids=["no YAML", "wrong keys", "an unknown type"],
)
def test_a_bad_file_keeps_no_other_operation_from_being_used(entities: Path, content: str) -> None:
    (entities / "other.yaml").write_text(content)
    result = explain("set_order")
    assert result.exit_code == 0, result.stderr
    assert "error[" not in result.stderr
    assert result.stderr.count("\n") <= 1, "a line at most of files that are not needed"


def test_a_file_that_nobody_can_read_is_told_in_a_line(entities: Path) -> None:
    (entities / "other.yaml").write_text("name: [\n")
    assert explain("set_user").stderr == (
        'note: entities/other.yaml cannot be read; it is not needed here ("specgen validate" tells why)\n'
    )


def test_a_wrong_operation_of_an_entity_that_is_referred_to_is_not_in_the_way(entities: Path) -> None:
    (entities / "user.yaml").write_text(USER.replace(":label}", ":label, gone: 1}"))
    result = explain("set_order")
    assert (result.exit_code, result.stderr) == (0, "")
    assert explain("set_user").exit_code == 1


def test_an_entity_that_is_referred_to_has_to_be_right(entities: Path) -> None:
    (entities / "user.yaml").write_text(USER.replace("bigint", "bigin"))
    result = explain("set_order")
    assert result.exit_code == 1
    assert "entities/user.yaml:2:14: error[unknown-type]" in result.stderr


def test_what_an_operation_refers_to_may_stand_in_the_file_that_nobody_can_read(entities: Path) -> None:
    (entities / "user.yaml").write_text(USER + "  - [\n")
    result = explain("set_order")
    assert result.exit_code == 1
    assert "entities/user.yaml" in result.stderr
    assert "error[yaml-syntax]" in result.stderr


def test_an_operations_own_file_says_what_is_wrong_with_it(entities: Path) -> None:
    (entities / "other.yaml").write_text("name: [\n")
    (entities / "order.yaml").write_text(ORDER.replace("label: text", "label: txet"))
    result = explain("set_order")
    assert result.exit_code == 1
    assert "entities/order.yaml:2:29: error[unknown-type]" in result.stderr
    assert "other.yaml" not in result.stderr
    (entities / "order.yaml").write_text(ORDER + "\t- x\n")
    result = explain("set_order")
    assert result.exit_code == 1
    assert "entities/order.yaml" in result.stderr
    assert "there is no operation" not in result.stderr
    assert "other.yaml" not in result.stderr


def test_a_mistyped_name_is_told_whatever_else_is_wrong(entities: Path) -> None:
    (entities / "other.yaml").write_text("name: [\n")
    result = explain("set_odrer")
    assert result.exit_code == 2
    assert 'there is no operation "set_odrer"' in result.stderr
    assert 'did you mean "set_order"?' in result.stderr


def test_an_operation_that_two_files_have_is_refused(entities: Path) -> None:
    (entities / "other.yaml").write_text(ORDER.replace("name: order", "name: other"))
    result = explain("set_order")
    assert result.exit_code == 1
    assert "error[duplicate-operation]" in result.stderr


def test_another_entity_of_the_name_is_no_surprise(entities: Path) -> None:
    (entities / "other.yaml").write_text(USER.replace("set_user", "set_other"))
    result = explain("set_order")
    assert result.exit_code == 1
    assert "error[duplicate-entity]" in result.stderr


def test_the_same_is_planned_as_of_the_whole_project(entities: Path) -> None:
    alone = explain("set_order").stdout
    (entities / "other.yaml").write_text("name: [\n")
    assert explain("set_order").stdout == alone


def test_steps_and_tables_that_are_gone_through_are_found(entities: Path) -> None:
    moving = """  - name: batch_operations
    operation: move_orders
    steps:
      - name: copied
        operation_type: insert
        target_entity: order
        data_source: {table: staged}
        insert_data: {id: :item.id, label: :item.label}
"""
    (entities / "user.yaml").write_text(USER + moving)
    (entities / "order.yaml").write_text(ORDER.replace("user_id: ref(user)", "user_id: bigint"))
    (entities / "staged.yaml").write_text(
        "name: staged\nfields: {id: bigint, label: text}\nprimary_key: [id]\n"
    )
    plans_of_the_whole_and_of_what_is_needed_are_one(entities.parent)


@pytest.mark.parametrize(
    "example",
    sorted(p.parent for p in (Path(__file__).parents[3] / "examples").glob("*/specgen.yaml")),
    ids=lambda p: p.name,
)
def test_an_operation_is_planned_as_in_the_whole_project(example: Path) -> None:
    plans_of_the_whole_and_of_what_is_needed_are_one(example)


def plans_of_the_whole_and_of_what_is_needed_are_one(root: Path) -> None:
    whole = planned(load_project((), root=root).project)
    names = [item.name for entity in whole.entities for item in entity.operations]
    assert names
    for name in names:
        needed = load_needed(name, root=root)
        assert planned(needed.loaded.project).operation(name) == whole.operation(name)


def planned(project: Project | None) -> Plan:
    assert project is not None
    plan = plan_project(project).plan
    assert plan is not None
    return plan
