"""One blank too many or too few: the line is named, and the column in which it can begin."""

from __future__ import annotations

import pytest

from specgen.diagnostics import Findings
from specgen.spec.source import parse_documents

RIGHT = """\
name: user
fields:
  id: bigint
  qty: integer
patterns:
  - name: batch_operations
    operation: op
    operation_type: update
    update_data:
      qty: 1
      id: 2
    where_condition: "qty = 2"
  - name: batch_operations
    operation: other
"""
LINES = RIGHT.splitlines()


@pytest.mark.parametrize("blanks", [1, -1])
@pytest.mark.parametrize("number", range(2, len(LINES) + 1))
def test_a_line_that_begins_where_none_can_is_told_where_it_can(number: int, blanks: int) -> None:
    lines = list(LINES)
    if blanks < 0 and not lines[number - 1].startswith(" "):
        pytest.skip("it begins at the left")
    lines[number - 1] = f" {lines[number - 1]}" if blanks > 0 else lines[number - 1][1:]
    findings = Findings()
    documents = parse_documents("\n".join(lines).encode(), "a.yaml", findings)
    if documents:
        return  # one blank more or less may say something else, which is then judged as what it says
    (found,) = findings.items
    assert "and nothing that it could belong to does" in found.message
    assert found.span.start.line in (number, number + 1)
    assert found.help is not None
    assert found.help.startswith("begin it in column ")
    wrong = lines[found.span.start.line - 1]
    assert f"begins in column {len(wrong) - len(wrong.lstrip()) + 1}," in found.message
    if found.span.start.line == number:
        # Where it was is among what is said.
        assert f"column {len(LINES[number - 1]) - len(LINES[number - 1].lstrip()) + 1}, as line" in found.help


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("description: a: b", 'a text that holds ": " needs quotes'),
        ('where_condition: "qty" = 2', "what begins with a quote ends with it"),
        ("where_condition: %(qty)s = 2", "a parameter is written :qty"),
        ("description:text\nfields: {}", "in line 1 a blank is missing behind the colon: description: text"),
    ],
)
def test_what_is_wrong_in_a_line_is_not_called_its_indentation(line: str, help: str) -> None:
    findings = Findings()
    parse_documents(line.encode(), "a.yaml", findings)
    (found,) = findings.items
    assert help in (found.help or "")
