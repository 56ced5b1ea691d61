"""Every way a spec can be wrong: what a user reads is pinned, position, message and help."""

from __future__ import annotations

from pathlib import Path

import pytest

from specgen.plan.project import plan_project
from specgen.renderings import render_text
from specgen.spec.build import load_project

CASES = sorted((Path(__file__).parents[2] / "golden" / "errors").iterdir())


def rendered(case: Path) -> str:
    loaded = load_project([case / "entity.yaml"], root=case)

    def read_line(file: str, line: int) -> str | None:
        text = (case / file).read_bytes().decode("utf-8-sig", "replace")
        lines = text.splitlines()
        return lines[line - 1] if line <= len(lines) else None

    findings = list(loaded.findings)
    if loaded.project is not None:
        # Types are told when everything is planned.
        planned = plan_project(loaded.project)
        assert planned.plan is None
        findings += planned.findings
    return render_text(findings, read_line)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_findings_are_those_on_record(case: Path, update_golden: bool) -> None:
    expected = case / "stderr.txt"
    found = rendered(case)
    if update_golden:
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")
