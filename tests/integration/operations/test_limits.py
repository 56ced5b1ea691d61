"""Limits, switches and options: what stops an operation, what refuses it, and what it then says."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from .lab import CALL, HOW, SUBMIT, Lab, audited, counts, entity, records

UPDATE = "operation_type: update, batch_size: 10, update_data: {amount: {sql: amount - 10}}"
RECORDS = "operation_type: update, batch_size: 10, update_data: {amount: :item.amount}, data_source: :records"
ROWS = 'where_condition: "id <= :most"'
SPEC = entity(
    'name: thing\nfields: {id: integer, amount: {type: integer, check: "amount >= 0"}}',
    f"operation: walk, {UPDATE}, {ROWS}",
    f'operation: pick, {UPDATE}, where_condition: "id = ANY(:ids)"',
    f"operation: change, {RECORDS}",
    f"operation: walk_few, {UPDATE}, {ROWS}, max_records: 25, on_limit: fail",
    f"operation: walk_all, {UPDATE}, {ROWS}, atomic: true",
    f"operation: walk_asked, {UPDATE}, {ROWS}, requires_confirmation: true",
    f"operation: walk_alone, {UPDATE}, {ROWS}, parallel_runs: exclusive",
    f'operation: walk_if, {UPDATE}, {ROWS}, preconditions: ["count(*) > 50", ":flag", "1 / :by > 0"], '
    "parameters: {flag: boolean, by: integer}",
    f"operation: walk_slowly, {UPDATE}, {ROWS}, timeout: 1 second, parameters: {{most: integer}}",
    f"operation: walk_told, {UPDATE}, {ROWS}, logging_level: detailed, collect_metrics: true",
    f"operation: walk_quiet, {UPDATE}, {ROWS}, logging_level: none",
    f"operation: walk_logged, {UPDATE}, {ROWS}, logging_level: detailed, log_table: my_log, "
    "collect_metrics: true, metrics_table: my_metrics",
)
SETUP = f"""
    INSERT INTO thing (id, amount) SELECT n, 100 FROM generate_series(1, 300) AS n;
    {audited("thing")}
"""


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, SETUP)


def arguments(operation: str, most: int) -> list[Any]:
    ids = list(range(1, most + 1))
    given = {"pick": [ids], "change": [records(*({"id": key, "amount": 1} for key in ids))]}
    return given.get(operation, [most])


def fail(lab: Lab, *ids: int) -> None:
    lab.do("UPDATE thing SET amount = 5 WHERE id = ANY(%s); ", list(ids))
    lab.do("DELETE FROM audit")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["walk", "pick", "change"])
def test_no_more_than_max_records_are_touched(lab: Lab, operation: str, how: str) -> None:
    result = lab.run(operation, *arguments(operation, 100), how=how, max_records=25)
    assert (result.status, result.limit_reached, counts(result)) == ("completed", True, (25, 25, 0, 0))
    assert sorted(map(int, lab.written())) == list(range(1, 26))
    assert "max_records (25)" in result.message


@pytest.mark.parametrize("how", HOW)
def test_too_many_records_are_refused_before_any_is_touched(lab: Lab, how: str) -> None:
    assert counts(lab.run("walk_few", 25, how=how)) == (25, 25, 0, 0)
    with pytest.raises(psycopg.Error, match="26 records match, max_records is 25") as caught:
        lab.run("walk_few", 26, how=how)
    assert caught.value.sqlstate == "P0B02"
    assert len(lab.written()) == 25


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["walk", "pick"])
def test_past_max_errors_no_further_batch_is_tried(lab: Lab, operation: str, how: str) -> None:
    fail(lab, 3, 14, 15, 26, 37)
    result = lab.run(operation, *arguments(operation, 50), how=how, max_errors=2)
    assert (result.status, counts(result)) == ("failed", (50, 17, 30, 3))
    assert "more than max_errors allows (2)" in result.message
    assert (
        lab.run(operation, *arguments(operation, 50), how=how, max_errors=5).status == "completed_with_errors"
    )


@pytest.mark.parametrize("how", HOW)
def test_a_percentage_is_judged_after_a_hundred_records(lab: Lab, how: str) -> None:
    fail(lab, *range(1, 11))
    result = lab.run("walk", 200, how=how, max_errors="9%")
    assert (result.status, counts(result)) == ("failed", (200, 90, 100, 10))
    lab.do("UPDATE thing SET amount = 100 WHERE id > 10")
    assert lab.run("walk", 200, how=how, max_errors="10%").status == "completed_with_errors"
    lab.do("UPDATE thing SET amount = 100 WHERE id > 10")
    assert lab.run("walk", 90, how=how, max_errors="1%").status == "completed_with_errors"


def test_an_atomic_operation_undoes_everything_and_keeps_the_account(lab: Lab) -> None:
    fail(lab, 3, 44)
    result = lab.run("walk_all", 50)
    assert (result.status, counts(result)) == ("failed", (50, 0, 48, 2))
    assert [key["id"] for key in lab.errors(result, "record_key")] == [3, 44]
    assert lab.written() == []
    assert "2 records failed, so everything was undone" in result.message
    lab.do("UPDATE thing SET amount = 100")
    lab.do("DELETE FROM audit")
    assert counts(lab.run("walk_all", 50)) == (50, 50, 0, 0)
    assert len(lab.written()) == 50


def test_an_atomic_operation_that_is_late_says_so(lab: Lab) -> None:
    result = lab.run("walk_all", 50, timeout="0 seconds")
    assert (result.status, counts(result)) == ("timed_out", (50, 0, 50, 0))
    assert lab.written() == []
    assert "0 records failed" not in result.message


def test_nothing_happens_unconfirmed(lab: Lab) -> None:
    asked = lab.call("walk_asked", 50)
    assert (asked.status, asked.total_records) == ("confirmation_required", 50)
    with pytest.raises(psycopg.Error, match="50 records") as caught:
        lab.call("walk_asked", 50, how=SUBMIT)
    assert caught.value.sqlstate == "P0B04"
    assert lab.call("walk_asked", 50, confirm=None).status == "confirmation_required"
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]
    assert lab.written() == []
    assert lab.call("walk_asked", 50, dry_run=True).status == "dry_run"
    assert counts(lab.run("walk_asked", 50, confirm=True)) == (50, 50, 0, 0)
    assert counts(lab.run("walk_asked", 50, how=SUBMIT, confirm=True)) == (50, 50, 0, 0)


def test_a_switch_that_is_null_changes_nothing(lab: Lab) -> None:
    assert lab.call("walk", 50, dry_run=None).status == "dry_run"
    assert lab.written() == []


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("flag", "state"), [(False, "P0B01"), (None, "P0B01")])
def test_a_precondition_that_is_not_true_refuses(lab: Lab, flag: Any, state: str, how: str) -> None:
    with pytest.raises(psycopg.Error, match="precondition not met: :flag") as caught:
        lab.run("walk_if", flag, 1, 10, how=how)
    assert caught.value.sqlstate == state
    with pytest.raises(psycopg.errors.DivisionByZero):
        lab.run("walk_if", True, 0, 10, how=how)
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]
    assert counts(lab.run("walk_if", True, 1, 10, how=how)) == (10, 10, 0, 0)
    lab.do("DELETE FROM thing WHERE id > 50")
    with pytest.raises(psycopg.Error, match="count"):
        lab.run("walk_if", True, 1, 10, how=how)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"batch_sise": 5}, 'unknown option "batch_sise"'),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": "many"}, "batch_size"),
        ({"batch_size": None}, "batch_size"),
        ({"batch_size": 1.5}, "batch_size"),
        ({"batch_size": 10**7}, "batch_size"),
        ({"max_records": -1}, "max_records"),
        ({"max_errors": "5 percent"}, "max_errors"),
        ({"max_errors": -1}, "max_errors"),
        ({"max_errors": None}, "max_errors"),
        ({"error_handling": "ignore"}, "error_handling"),
        ({"error_handling": None}, "error_handling"),
        ({"timeout": "soon"}, "soon"),
        ({"priority": "high"}, "priority"),
    ],
)
def test_a_wrong_option_is_refused_by_name(lab: Lab, option: dict[str, Any], message: str) -> None:
    with pytest.raises(psycopg.DataError, match=message):
        lab.run("walk", 10, **option)
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]


@pytest.mark.parametrize("options", ["5", '"x"', "[]"])
def test_options_are_an_object(lab: Lab, options: str) -> None:
    with pytest.raises(psycopg.DataError, match="options must be a JSON object"):
        lab.do("SELECT walk(10, options => %s)", options)
    lab.do("SELECT walk(10, options => NULL)")
    assert len(lab.written()) == 10


@pytest.mark.parametrize("how", HOW)
def test_priority_context_and_parameters_are_kept(lab: Lab, how: str) -> None:
    lab.run("walk", 10, how=how, priority=7, context={"ticket": "A-1"})
    kept = lab.one("SELECT priority, context, parameters, requested_by, entity FROM batch_operations")
    assert kept == (7, {"ticket": "A-1"}, {"most": 10}, "postgres", "thing")


@pytest.mark.parametrize("how", HOW)
def test_what_is_asked_twice_under_one_key_happens_once(lab: Lab, how: str) -> None:
    fail(lab, 3)
    tried = lab.call("walk", 10, how=CALL, dry_run=True, idempotency_key="k")
    assert tried.status == "dry_run"
    first = lab.run("walk", 10, how=how, idempotency_key="k")
    again = lab.run("walk", 10, how=how, idempotency_key="k")
    assert (again.operation_id, counts(again)) == (first.operation_id, (10, 9, 0, 1))
    assert len(lab.written()) == 9
    assert lab.run("pick", [1], how=how, idempotency_key="k").operation_id != first.operation_id
    assert lab.run("walk", 10, how=how, idempotency_key="l").operation_id != first.operation_id


def late_after_one_batch(lab: Lab, most: int, how: str) -> Any:
    """Run the operation with a timeout that is over when its first batch is done."""
    if how == CALL:
        return lab.run("walk", most, how=how, timeout="0 seconds")
    operation_id = lab.submit("walk", "%s, options => %s", [most, '{"timeout": "1 hour"}'])
    lab.do("SELECT batch_step(%s)", operation_id)  # begins
    lab.do("SELECT batch_step(%s)", operation_id)
    assert lab.one("SELECT deadline - started_at >= '1 hour' FROM batch_operations")
    lab.do("UPDATE batch_operations SET deadline = clock_timestamp() - interval '1 second'")
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    return result


@pytest.mark.parametrize("how", HOW)
def test_a_timeout_ends_between_batches_and_what_is_done_stays(lab: Lab, how: str) -> None:
    result = late_after_one_batch(lab, 30, how)
    assert (result.status, counts(result)) == ("timed_out", (30, 10, 20, 0))
    assert len(lab.written()) == 10
    if how == SUBMIT:
        lab.do("SELECT batch_resume(%s)", result.operation_id)
        lab.work(result.operation_id)
        resumed = lab.status(result.operation_id)
        lab.check(resumed)
        assert (resumed.status, counts(resumed)) == ("completed", (30, 30, 0, 0))
        assert len(lab.written()) == 30
    else:
        with pytest.raises(psycopg.Error, match="cannot be resumed"):
            lab.do("SELECT batch_resume(%s)", result.operation_id)


@pytest.mark.parametrize("how", HOW)
def test_what_is_done_when_the_time_is_up_has_completed(lab: Lab, how: str) -> None:
    fail(lab, 3)
    result = late_after_one_batch(lab, 10, how)
    assert (result.status, counts(result)) == ("completed_with_errors", (10, 9, 0, 1))


@pytest.mark.parametrize("how", HOW)
def test_logs_and_metrics_tell_what_happened(lab: Lab, how: str) -> None:
    fail(lab, 13)
    log = "SELECT batch_number, records_processed, records_skipped, records_failed, status FROM {} ORDER BY 1"
    quiet = lab.run("walk_quiet", 30, how=how)
    basic = lab.run("walk", 30, how=how)
    assert lab.rows(
        "SELECT count(*) FROM batch_operation_logs WHERE operation_id = %s", quiet.operation_id
    ) == [0]
    assert lab.rows(log.format("batch_operation_logs")) == [
        (2, 9, 0, 1, "completed_with_errors"), (None, 29, 0, 1, "completed_with_errors"),
    ]  # fmt: skip
    assert basic.batch_count == 3
    lab.do("DELETE FROM batch_operation_logs")
    told = lab.run("walk_told", 30, how=how)
    assert lab.rows(log.format("batch_operation_logs")) == [
        (1, 10, 0, 0, "completed"), (2, 9, 0, 1, "completed_with_errors"), (3, 10, 0, 0, "completed"),
        (None, 29, 0, 1, "completed_with_errors"),
    ]  # fmt: skip
    metrics = dict(lab.rows("SELECT metric_name, metric_value::float FROM batch_performance_metrics"))
    assert metrics["errors"] == 1
    assert metrics["retries"] == 0
    assert 0 < metrics["batch_duration_p50_seconds"] <= metrics["batch_duration_p95_seconds"]
    assert metrics["batch_duration_p95_seconds"] <= metrics["batch_duration_max_seconds"]
    assert metrics["batch_duration_max_seconds"] < metrics["duration_seconds"] + 0.001
    assert metrics["records_per_second"] == pytest.approx(29 / metrics["duration_seconds"], rel=0.01)
    assert (told.completed_at - told.started_at).total_seconds() == pytest.approx(
        metrics["duration_seconds"], abs=1e-5
    )


@pytest.mark.parametrize("how", HOW)
def test_logs_and_metrics_go_where_the_spec_says(lab: Lab, how: str) -> None:
    lab.run("walk_logged", 30, how=how)
    assert lab.rows("SELECT count(*) FROM my_log") == [4]
    assert lab.rows("SELECT count(*) > 4 FROM my_metrics") == [True]
    assert lab.rows("SELECT count(*) FROM batch_operation_logs") == [0]
    assert lab.rows("SELECT count(*) FROM batch_performance_metrics") == [0]


def test_of_two_exclusive_operations_the_second_is_refused(lab: Lab) -> None:
    first = lab.submit("walk_alone", "10")
    with pytest.raises(psycopg.Error, match=f"already running as {first}") as caught:
        lab.run("walk_alone", 10)
    assert caught.value.sqlstate == "P0B03"
    lab.work(first)
    other = lab.connect()
    with other.transaction():
        other.execute("SELECT walk_alone(10)")
        with pytest.raises(psycopg.Error, match="already running") as caught:
            lab.connection.execute("SET lock_timeout = '5s'")
            lab.run("walk_alone", 10)
        assert caught.value.sqlstate == "P0B03"
    assert counts(lab.run("walk_alone", 10)) == (10, 10, 0, 0)


def test_an_exclusive_operation_is_not_resumed_beside_another_run(lab: Lab) -> None:
    first = lab.submit("walk_alone", "30")
    lab.do("SELECT batch_stop(%s, 'cancelled', 'enough for today')", first)
    lab.work(first)
    second = lab.submit("walk_alone", "30")
    with pytest.raises(psycopg.Error, match=f"already running as {second}") as caught:
        lab.do("SELECT batch_resume(%s)", first)
    assert caught.value.sqlstate == "P0B03"
    assert lab.status(first).status == "cancelled"
    lab.work(second)
    assert lab.rows("SELECT batch_resume(%s)", first) == ["running"]
    assert lab.rows("SELECT batch_resume(%s)", first) == ["running"]
