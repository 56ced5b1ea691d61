"""What is deleted behind a step that was to keep it, and could not: nobody walks into that unwarned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specgen.diagnostics import Severity
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.diagnostics import Finding

SPEC = """
name: booking
fields: {{id: bigint, room: integer, status: text, ends_on: date}}
patterns:
  - name: batch_operations
    operation: tidy
    steps:
      - {{name: find_old, select_fields: [id, room], where_condition: "status = 'open'"}}
{steps}
---
name: kept
fields: {{id: bigint, booking_id: {{type: bigint, unique: true}}, room: integer}}
---
name: extra
fields: {{id: bigint, booking_id: bigint}}
"""
KEEP = "{name: keep_rooms, target_entity: kept, insert_data: {booking_id: :old.id, room: :old.room}%s}"
CALL = "{name: send_away, function: send_bookings, input: :old_ids}"
ADD = """{name: add_up, target_entity: kept, operation_type: update, data_source: :old, match_on: [id],
         update_data: {room: :old.room}}"""
DROP = '{name: drop_rows, operation_type: delete, where_condition: "id = ANY(%s)"%s}'
ALL = DROP % (":old_ids", "")
CLOSE = """{name: close_some, operation_type: update, update_data: {status: done}, where_condition: "id = ANY(:old_ids)"}"""
MOVE = """{name: move_some, operation_type: update, update_data: {room: 7}, where_condition: "id = ANY(:old_ids)"}"""


def found(tmp_path: Path, *steps: str) -> list[Finding]:
    lines = "\n".join(f"      - {step}" for step in steps)
    (tmp_path / "spec.yaml").write_text(SPEC.format(steps=lines), encoding="utf-8")
    loaded = load_project([tmp_path / "spec.yaml"], root=tmp_path)
    assert loaded.project, loaded.findings
    return list(loaded.findings)


@pytest.mark.parametrize(
    ("steps", "message", "help"),
    [
        (
            [KEEP % "", ALL],
            '"drop_rows" deletes what "find_old" yields, and so what fails in "keep_rooms" too',
            'read what "keep_rooms" succeeded with: :rooms_booking_ids, or let the first failure in "keep_rooms" '
            "end the operation: error_handling: stop_on_error; if all of it is meant: depends_on: []",
        ),
        ([KEEP % "", DROP % (":old_ids", ", depends_on: find_old")], 'fails in "keep_rooms"', ":rooms_booking_ids"),
        ([CALL, ALL], 'fails in "send_away" too', ":away_ids"),
        ([ADD, ALL], 'fails in "add_up" too', ":up_ids"),
        ([CALL, KEEP % ", output: copies", ALL], 'fails in "keep_rooms" too', ":copies_booking_ids"),
        (
            ["{name: keep_rooms, target_entity: kept, insert_data: {room: :old.room}}", ALL],
            'fails in "keep_rooms" too',
            "let it write id too, and read that",
        ),
        (
            [KEEP % "", "{name: drop_rows, operation_type: delete, data_source: :old}"],
            'fails in "keep_rooms" too',
            "the rows of :rooms",
        ),
        ([KEEP % "", CLOSE], '"close_some" updates what "find_old" yields', ":rooms_booking_ids"),
        (
            [KEEP % ', validation_rules: ["room > 0"], skip_invalid_rows: true, error_handling: stop_on_error', ALL],
            'what fails in or is skipped by "keep_rooms"',
            ":rooms_booking_ids; if all",
        ),
    ],
    ids=["insert", "parallel", "function", "update", "last", "no-key", "rows", "ticked-off", "invalid"],
)  # fmt: skip
def test_a_row_that_could_not_be_kept_is_not_deleted_unwarned(
    tmp_path: Path, steps: list[str], message: str, help: str
) -> None:
    warning, *others = found(tmp_path, *steps)
    assert not others
    assert (warning.code, warning.severity) == ("reads-past-failures", Severity.WARNING)
    assert warning.span.start.line > len(steps) + 6, "it stands at the delete"
    assert message in warning.message
    assert help in (warning.help or "")


@pytest.mark.parametrize(
    "steps",
    [
        [KEEP % "", DROP % (":rooms_booking_ids", "")],
        [KEEP % "", DROP % (":old_ids) AND id = ANY(:rooms_booking_ids", "")],
        [KEEP % ", error_handling: stop_on_error", ALL],
        [KEEP % ", max_errors: 0", ALL],
        [KEEP % "", DROP % (":old_ids", ", depends_on: []")],
        ['{name: drop_extra, target_entity: extra, operation_type: delete, where_condition: "booking_id = ANY(:old_ids)"}', ALL],
        [MOVE, ALL],
        ["{name: bump_some, operation_type: update, data_source: :old, update_data: {room: :old.room}}", ALL],
        [ALL, KEEP % ""],
        [KEEP % "", MOVE],
        [ALL],
    ],
    ids=["own-output", "both", "stop", "no-errors", "independent", "children", "moved", "written-back", "behind", "updated", "alone"],
)  # fmt: skip
def test_nobody_is_warned_of_a_delete_that_loses_nothing(tmp_path: Path, steps: list[str]) -> None:
    assert found(tmp_path, *steps) == []
