"""Two processes render what one does; a template of the project's own is checked like ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from specgen.plan.project import plan_project
from specgen.render import checked
from specgen.render.checked import TemplateFailed, render_checked
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from specgen.plan.project import Plan

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def plan() -> Plan:
    loaded = load_project((), root=ROOT)
    assert loaded.project is not None
    planned = plan_project(loaded.project).plan
    assert planned is not None
    return planned


def test_two_processes_render_the_same(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    one = checked._one(plan, None)
    # Threads of the test runner make Python warn of a fork; this one only renders.
    monkeypatch.setattr("threading._active", {0: None}, raising=False)
    assert checked._two(plan, None) == one


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_broken_half_is_told_by_the_first_process(plan: Plan, tmp_path: Path) -> None:
    broken_for = plan.entities[-1].name
    (tmp_path / "entity").mkdir()
    (tmp_path / "entity" / "entity.sql.j2").write_text(
        f"{{% if entity.name == '{broken_for}' %}}{{{{ 1 / 0 }}}}{{% endif %}}SELECT 1;\n"
    )
    with pytest.raises(TemplateFailed, match=r"entity\.sql\.j2:1: ZeroDivisionError"):
        checked._two(plan, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n{% if %}", r"entity\.sql\.j2:2: TemplateSyntaxError"),
        ("one\ntwo {{ entity.nme }}", r"entity\.sql\.j2:2: UndefinedError"),
        ('{% include "gone.j2" %}', r"gone\.j2: TemplateNotFound"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(plan: Plan, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "entity").mkdir()
    (tmp_path / "entity" / "entity.sql.j2").write_text(text)
    with pytest.raises(TemplateFailed, match=message):
        render_checked(plan, shadow=tmp_path)


def test_a_template_of_the_projects_own_is_checked(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "entity").mkdir()
    (tmp_path / "entity" / "entity.sql.j2").write_text("CREATE TABEL {{ entity.name | ident }} ();\n")
    findings = render_checked(plan, shadow=tmp_path).findings
    assert {item.code for item in findings} == {"broken-sql"}
    assert len(findings) == len(plan.entities)
