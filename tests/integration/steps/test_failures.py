"""Records and steps that fail: who goes on, who is skipped, and what the account says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from operations.lab import HOW, SUBMIT, Lab, counts, records

from .ways import RUN, WAYS, check, left_over, output, run, steps, work

if TYPE_CHECKING:
    from operations.conftest import OpenLab

CHAIN = """[
      {name: take_keys, select_fields: [id, w], where_condition: "w >= 0"},
      {name: raise_w, operation_type: update, update_data: {w: {sql: "w + 1"}}, output: raised,
       where_condition: "id = ANY(:keys_ids)"},
      {name: copy_rows, target_entity: twin, insert_data: {id: ":raised.id", w: ":raised.w"}, output: copies},
      {name: mark_copied, operation_type: update, update_data: {v: copied}, data_source: ":copies", match_on: [w]}]"""
SPEC = f"""
name: item
fields: {{id: integer, v: text, w: {{type: integer, check: "w <> 71"}}}}
patterns:
  - {{name: batch_operations, operation: chain, batch_size: 4, steps: {CHAIN}}}
  - {{name: batch_operations, operation: chain_stop, batch_size: 4, error_handling: stop_on_error, steps: {CHAIN}}}
  - {{name: batch_operations, operation: chain_whole, batch_size: 4, error_isolation: batch, steps: {CHAIN}}}
  - {{name: batch_operations, operation: chain_atomic, batch_size: 4, atomic: true, steps: {CHAIN}}}
  - {{name: batch_operations, operation: chain_confirmed, requires_confirmation: true, preconditions: ["count(*) < 100"],
     steps: {CHAIN}}}
  - {{name: batch_operations, operation: divided, steps: [
      {{name: take_keys, select_fields: [id], where_condition: "1 / (w - w) > 0"}},
      {{name: mark_keys, operation_type: update, update_data: {{v: no}}, where_condition: "id = ANY(:keys_ids)"}},
      {{name: mark_first, operation_type: update, update_data: {{v: yes}}, where_condition: "id = 1", depends_on: []}}]}}
  - {{name: batch_operations, operation: divided_stop, error_handling: stop_on_error, steps: [
      {{name: take_keys, select_fields: [id], where_condition: "1 / (w - w) > 0"}},
      {{name: mark_first, operation_type: update, update_data: {{v: yes}}, where_condition: "id = 1", depends_on: []}}]}}
  - {{name: batch_operations, operation: divided_first, requires_confirmation: true, steps: [
      {{name: take_keys, select_fields: [id], where_condition: "1 / (w - w) > 0"}},
      {{name: mark_first, operation_type: update, update_data: {{v: yes}}, where_condition: "id = 1"}}]}}
  - {{name: batch_operations, operation: limited, steps: [
      {{name: take_keys, select_fields: [id], where_condition: "true", max_records: 3}},
      {{name: take_all, select_fields: [id], where_condition: "true", max_records: 3, on_limit: fail, depends_on: []}},
      {{name: mark_first, operation_type: update, update_data: {{v: yes}}, where_condition: "id = 1", depends_on: []}}]}}
  - {{name: batch_operations, operation: limited_first, steps: [
      {{name: take_keys, select_fields: [id], where_condition: "true", max_records: 3}},
      {{name: mark_first, operation_type: update, update_data: {{v: yes}}, where_condition: "id = 1"}}]}}
  - {{name: batch_operations, operation: tolerant, batch_size: 2, steps: [
      {{name: raise_w, operation_type: update, update_data: {{w: 71}}, where_condition: "true", max_errors: 3}},
      {{name: mark_first, operation_type: update, update_data: {{v: yes}}, where_condition: "id = 1", depends_on: []}}]}}
  - {{name: batch_operations, operation: collected, steps: [
      {{name: raise_w, operation_type: update, update_data: {{w: {{sql: "w + 1"}}}}, where_condition: "true",
       error_handling: collect_errors}}]}}
  - {{name: batch_operations, operation: purge, batch_size: 3, steps: [
      {{name: drop_odd, operation_type: delete, where_condition: "w % 20 = 10", output: gone}},
      {{name: drop_twins, target_entity: twin, operation_type: delete, data_source: ":gone", match_on: [id]}}]}}
---
name: twin
fields: {{id: integer, w: {{type: integer, check: "w <> 41"}}, v: text}}
primary_key: [id, w]
"""
SETUP = "INSERT INTO item (w) SELECT (g - 1) * 10 FROM generate_series(1, 10) AS g;"


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC, SETUP)


@pytest.mark.parametrize("way", WAYS)
def test_a_record_that_fails_in_a_step_is_missing_in_the_next_and_nothing_else_is(lab: Lab, way: str) -> None:
    result = run(lab, "chain", way=way)
    assert steps(lab, result) == [
        ("take_keys", "completed", 10, 10, 0, 0),
        ("raise_w", "completed_with_errors", 10, 9, 0, 1),
        ("copy_rows", "completed_with_errors", 9, 8, 0, 1),
        ("mark_copied", "completed", 8, 8, 0, 0),
    ]
    assert sorted(lab.rows("SELECT step, sqlstate FROM batch_operation_errors")) == [
        ("copy_rows", "23514"),
        ("raise_w", "23514"),
    ]
    assert lab.rows("SELECT id FROM twin ORDER BY 1") == [1, 2, 3, 4, 6, 7, 9, 10]


@pytest.mark.parametrize("way", WAYS[:2])
def test_the_first_failing_record_of_any_step_ends_the_operation(lab: Lab, way: str) -> None:
    result = run(lab, "chain_stop", way=way)
    assert (result.status, counts(result)) == ("failed", (20, 14, 5, 1))
    assert steps(lab, result) == [
        ("take_keys", "completed", 10, 10, 0, 0),
        ("raise_w", "failed", 10, 4, 5, 1),
        ("copy_rows", "skipped", 0, 0, 0, 0),
        ("mark_copied", "skipped", 0, 0, 0, 0),
    ]


@pytest.mark.parametrize("way", WAYS)
def test_batches_that_are_blamed_whole_are_missing_whole_in_the_next_step(lab: Lab, way: str) -> None:
    result = run(lab, "chain_whole", way=way)
    assert steps(lab, result)[1:] == [
        ("raise_w", "completed_with_errors", 10, 6, 0, 4),
        ("copy_rows", "completed", 6, 6, 0, 0),
        ("mark_copied", "completed", 6, 6, 0, 0),
    ]


def test_all_or_nothing_over_all_steps(lab: Lab) -> None:
    before = lab.rows("SELECT * FROM item ORDER BY id")
    result = lab.run("chain_atomic")
    assert (result.status, result.processed_records) == ("failed", 0)
    assert "2 records failed, so everything was undone" in result.message
    assert sorted(lab.errors(result, "step")) == ["copy_rows", "raise_w"]
    assert lab.rows("SELECT * FROM item ORDER BY id") == before
    assert lab.rows("SELECT * FROM twin") == []


@pytest.mark.parametrize("named", [{"dry_run": True, "confirm": True}, {"dry_run": True}, {}])
def test_nothing_at_all_remains_of_what_was_only_tried(lab: Lab, named: dict[str, bool]) -> None:
    before = lab.rows("SELECT * FROM item ORDER BY id")
    result = lab.call("chain_confirmed", **named)
    assert result.status == ("dry_run" if named else "confirmation_required")
    assert result.total_records == (37 if named else 10)
    assert left_over(lab) == []
    assert lab.rows("SELECT * FROM item ORDER BY id") == before
    assert lab.rows("SELECT * FROM twin") == []


@pytest.mark.parametrize("way", WAYS)
def test_a_step_that_cannot_begin_takes_those_along_that_need_it_and_no_others(lab: Lab, way: str) -> None:
    result = run(lab, "divided", way=way)
    assert result.status == "completed_with_errors"
    assert steps(lab, result, "step, status, message") == [
        ("take_keys", "failed", "division by zero (SQLSTATE 22012)"),
        ("mark_keys", "skipped", "nothing succeeded in take_keys"),
        ("mark_first", "completed", None),
    ]
    assert "mark_keys was skipped: nothing succeeded in take_keys" in result.message


@pytest.mark.parametrize("way", WAYS[:2])
def test_where_a_failing_step_ends_the_operation_none_is_left_pending(lab: Lab, way: str) -> None:
    result = run(lab, "divided_stop", way=way)
    assert result.status == "failed"
    assert steps(lab, result, "status") == ["failed", "skipped"]
    assert result.message.count("division by zero") == 1


def test_whoever_is_to_confirm_hears_that_the_first_step_cannot_begin(lab: Lab) -> None:
    result = lab.call("divided_first")
    assert result.message == (
        "the step take_keys could not begin: division by zero (SQLSTATE 22012); nothing was changed"
    )
    assert lab.call("divided_first", confirm=True).status == "failed", "none of its steps did its work"


@pytest.mark.parametrize("way", WAYS)
def test_limits_hold_for_a_step_and_say_for_which(lab: Lab, way: str) -> None:
    result = run(lab, "limited", way=way)
    assert steps(lab, result)[0] == ("take_keys", "completed", 3, 3, 0, 0)
    assert steps(lab, result)[1] == ("take_all", "failed", 0, 0, 0, 0)
    assert "10 records match, max_records is 3" in result.message
    assert result.limit_reached


def test_the_limit_that_was_reached_is_named_when_the_last_step_has_none(lab: Lab) -> None:
    result = run(lab, "limited_first")
    assert result.message == "max_records (3) reached in the step take_keys, the rest is left"


@pytest.mark.parametrize("way", WAYS[:2])
def test_max_errors_counts_the_errors_of_its_step(lab: Lab, way: str) -> None:
    result = run(lab, "tolerant", way=way)
    assert result.status == "failed"
    assert steps(lab, result) == [
        ("raise_w", "failed", 10, 0, 6, 4),
        ("mark_first", "skipped", 0, 0, 0, 0),
    ]
    assert "max_errors allows (3)" in result.message


@pytest.mark.parametrize("way", HOW)
def test_a_step_that_collects_its_errors_has_them_in_the_result(lab: Lab, way: str) -> None:
    result = run(lab, "collected", way=way)
    assert [error["step"] for error in result.errors] == ["raise_w"]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_delete_took_away_drives_the_next_step(lab: Lab, way: str) -> None:
    lab.do("INSERT INTO twin SELECT id, 100 + g FROM item, generate_series(1, 2) AS g WHERE id > 4")
    result = run(lab, "purge", way=way)
    # Two rows of each of the three that are left; the other two of the five find none.
    assert steps(lab, result) == [
        ("drop_odd", "completed", 5, 5, 0, 0),
        ("drop_twins", "completed", 5, 3, 2, 0),
    ]
    assert output(lab, result, "drop_odd") == [{"id": n} for n in (2, 4, 6, 8, 10)]
    assert lab.rows("SELECT DISTINCT id FROM twin ORDER BY 1") == [5, 7, 9]


def test_rows_that_vanish_between_two_steps_are_skipped(lab: Lab) -> None:
    operation_id = lab.submit("chain")
    while lab.one("SELECT count(*) FROM batch_outputs") < 10:
        lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("DELETE FROM item WHERE id IN (2, 3)")
    lab.work(operation_id)
    result = lab.status(operation_id)
    check(lab, result)
    assert steps(lab, result)[1] == ("raise_w", "completed_with_errors", 10, 7, 2, 1)


def test_a_cancelled_operation_goes_on_in_the_step_it_was_at(lab: Lab) -> None:
    expected = steps(lab, run(lab, "chain", way=SUBMIT))
    lab.do("TRUNCATE item, twin RESTART IDENTITY")
    lab.do(SETUP)
    operation_id = lab.submit("chain")
    while lab.one("SELECT count(*) FROM twin") == 0:
        lab.do("SELECT batch_step(%s)", operation_id)
    for status in ("cancelled", "timed_out"):
        lab.do("SELECT batch_stop(%s, %s, 'asked to')", operation_id, status)
        lab.work(operation_id)
        result = lab.status(operation_id)
        check(lab, result)
        assert steps(lab, result, "step, status") == [
            ("take_keys", "completed"),
            ("raise_w", "completed_with_errors"),
            ("copy_rows", status),
            ("mark_copied", "pending"),
        ]
        lab.do("SELECT batch_resume(%s)", operation_id)
    lab.work(operation_id)
    check(lab, lab.status(operation_id))
    assert steps(lab, lab.status(operation_id)) == expected


TIMED = """
name: item
fields: {id: integer, w: integer}
patterns:
  - name: batch_operations
    operation: in_time
    parameters: {pause: float}
    steps:
      - {name: bump, operation_type: update, update_data: {w: {sql: "w + 1"}}, where_condition: "true", timeout: "1 second"}
      - {name: rest, function: rest, input: {seconds: ":pause"}}
  - name: batch_operations
    operation: bounded
    parameters: {pause: float}
    steps:
      - {name: bump, operation_type: update, update_data: {w: {sql: "w + 1"}}, where_condition: "true",
         statement_timeout: "500 ms"}
      - {name: rest, function: rest, input: {seconds: ":pause"}}
"""
TIMED_SETUP = """
    INSERT INTO item (w) SELECT 0 FROM generate_series(1, 5);
    CREATE FUNCTION rest(seconds double precision) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(seconds)';
"""


@pytest.mark.parametrize("operation", ["in_time", "bounded"])
def test_what_bounds_a_step_does_not_bound_the_next(lab_of: OpenLab, operation: str) -> None:
    """A runner that comes while the first step is at work reads its timeouts."""
    lab = lab_of(TIMED, TIMED_SETUP)
    operation_id = lab.submit(operation, "1.5")
    lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("SELECT batch_step(%s)", operation_id)
    work(lab, operation_id, RUN)
    result = lab.status(operation_id)
    assert (result.status, result.message) == ("completed", None)
    check(lab, result)


HANDED_IN = """
name: item
fields: {id: integer, v: text, w: {type: integer, default: 0}}
patterns:
  - name: batch_operations
    operation: put_and_mark
    steps:
      - {name: put, operation_type: insert, insert_data: {v: ":item.v"}, data_source: ":records"}
      - {name: mark, operation_type: update, update_data: {w: ":item.w"}, data_source: ":records", match_on: [v]}
"""


@pytest.mark.parametrize("how", HOW)
def test_records_with_a_field_that_no_step_reads_are_refused(lab_of: OpenLab, how: str) -> None:
    lab = lab_of(HANDED_IN)
    with pytest.raises(psycopg.Error, match='it reads no field "x"; record 2 has it') as caught:
        lab.call("put_and_mark", records({"v": "a", "w": 1}, {"v": "b", "x": 2}), how=how)
    assert caught.value.sqlstate == "P0B07"
    assert left_over(lab) == []
    result = run(lab, "put_and_mark", records({"v": "a", "w": 1}, {"v": "b"}), way=how)
    assert counts(result) == (4, 4, 0, 0)
