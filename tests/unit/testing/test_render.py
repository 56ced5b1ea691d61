"""What a generated test file looks like, pinned; and that its bytes depend on the spec alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from specgen.plan.project import plan_project
from specgen.spec.build import load_project
from specgen.testing.render import python, render_tests

GOLDEN = Path(__file__).parents[2] / "golden" / "generated_tests"


def render() -> dict[str, str]:
    project = load_project(sorted(GOLDEN.glob("*.yaml")), root=GOLDEN).project
    assert project is not None
    plan = plan_project(project).plan
    assert plan is not None
    return {item.name: item.text for item in render_tests(plan, project)}


def test_the_file_is_as_pinned(update_golden: bool) -> None:
    files = render()
    # Not named .py: it is text to compare, not tests to collect.
    for name, text in files.items():
        expected = GOLDEN / f"{name}.expected"
        if update_golden:
            expected.write_text(text)
        assert text == expected.read_text()
    assert {f"{name}.expected" for name in files} == {path.name for path in GOLDEN.glob("*.expected")}


def test_a_step_and_an_operation_of_one_name_have_tests_of_their_own(tmp_path: Path) -> None:
    entities = tmp_path / "entities"
    entities.mkdir()
    (entities / "thing.yaml").write_text(
        "name: thing\nfields: {id: integer, done: boolean}\npatterns:\n"
        "  - {name: batch_operations, operation: mark, steps: [{name: all,"
        " operation_type: update, update_data: {done: true}, where_condition: 'true'}]}\n"
        "  - {name: batch_operations, operation: mark-all, data_source: {table: old}, insert_data: {id: :item.id}}\n"
    )
    project = load_project([], root=tmp_path).project
    assert project is not None
    plan = plan_project(project).plan
    assert plan is not None
    (file,) = render_tests(plan, project)
    names = [node.name for node in ast.parse(file.text).body if isinstance(node, ast.FunctionDef)]
    assert len(names) == len(set(names))


def test_tests_call_an_operation_as_its_users_do() -> None:
    for text in render().values():
        called = re.findall(r"SELECT (?:\* FROM )?public\.(\w+)\(", text)
        operations = re.findall(r"Operation\(\n    name=\"(\w+)\"", text)
        assert called
        assert set(called) <= {f"{name}{suffix}" for name in operations for suffix in ("", "_submit")}


def test_every_file_is_python_with_distinct_tests() -> None:
    for text in render().values():
        names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        assert len(names) == len(set(names))
        assert all(name.startswith("test_") for name in names)


def test_values_read_back_as_they_were() -> None:
    for value in (
        "it's",
        'say "x"',
        "a\\b",
        "line\nline",
        "both ' and \"",
        ("one",),
        {"k": ("v", None, True, 1.5)},
    ):
        assert ast.literal_eval(python(value)) == value
        assert ast.literal_eval(python([value] * 40)) == (value,) * 40
