"""A value that no row can have, asked for by a typing error, is told before the operation finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specgen.diagnostics import Severity
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.diagnostics import Finding

SPEC = """
name: user
fields: {{id: uuid, status: "enum(new, active)", plan: text, tags: "text[]"}}
patterns:
  - name: batch_operations
    operation: purge
    operation_type: delete
    where_condition: "{condition}"
"""


def found(tmp_path: Path, condition: str) -> list[Finding]:
    (tmp_path / "user.yaml").write_text(SPEC.format(condition=condition), encoding="utf-8")
    loaded = load_project([tmp_path], root=tmp_path)
    assert loaded.project, loaded.findings
    return list(loaded.findings)


@pytest.mark.parametrize(
    "condition",
    [
        "status = 'actve'",
        "'actve' = status",
        "\\\"user\\\".status <> 'actve' OR plan IS NULL",
        "status IN ('new', 'actve')",
        "status NOT IN ('actve', :other)",
        "status = ANY(ARRAY['actve', 'new'])",
        "status IS DISTINCT FROM 'actve'",
        "plan = 'é' AND status = 'actve'",
    ],
)
def test_a_value_that_no_row_can_have_is_told(tmp_path: Path, condition: str) -> None:
    (warning,) = found(tmp_path, condition)
    assert (warning.code, warning.severity) == ("unlisted-value", Severity.WARNING)
    assert warning.message == "\"status\" is never 'actve'"
    assert warning.help == 'did you mean "active"? (allowed: new, active)'
    line = (tmp_path / "user.yaml").read_text(encoding="utf-8").splitlines()[warning.span.start.line - 1]
    assert line[warning.span.start.column - 1 : warning.span.end.column - 1] == "'actve'"


@pytest.mark.parametrize(
    "condition",
    [
        "status = 'active'",
        "status > 'b'",
        "status LIKE 'a%'",
        "plan = 'actve'",
        "status = :wanted",
        "'x' = ANY(tags)",
        "lower(status) = 'ACTIVE'",
        "EXISTS (SELECT FROM other AS o WHERE o.status = 'actve')",
    ],
)
def test_other_conditions_are_left_alone(tmp_path: Path, condition: str) -> None:
    assert found(tmp_path, condition) == []
