"""How an operation ends where several ends meet, and how it goes on after one that was not its last."""

from __future__ import annotations

import threading

import psycopg
import pytest
from gates import PATIENCE, holding, is_blocked, wait_until

from .lab import HOW, Lab, audited, counts, entity

SPEC = entity(
    "name: item\nfields: {id: integer, qty: {type: integer, check: qty < 100}}",
    'operation: raise_all, operation_type: update, update_data: {qty: {sql: "qty + :by"}}, batch_size: 10, '
    'where_condition: "id > 0", parameters: {by: integer}, error_handling: stop_on_error',
    'operation: raise_keys, operation_type: update, update_data: {qty: {sql: "qty + 1"}}, batch_size: 5, '
    'where_condition: "id = ANY(:ids) AND qty <> 50", error_isolation: batch',
    'operation: raise_rows, operation_type: update, update_data: {qty: {sql: "qty + 1"}}, batch_size: 5, '
    'where_condition: "id > 0", error_isolation: batch',
)
SETUP = f"INSERT INTO item SELECT n, 1 FROM generate_series(1, 40) AS n; {audited('item')}"


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, SETUP)


def stopped_beside(lab: Lab, operation_id: object, status: str) -> None:
    """Ask the operation to end while a worker is at the batch that will end it."""
    worker = lab.connect()
    thread = threading.Thread(target=lambda: worker.execute("SELECT batch_step(%s)", [operation_id]))
    with holding(lab.dsn, "SELECT FROM item WHERE id = 3 FOR UPDATE"):
        thread.start()
        wait_until(lambda: is_blocked(lab.connection, worker))
        lab.do("SELECT batch_stop(%s, %s, 'enough')", operation_id, status)
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("first", ["timed_out", "cancelled"])
def test_a_failure_that_comes_with_the_end_of_the_time_is_what_the_operation_ended_with(
    lab: Lab, first: str
) -> None:
    lab.do("UPDATE item SET qty = 99 WHERE id = 5; DELETE FROM audit")
    operation_id = lab.submit("raise_all", "1")
    lab.do("SELECT batch_step(%s)", operation_id)  # it begins
    stopped_beside(lab, operation_id, first)
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    assert (result.status, counts(result)) == ("failed", (40, 0, 39, 1))
    assert lab.errors(result) == [({"id": 5}, "23514")]
    with pytest.raises(psycopg.Error, match="has failed"):
        lab.do("SELECT batch_resume(%s)", operation_id)


def test_a_limit_of_errors_that_is_passed_with_the_end_of_the_time_is_not_forgotten(lab: Lab) -> None:
    lab.do("UPDATE item SET qty = 99 WHERE id IN (5, 6); DELETE FROM audit")
    operation_id = lab.submit(
        "raise_all", '1, options => \'{"error_handling": "continue_on_error", "max_errors": 1}\''
    )
    lab.do("SELECT batch_step(%s)", operation_id)
    stopped_beside(lab, operation_id, "timed_out")
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    assert (result.status, counts(result)) == ("failed", (40, 8, 30, 2))


@pytest.mark.parametrize("mended", [True, False])
def test_a_range_that_stopped_is_gone_on_with_as_if_its_batch_had_not_been_tried(
    lab: Lab, mended: bool
) -> None:
    lab.do("UPDATE item SET qty = 99 WHERE id = 5; DELETE FROM audit")
    operation_id = lab.submit("raise_all", "1")
    lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("UPDATE batch_operations SET stop_status = 'cancelled'")  # by hand, whatever the reason
    lab.work(operation_id)
    assert lab.status(operation_id).status == "cancelled"
    if mended:
        lab.do("UPDATE item SET qty = 1 WHERE id = 5; DELETE FROM audit")
    lab.do("SELECT batch_resume(%s)", operation_id)
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    if mended:
        assert (result.status, counts(result)) == ("completed", (40, 40, 0, 0))
        assert lab.errors(result) == []
        assert lab.rows("SELECT DISTINCT qty FROM item") == [2]
    else:
        assert (result.status, counts(result)) == ("failed", (40, 0, 39, 1))
        assert lab.errors(result) == [({"id": 5}, "23514")], "the record is named once"


@pytest.mark.parametrize("how", HOW)
def test_of_a_batch_that_fails_whole_keys_that_no_row_has_are_skipped(lab: Lab, how: str) -> None:
    lab.do("UPDATE item SET qty = 99 WHERE id = 1; UPDATE item SET qty = 50 WHERE id = 2; DELETE FROM audit")
    result = lab.run("raise_keys", [1, 2, 101, 102, 103], how=how)
    assert counts(result) == (5, 0, 4, 1)
    assert lab.errors(result, "failed_records, sqlstate") == [([{"id": 1, "qty": 99}], "23514")]


@pytest.mark.parametrize("how", HOW)
def test_of_a_batch_of_rows_that_fails_whole_each_row_is_named(lab: Lab, how: str) -> None:
    lab.do("UPDATE item SET qty = 99 WHERE id = 7; DELETE FROM audit")
    result = lab.run("raise_rows", how=how)
    assert counts(result) == (40, 35, 0, 5)
    (named,) = lab.errors(result, "failed_records")
    assert [row["id"] for row in named] == [6, 7, 8, 9, 10]
    assert lab.errors(result, "column_name, value, record_key") == [("qty", None, None)], (
        "no row's in particular"
    )


@pytest.mark.parametrize("how", HOW)
def test_a_batch_that_fails_without_any_of_its_rows_being_there_is_still_told(lab: Lab, how: str) -> None:
    lab.do(
        "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;"
        " CREATE TRIGGER never BEFORE UPDATE ON item EXECUTE FUNCTION never()"
    )
    result = lab.call("raise_keys", [101, 102], how=how)
    assert counts(result) == (2, 0, 0, 2)
    assert lab.errors(result, "sqlstate") == ["P0001"]


@pytest.mark.parametrize(
    ("first", "second"), [("failed", "timed_out"), ("failed", "cancelled"), ("cancelled", "timed_out")]
)
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_reasons_to_end_the_one_that_says_more_counts(
    lab: Lab, first: str, second: str, order: int
) -> None:
    operation_id = lab.submit("raise_all", "1")
    for status in (first, second)[::order]:
        lab.do("SELECT batch_stop(%s, %s, 'enough')", operation_id, status)
    assert lab.one("SELECT stop_status FROM batch_operations") == first
