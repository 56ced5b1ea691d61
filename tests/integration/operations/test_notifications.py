"""Who listens to batch_progress and batch_completed hears of what is committed, once; the outbox holds it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from specgen.runtime.runner import Run

from .lab import HOW, counts, entity, records

if TYPE_CHECKING:
    from .conftest import OpenLab
    from .lab import Lab

HEAD = """
    name: job
    fields:
      id: bigint
      n: {type: integer, nullable: false, default: 0, check: "n < 100"}
"""
COUNT = (
    'operation_type: update, update_data: {n: {sql: "n + 1"}}, where_condition: "id <= :upto", batch_size: 50'
)
SPEC = entity(
    HEAD,
    f"operation: quiet, {COUNT}",
    f"operation: told, {COUNT}, notify_on_completion: true, notification_channels: [email, webhook], "
    'notification_message: "{operation} on {entity}: {processed_records}/{total_records} {{{status}}} {message}."',
    f"operation: plain, {COUNT}, notify_on_completion: true",
    f"operation: default_text, {COUNT}, notify_on_completion: true, notification_channels: [email]",
    f"operation: stepwise, {COUNT}, progress_notification_interval: 200",
    f"operation: uneven, {COUNT}, progress_notification_interval: 130",
    f"operation: every_record, {COUNT}, progress_notification_interval: 1",
    f"operation: stopping, {COUNT}, error_handling: stop_on_error, notify_on_completion: true, notification_channels: [email]",
    f"operation: hurried, {COUNT}, timeout: '1ms', notify_on_completion: true, notification_channels: [email]",
    f"operation: whole, {COUNT}, atomic: true, notify_on_completion: true, notification_channels: [email], "
    "progress_notification_interval: 100",
    f"operation: careful, {COUNT}, requires_confirmation: true, notify_on_completion: true, notification_channels: [email]",
    'operation: one_by_one, operation_type: update, update_data: {n: 1}, where_condition: "id = ANY(:ids)", '
    "batch_size: 50, progress_notification_interval: 200",
    "operation: collected, operation_type: update, update_data: {n: :item.n}, data_source: :records, "
    'error_handling: collect_errors, notify_on_completion: true, notification_channels: [email], notification_message: "{errors}"',
    f"operation: imported, {COUNT}, progress_notification_interval: 200, notify_on_completion: true, "
    "notification_channels: [email, webhook]",
    f"operation: large_data_import, {COUNT}, progress_tracking: true, progress_notification_interval: 1000, "
    "logging_level: detailed, log_table: batch_operation_logs, collect_metrics: true, "
    "metrics_table: batch_performance_metrics, notify_on_completion: true, notification_channels: [email, webhook]",
)
FILLED = "INSERT INTO job (n) SELECT 0 FROM generate_series(1, 1000)"


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC, FILLED)


class Listener:
    """A session that listens from now on."""

    def __init__(self, lab: Lab, *channels: str) -> None:
        self.connection = lab.connect()
        for channel in channels:
            self.connection.execute(f"LISTEN {channel}".encode())

    def heard(self) -> list[Any]:
        """The payloads of what has been sent so far."""
        self.connection.execute("SELECT 1")  # what is committed is delivered with the next answer
        return [json.loads(item.payload) for item in self.connection.notifies(timeout=0)]


def outbox(lab: Lab, columns: str) -> list[Any]:
    return lab.rows(f"SELECT {columns} FROM batch_outbox ORDER BY id")


def run_workers(lab: Lab, operation_id: Any, workers: int) -> None:
    run = Run(lab.dsn, "public", operation_id, "specgen test", workers)
    for _event in run.events():
        pass
    assert run.report is not None
    assert run.report.finished


def submit(lab: Lab, operation: str, *values: Any) -> Any:
    return lab.submit(operation, ", ".join(["%s"] * len(values)), values)


# The end


@pytest.mark.parametrize("how", HOW)
def test_an_end_is_told_once_to_listeners_and_to_each_channel(lab: Lab, how: str) -> None:
    listener = Listener(lab, "batch_completed")
    result = lab.run("told", 300, how=how)
    (heard,) = listener.heard()
    text = "told on job: 300/300 {completed} ."
    rows = outbox(lab, "operation_id, channel, subject, message, status, attempts, last_error, delivered_at")
    assert rows == [
        (result.operation_id, channel, "told: completed", text, "pending", 0, None, None)
        for channel in ("email", "webhook")
    ]
    assert outbox(lab, "payload") == [heard, heard]


def test_the_payloads_are_the_documented_ones(lab: Lab) -> None:
    listener = Listener(lab, "batch_completed", "batch_progress")
    told = lab.run("told", 300)
    stepwise = lab.run("stepwise", 250)
    completed, progress = listener.heard()
    assert completed == {
        "operation_id": str(told.operation_id),
        "operation": "told",
        "entity": "job",
        "status": "completed",
        "total_records": 300,
        "processed_records": 300,
        "skipped_records": 0,
        "error_count": 0,
        "batch_count": 6,
        "limit_reached": False,
        "started_at": iso(lab, told.started_at),
        "completed_at": iso(lab, told.completed_at),
        "message": None,
        "notification": "told on job: 300/300 {completed} .",
    }
    at = progress.pop("at")
    assert lab.one("SELECT %s::timestamptz BETWEEN %s AND %s", at, stepwise.started_at, stepwise.completed_at)
    assert progress == {
        "operation_id": str(stepwise.operation_id),
        "operation": "stepwise",
        "entity": "job",
        "status": "running",
        "total_records": 250,
        "done_records": 200,
        "processed_records": 200,
        "skipped_records": 0,
        "error_count": 0,
    }


def iso(lab: Lab, moment: Any) -> str:
    return lab.one("SELECT to_jsonb(%s::timestamptz) #>> '{}'", moment)


@pytest.mark.parametrize("how", HOW)
def test_without_channels_there_is_only_the_notification(lab: Lab, how: str) -> None:
    listener = Listener(lab, "batch_completed")
    lab.run("plain", 10, how=how)
    (heard,) = listener.heard()
    assert heard["notification"] == "plain: completed, 10 records = 10 processed + 0 skipped + 0 failed"
    assert outbox(lab, "id") == []


@pytest.mark.parametrize("how", HOW)
def test_who_did_not_ask_is_not_told(lab: Lab, how: str) -> None:
    listener = Listener(lab, "batch_completed", "batch_progress")
    lab.run("quiet", 1000, how=how)
    assert listener.heard() == []
    assert outbox(lab, "id") == []


def test_an_operation_with_nothing_to_do_tells_its_end_too(lab: Lab) -> None:
    for how in HOW:
        lab.run("default_text", 0, how=how)
    text = "default_text: completed, 0 records = 0 processed + 0 skipped + 0 failed"
    assert outbox(lab, "message") == [text, text]


@pytest.mark.parametrize("how", HOW)
def test_every_way_to_end_is_told_with_its_reason(lab: Lab, how: str) -> None:
    lab.do("UPDATE job SET n = 99 WHERE id = 120")
    listener = Listener(lab, "batch_completed")
    failed = lab.run("stopping", 200, how=how)
    in_part = lab.run("default_text", 200, how=how)
    timed_out = lab.run("hurried", 1000, how=how)
    assert [failed.status, in_part.status, timed_out.status] == [
        "failed",
        "completed_with_errors",
        "timed_out",
    ]
    assert [item["status"] for item in listener.heard()] == [failed.status, in_part.status, timed_out.status]
    messages = outbox(lab, "message")
    assert messages[0] == (
        "stopping: failed, 200 records = 100 processed + 99 skipped + 1 failed; stopped at the first failing "
        "record; its batch was undone; 99 records were not tried"
    )
    assert (
        messages[1]
        == "default_text: completed_with_errors, 200 records = 199 processed + 0 skipped + 1 failed"
    )
    assert messages[2].startswith("hurried: timed_out, 1000 records = ")
    assert "(timeout)" in messages[2]


def test_a_cancelled_operation_is_told(lab: Lab) -> None:
    operation_id = submit(lab, "default_text", 500)
    for _ in range(3):
        lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("SELECT batch_stop(%s, 'cancelled', 'somebody asked')", operation_id)
    lab.work(operation_id)
    (message,) = outbox(lab, "message")
    assert message == (
        "default_text: cancelled, 500 records = 100 processed + 400 skipped + 0 failed; somebody asked; "
        "400 records were not tried"
    )


def test_an_atomic_operation_that_was_undone_is_told_once_as_such(lab: Lab) -> None:
    lab.do("UPDATE job SET n = 99 WHERE id = 120")
    listener = Listener(lab, "batch_completed", "batch_progress")
    result = lab.run("whole", 200)
    assert counts(result) == (200, 0, 199, 1)
    (heard,) = listener.heard()  # progress that was undone was none
    assert (heard["status"], heard["processed_records"]) == ("failed", 0)
    assert len(outbox(lab, "id")) == 1


def test_a_dry_run_and_an_unconfirmed_call_tell_nobody(lab: Lab) -> None:
    listener = Listener(lab, "batch_completed", "batch_progress")
    assert lab.run("whole", 500, dry_run=True).status == "dry_run"
    assert lab.call("careful", 500).status == "confirmation_required"
    assert lab.run("told", 500, dry_run=True).status == "dry_run"
    assert listener.heard() == []
    assert outbox(lab, "id") == []
    lab.run("careful", 500, confirm=True)
    assert len(outbox(lab, "id")) == 1


def test_a_call_that_is_rolled_back_tells_nobody(lab: Lab) -> None:
    listener = Listener(lab, "batch_completed")
    with lab.connection.transaction(force_rollback=True):
        lab.run("told", 100)
    assert listener.heard() == []
    assert outbox(lab, "id") == []


def test_a_repeated_idempotency_key_is_no_second_end(lab: Lab) -> None:
    for _ in range(2):
        lab.run("told", 100, idempotency_key="once")
    assert outbox(lab, "channel") == ["email", "webhook"]


def test_each_end_of_a_resumed_operation_is_told(lab: Lab) -> None:
    operation_id = submit(lab, "hurried", 1000)
    lab.work(operation_id)
    lab.do("UPDATE batch_operations SET timeout = NULL")
    lab.do("SELECT batch_resume(%s)", operation_id)
    lab.work(operation_id)
    assert outbox(lab, "payload ->> 'status'") == ["timed_out", "completed"]


def test_two_workers_that_finish_at_once_tell_one_end(lab: Lab) -> None:
    for _ in range(5):
        operation_id = submit(lab, "told", 100)
        barrier = threading.Barrier(3)

        def work(operation_id: Any = operation_id, barrier: threading.Barrier = barrier) -> None:
            with psycopg.connect(lab.dsn, autocommit=True) as connection:
                barrier.wait()
                connection.execute("CALL batch_work(%s)", [operation_id])

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert lab.one("SELECT count(*) FROM batch_outbox WHERE operation_id = %s", operation_id) == 2


def test_braces_and_percents_in_values_are_left_alone(lab: Lab) -> None:
    text = lab.one(
        "SELECT batch_fill_in(%s, %s)",
        "{{{message}}} {status}{operation}}} }}{{ 100% {entity}",
        Jsonb({"message": "{status} %s {{", "status": None, "operation": "o"}),
    )
    assert text == "{{status} %s {{} o} }{ 100% "


def test_all_errors_fit_into_a_message_of_the_outbox(lab: Lab) -> None:
    lab.do("UPDATE job SET n = 0")
    items = [{"id": number, "n": 100} for number in range(1, 101)]
    listener = Listener(lab, "batch_completed")
    result = lab.run("collected", records(*items))
    assert result.error_count == 100
    (message,) = outbox(lab, "message")
    assert [item["record_key"] for item in json.loads(message)] == [{"id": n} for n in range(1, 101)]
    (heard,) = listener.heard()
    assert heard["error_count"] == 100
    assert len(heard["notification"]) == 500


def test_a_notification_fits_whatever_the_names_and_texts_are(lab_of: OpenLab) -> None:
    name = ("é" * 30 + "\x01\x02")[:31]
    spec = json.dumps(
        {
            "name": name,
            "fields": {"id": "bigint"},
            "patterns": [
                {
                    "name": "batch_operations",
                    "operation": name,
                    "operation_type": "delete",
                    "where_condition": "true",
                    "progress_notification_interval": 1,
                    "notify_on_completion": True,
                    "notification_channels": ["a b", "ü"],
                    "notification_message": "{operation}\x01\n" * 2000,
                }
            ],
        }
    )
    lab = lab_of(spec)
    lab.do(f'INSERT INTO "{name}" DEFAULT VALUES')
    listener = Listener(lab, "batch_completed", "batch_progress")
    lab.run(f'"{name}"')
    progress, completed = listener.heard()
    assert progress["operation"] == completed["operation"] == name
    assert len(completed["notification"]) == 500
    assert outbox(lab, "message") == [f"{name}\x01\n" * 2000] * 2


# Progress


def test_progress_of_a_call_is_told_each_interval_when_it_commits(lab: Lab) -> None:
    listener = Listener(lab, "batch_progress")
    with lab.connection.transaction():
        lab.run("stepwise", 1000)
        assert listener.heard() == []
    assert [item["done_records"] for item in listener.heard()] == [200, 400, 600, 800, 1000]
    lab.run("uneven", 1000)
    assert [item["done_records"] for item in listener.heard()] == [150, 300, 400, 550, 650, 800, 950]


def test_an_interval_smaller_than_a_batch_is_one_message_a_batch(lab: Lab) -> None:
    listener = Listener(lab, "batch_progress")
    for how in HOW:
        lab.run("every_record", 200, how=how)
        assert [item["done_records"] for item in listener.heard()] == [50, 100, 150, 200]


@pytest.mark.parametrize("operation", ["stepwise", "uneven"])
def test_one_worker_tells_each_interval_as_soon_as_it_is_done(lab: Lab, operation: str) -> None:
    listener = Listener(lab, "batch_progress")
    operation_id = submit(lab, operation, 1000)
    told, done = [], 0
    interval = {"stepwise": 200, "uneven": 130}[operation]
    while lab.one("SELECT state FROM batch_step(%s)", operation_id) != "finished":
        now = lab.one("SELECT coalesce(sum(processed_records), 0)::int FROM batch_ranges")
        heard = [item["done_records"] for item in listener.heard()]
        assert heard == ([now] if now // interval > done // interval else [])
        told += heard
        done = now
    assert len(told) == 1000 // interval


@pytest.mark.parametrize(
    ("operation", "argument"), [("stepwise", 1000), ("one_by_one", list(range(1, 1001)))]
)
def test_three_workers_tell_no_interval_twice_and_lose_none(lab: Lab, operation: str, argument: Any) -> None:
    for _ in range(3):
        listener = Listener(lab, "batch_progress")
        operation_id = submit(lab, operation, argument)
        run_workers(lab, operation_id, 3)
        done = [item["done_records"] for item in listener.heard()]
        assert done == sorted(done)
        intervals = [number // 200 for number in done]
        assert len(set(intervals)) == len(intervals)
        assert intervals[-1] == 5
        assert {item["operation_id"] for item in listener.heard()} <= {str(operation_id)}


def test_a_batch_that_is_undone_was_no_progress(lab: Lab) -> None:
    listener = Listener(lab, "batch_progress")
    operation_id = submit(lab, "every_record", 100)
    lab.do("SELECT batch_step(%s)", operation_id)
    with lab.connection.transaction(force_rollback=True):
        lab.do("SELECT batch_step(%s)", operation_id)
    assert listener.heard() == []
    lab.work(operation_id)
    assert [item["done_records"] for item in listener.heard()] == [50, 100]


def test_a_worker_does_not_wait_for_who_announces(lab: Lab) -> None:
    operation_id = submit(lab, "one_by_one", list(range(1, 1001)))
    lab.do("SELECT batch_step(%s)", operation_id)
    listener = Listener(lab, "batch_progress")
    other = lab.connect()
    with other.transaction():
        other.execute(
            "SELECT FROM batch_operations WHERE operation_id = %s FOR NO KEY UPDATE", [operation_id]
        )
        lab.do("SET lock_timeout = '2s'")
        for _ in range(20):
            lab.do("SELECT batch_step(%s)", operation_id)
    assert listener.heard() == []
    lab.work(operation_id)
    assert [item["done_records"] for item in listener.heard()] == [1000]


# Crashes


def test_a_worker_that_is_killed_changes_nothing_that_is_told(lab: Lab) -> None:
    listener = Listener(lab, "batch_completed", "batch_progress")
    operation_id = submit(lab, "imported", 1000)
    lab.do("SELECT batch_step(%s)", operation_id)
    for _ in range(3):
        victim = lab.connect()
        with victim.transaction():
            victim.execute("SELECT batch_step(%s)", [operation_id])
            lab.do("SELECT pg_terminate_backend(%s, 10000)", victim.info.backend_pid)
            victim.close()
        lab.do("SELECT batch_step(%s)", operation_id)
    run_workers(lab, operation_id, 3)
    *progress, completed = listener.heard()
    intervals = [item["done_records"] // 200 for item in progress]
    assert intervals == sorted(set(intervals))
    assert (intervals[-1], completed["processed_records"]) == (5, 1000)
    assert outbox(lab, "channel, status") == [("email", "pending"), ("webhook", "pending")]


# What is asked for in the words of the pattern's description


def test_the_block_on_monitoring_does_all_it_says(lab: Lab) -> None:
    lab.do("UPDATE job SET n = 99 WHERE id = 700")
    listener = Listener(lab, "batch_completed", "batch_progress")
    operation_id = submit(lab, "large_data_import", 1000)
    lab.work(operation_id)
    progress, completed = listener.heard()
    assert (progress["done_records"], completed["status"]) == (1000, "completed_with_errors")
    assert lab.one("SELECT count(*) FROM batch_operation_logs WHERE operation_id = %s", operation_id) == 21
    assert "errors" in lab.rows(
        "SELECT metric_name FROM batch_performance_metrics WHERE operation_id = %s", operation_id
    )
    assert outbox(lab, "channel") == ["email", "webhook"]
