"""What keeps an operation of several steps from beginning, from running twice, and from running on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from operations.lab import CALL, HOW, SUBMIT, Lab

from .ways import WAYS, check, left_over, run, steps

if TYPE_CHECKING:
    from operations.conftest import OpenLab

CHAIN = """[
      {name: take_keys, select_fields: [id], where_condition: "w >= 0", batch_size: 2},
      {name: raise_w, operation_type: update, update_data: {w: {sql: "w + 1"}}, where_condition: "id = ANY(:keys_ids)"}]"""
SPEC = f"""
name: item
fields: {{id: integer, w: {{type: integer, check: "w < 250"}}}}
patterns:
  - {{name: batch_operations, operation: guarded, preconditions: ["count(*) < :most"], steps: {CHAIN}}}
  - {{name: batch_operations, operation: alone, parallel_runs: exclusive, steps: {CHAIN}}}
  - {{name: batch_operations, operation: timed, timeout: "1 hour", steps: {CHAIN}}}
  - {{name: batch_operations, operation: telling, progress_tracking: true, steps: {CHAIN}}}
  - name: batch_operations
    operation: emptied
    steps:
      - {{name: take_keys, select_fields: [id], where_condition: "w >= 0"}}
      - {{name: drop, operation_type: delete, where_condition: "w < 0", depends_on: []}}
  - {{name: batch_operations, operation: percent, max_errors: "10%", batch_size: 50, steps: {CHAIN}}}
"""
SETUP = "INSERT INTO item (w) SELECT g FROM generate_series(0, 249) AS g;"


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC, SETUP)


@pytest.mark.parametrize("how", HOW)
def test_a_precondition_that_does_not_hold_lets_no_step_begin(lab: Lab, how: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        lab.call("guarded", 10, how=how)
    assert caught.value.sqlstate == "P0B01"
    lab.connection.rollback()
    assert left_over(lab) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_precondition_that_holds_is_asked_once_before_the_first_step(lab: Lab, way: str) -> None:
    assert run(lab, "guarded", 251, way=way).processed_records == 499


def test_a_second_run_is_refused_while_one_is_between_its_steps(lab: Lab) -> None:
    first = lab.submit("alone")
    while lab.one("SELECT step_number FROM batch_operations") < 2:
        lab.do("SELECT batch_step(%s)", first)
    with pytest.raises(psycopg.Error, match=str(first)) as caught:
        lab.submit("alone")
    assert caught.value.sqlstate == "P0B03"
    lab.connection.rollback()
    lab.work(first)
    assert run(lab, "alone", way=SUBMIT).status == "completed_with_errors"


@pytest.mark.parametrize("how", HOW)
def test_an_idempotency_key_that_comes_again_runs_no_step_again(lab: Lab, how: str) -> None:
    first = lab.call("timed", how=how, idempotency_key="monday")
    again = lab.call("timed", how=how, idempotency_key="monday")
    assert again.operation_id == first.operation_id
    assert lab.one("SELECT count(*) FROM batch_steps") == 2
    assert lab.one("SELECT sum(w) FROM item") == sum(range(1, 250)) + 249


def test_an_operation_whose_time_is_up_goes_on_in_the_step_it_was_at(lab: Lab) -> None:
    operation_id = lab.submit("timed")
    while lab.one("SELECT step_number FROM batch_operations") < 2:
        lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("UPDATE batch_operations SET deadline = clock_timestamp() - interval '1 second'")
    lab.work(operation_id)
    stopped = lab.status(operation_id)
    assert stopped.status == "timed_out"
    check(lab, stopped)
    lab.do("SELECT batch_resume(%s)", operation_id)
    lab.work(operation_id)
    check(lab, lab.status(operation_id))
    assert steps(lab, lab.status(operation_id)) == [
        ("take_keys", "completed", 250, 250, 0, 0),
        ("raise_w", "completed_with_errors", 250, 249, 0, 1),
    ]


def test_a_call_whose_time_is_up_begins_no_further_step(lab: Lab) -> None:
    stopped = lab.call("timed", timeout="0 seconds", batch_size=1000)
    assert stopped.status == "timed_out"
    assert steps(lab, stopped) == [
        ("take_keys", "completed", 250, 250, 0, 0),
        ("raise_w", "pending", 0, 0, 0, 0),
    ]


@pytest.mark.parametrize("how", HOW)
def test_a_step_without_records_is_not_told_with_those_before_it(lab: Lab, how: str) -> None:
    result = lab.call("emptied", how=how)
    assert steps(lab, result) == [
        ("take_keys", "completed", 250, 250, 0, 0),
        ("drop", "completed", 0, 0, 0, 0),
    ]


def test_the_progress_of_a_call_names_each_step(lab: Lab) -> None:
    told: list[str] = []
    lab.connection.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
    lab.call("telling", batch_size=125)
    assert told == [
        "telling, take_keys: 125 of 250 records",
        "telling, take_keys: 250 of 250 records",
        "telling, raise_w: 375 of 500 records",
        "telling, raise_w: 500 of 500 records",
    ]


@pytest.mark.parametrize("how", [CALL, SUBMIT])
def test_a_percentage_of_errors_is_one_of_the_steps_records(lab: Lab, how: str) -> None:
    lab.do(
        "ALTER TABLE item DROP CONSTRAINT item_w_check, ADD CONSTRAINT item_w_check CHECK (w % 5 > 0) NOT VALID"
    )
    result = run(lab, "percent", way=how)
    assert result.status == "failed"
    assert "max_errors allows (10" in result.message
    name, status, total, processed, _, failed = steps(lab, result)[1]
    assert (name, status, total) == ("raise_w", "failed", 250)
    assert processed + failed < total, "the rest is not tried"
