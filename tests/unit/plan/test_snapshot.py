"""The plan as data is the same for the same plan, and says of every union which kind it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import pytest

from specgen.plan.driving import Driving
from specgen.plan.functions import quote_of
from specgen.plan.patterns import PATTERNS
from specgen.plan.project import plan_project
from specgen.plan.snapshot import snapshot_of, snapshot_text, texts_of
from specgen.plan.sqltext import hashed
from specgen.plan.writes import Call, Returning, Update, Write, kept_columns
from specgen.render.engine import template_folder
from specgen.spec import patterns
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.plan.project import Plan

SPEC = """
name: thing
fields: {id: bigint, label: text}
patterns:
  - name: batch_operations
    operation: label_things
    operation_type: update
    update_data: {label: :label}
    where_condition: "label <> '$function$'"
    max_errors: 0
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "entity.yaml").write_text(SPEC, encoding="utf-8")
    loaded = load_project((tmp_path / "entity.yaml",), root=tmp_path)
    assert loaded.project is not None
    planned = plan_project(loaded.project).plan
    assert planned is not None
    return planned


def test_a_plan_is_written_the_same_twice_and_read_as_json(plan: Plan) -> None:
    text = snapshot_text(plan)
    assert text == snapshot_text(plan)
    (entity,) = json.loads(text)["entities"]
    (operation,) = entity["operations"]
    (step,) = operation["steps"]
    assert (operation["name"], step["name"], step["number"]) == ("label_things", "update", 1)
    assert (step["driving"]["kind"], step["write"]["kind"]) == ("rows", "update")


def test_a_zero_that_the_spec_says_is_not_left_out_of_the_plan(plan: Plan) -> None:
    assert snapshot_of(plan.operation("label_things"))["settings"]["max_errors"] == 0


def test_what_a_value_has_not_is_left_out() -> None:
    assert snapshot_of(Update((), None)) == {"kind": "update"}
    assert snapshot_of(Returning(("id",), ("id",))) == {"columns": ["id"], "told": ["id"]}


def test_what_is_no_part_of_a_plan_is_refused() -> None:
    with pytest.raises(TypeError, match="a plan holds no object"):
        snapshot_of({"it": object()})


def test_every_kind_of_a_union_has_a_template_of_its_name() -> None:
    folder = template_folder() / "steps"
    for union, part in ((Driving, "driving"), (Write, "write")):
        kinds = {item.kind for item in get_args(union)}
        assert {path.name.removesuffix(".sql.j2") for path in (folder / part).glob("*.j2")} == kinds


def test_no_text_of_a_body_ends_its_quotes(plan: Plan) -> None:
    assert quote_of(["a = 1"]) == "$function$"
    assert quote_of(["a = '$function'", "$function_$"]) == "$function__$"
    step = plan.operation("label_things").steps[0]
    assert not any(step.body.quote in text for text in texts_of((step.condition, step.driving, step.write)))


def test_a_function_whose_results_are_kept_names_none_of_their_columns() -> None:
    assert kept_columns(Call("f", (), collected=False, kept=True, origin="")) == ()
    assert kept_columns(Call("f", (), collected=False, kept=False, origin="")) is None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("id = ANY(p_ids)", "id = ANY(SELECT unnest(p_ids))"),
        ("id = any ( p_ids )", "id = any ( SELECT unnest(p_ids) )"),
        ("é = 'ANY(p_ids)' AND id = ANY(p_ids)", "é = 'ANY(p_ids)' AND id = ANY(SELECT unnest(p_ids))"),
        ("id <> ALL(p_ids) OR id = ANY(p_ids[1:2])", "id <> ALL(p_ids) OR id = ANY(p_ids[1:2])"),
        ("id = ANY(p_others)", "id = ANY(p_others)"),
    ],
)
def test_a_list_that_an_earlier_step_yields_is_looked_up_in_a_hash(sql: str, expected: str) -> None:
    assert hashed(sql, {"p_ids"}) == expected


def test_every_pattern_of_the_language_can_be_planned_and_has_its_template() -> None:
    assert PATTERNS.keys() == patterns.SCHEMAS.keys()
    for pattern in PATTERNS.values():
        assert (template_folder() / pattern.template).is_file()
