"""Every single operation of the source document, as it stands there, does what its keys say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest

from tests.acceptance.source.bench import CALL, HOW, SUBMIT, counts, heard, records
from tests.acceptance.source.document import BLOCKS, SUBJECTS

if TYPE_CHECKING:
    from typing import Any

    from tests.acceptance.source.bench import Bench
    from tests.acceptance.source.conftest import OpenBlock

# Who has no address cannot be active.
USERS = """
    ALTER TABLE "user" ADD CONSTRAINT has_address CHECK (status <> 'active' OR email LIKE '%%@%%');
    INSERT INTO "user" (id, email, status)
    SELECT format('00000000-0000-0000-0000-%%s', lpad(n::text, 12, '0'))::uuid,
           CASE WHEN n %% {nth} = 0 THEN 'nobody' ELSE n || '@example.org' END, 'pending'
      FROM generate_series(1, 250) AS n;
"""


def users(*, without_address: int) -> str:
    """SQL: 250 users, so many of them without an address."""
    return USERS.replace("{nth}", str(250 // without_address)).replace("%%", "%")


def ids(bench: Bench) -> Any:
    return bench.rows('SELECT id FROM "user" ORDER BY id')


def test_every_block_of_the_document_has_a_test() -> None:
    assert list(BLOCKS) == list(SUBJECTS)
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert [title for title in BLOCKS if title not in tests] == []


@pytest.mark.parametrize("how", HOW)
def test_what_are_batch_operations(block: OpenBlock, how: str) -> None:
    bench = block("What Are Batch Operations?", users(without_address=1))
    result = bench.run("bulk_update_user_status", ids(bench), "active", how=how)
    assert (result.status, counts(result)) == ("completed_with_errors", (250, 249, 0, 1))
    assert bench.errors(result, "constraint_name, failed_records -> 0 ->> 'email'") == [
        ("has_address", "nobody")
    ]
    assert bench.rows('SELECT status, count(*) FROM "user" GROUP BY 1 ORDER BY 1') == [
        ("active", 249),
        ("pending", 1),
    ]
    assert result.batch_count == 3
    if how == SUBMIT:
        assert bench.workers > 1
    else:
        assert "ran in turn" in result.message


@pytest.mark.parametrize("how", HOW)
def test_bulk_status_update(block: OpenBlock, how: str) -> None:
    bench = block("Bulk Status Update", users(without_address=10))
    session = bench.listener("batch_completed")
    unknown = UUID(int=0)
    result = bench.run("bulk_update_user_status", [*ids(bench), unknown], "active", how=how)
    assert (result.status, counts(result)) == ("completed_with_errors", (251, 240, 1, 10))
    assert result.batch_count == 3
    assert bench.rows(
        'SELECT status, updated_at IS NOT NULL, count(*) FROM "user" GROUP BY 1, 2 ORDER BY 1'
    ) == [("active", True, 240), ("pending", False, 10)]
    assert bench.stored(result, "timeout, parallel, progress_tracking") == (
        timedelta(minutes=30),
        False,
        True,
    )
    (told,) = heard(session)
    assert (told["operation"], told["status"], told["processed_records"]) == (
        "bulk_update_user_status",
        "completed_with_errors",
        240,
    )
    if how == CALL:
        progress = [notice.partition(": ")[2] for notice in bench.notices]
        assert progress == ["100 of 251 records", "200 of 251 records", "251 of 251 records"]
    else:
        assert bench.workers == 1


@pytest.mark.parametrize("how", HOW)
def test_bulk_status_update_stops_when_more_than_ten_fail(block: OpenBlock, how: str) -> None:
    bench = block("Bulk Status Update", users(without_address=50))
    result = bench.run("bulk_update_user_status", ids(bench), "active", how=how)
    assert (result.status, counts(result)) == ("failed", (250, 80, 150, 20))
    assert "max_errors" in result.message


def products(count: int, *, bad: tuple[int, ...] = (), **more: Any) -> Any:
    """Records of products; the bad ones cost nothing."""
    numbers = range(1, count + 1)
    return records(*({"name": f"product {n}", "price": 0 if n in bad else n, **more} for n in numbers))


@pytest.mark.parametrize("how", HOW)
def test_parallel_processing(block: OpenBlock, how: str) -> None:
    bench = block("Parallel Processing")
    result = bench.run("import_products", products(600, bad=(7, 300), category_id=3), how=how)
    assert (result.status, counts(result)) == ("completed_with_errors", (600, 598, 0, 2))
    assert [error["record_number"] for error in result.errors] == [7, 300]
    assert bench.rows(
        "SELECT count(*), sum(price), min(category_id), bool_and(created_at IS NOT NULL) FROM product"
    ) == [(598, sum(range(601)) - 307, 3, True)]
    if how == SUBMIT:
        assert bench.workers == 4
        assert result.batch_count == 3
        assert bench.stored(result, "worker_batch_size, heartbeat_interval") == (250, timedelta(seconds=10))
        workers = bench.told("batch_workers", "record_count, error_count, left_at IS NOT NULL", result)
        assert sum(row[0] for row in workers) == 600
        assert all(row[2] for row in workers)
    else:
        assert bench.notices[-1].endswith(": 600 of 600 records")


def test_parallel_processing_ends_when_more_than_five_fail_at_one_worker(block: OpenBlock) -> None:
    bench = block("Parallel Processing")
    result = bench.run("import_products", products(1000, bad=(1, 2, 3, 4, 5, 6), category_id=3), how=SUBMIT)
    assert result.status == "failed"
    assert result.error_count == 6
    assert "max_errors_per_worker" in result.message


ORDERS = """
    INSERT INTO "order" (status, total_amount)
    SELECT CASE WHEN n <= 1200 THEN 'pending' ELSE 'shipped' END, n FROM generate_series(1, 1300) AS n;
"""


@pytest.mark.parametrize("how", HOW)
def test_conditional_batch_operations(block: OpenBlock, how: str) -> None:
    bench = block("Conditional Batch Operations", ORDERS)
    result = bench.run("bulk_approve_orders", 1100, how=how, confirm=True)
    assert (result.status, counts(result), result.limit_reached) == ("completed", (1000, 1000, 0, 0), True)
    approved = 'FROM "order" WHERE approved_at IS NOT NULL'
    assert bench.rows(f"SELECT DISTINCT status, approved_by = current_user_id() {approved}") == [
        ("approved", True)
    ]
    assert bench.rows(f"SELECT count(*), min(id), max(id) {approved}") == [(1000, 1, 1000)]
    assert bench.stored(result, "timeout") == timedelta(minutes=15)
    again = bench.run("bulk_approve_orders", 1100, how=how, confirm=True)
    assert (counts(again), again.limit_reached) == ((100, 100, 0, 0), False)


def test_conditional_batch_operations_want_a_confirmation(block: OpenBlock) -> None:
    bench = block("Conditional Batch Operations", ORDERS)
    result = bench.call("bulk_approve_orders", 1100)
    assert (result.status, result.total_records) == ("confirmation_required", 1000)
    with pytest.raises(psycopg.Error) as refused:
        bench.call("bulk_approve_orders", 1100, how=SUBMIT)
    assert refused.value.sqlstate == "P0B04"
    assert bench.rows('SELECT DISTINCT status FROM "order" ORDER BY 1') == ["pending", "shipped"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("before", "condition"),
    [
        ("UPDATE \"order\" SET status = 'shipped'", "COUNT(*) FILTER (WHERE status = 'pending') > 0"),
        (
            "SELECT set_config('app.permissions', 'read', false)",
            "CURRENT_USER_HAS_PERMISSION('approve_orders')",
        ),
    ],
)
def test_conditional_batch_operations_refuse_what_a_precondition_forbids(
    block: OpenBlock, how: str, before: str, condition: str
) -> None:
    bench = block("Conditional Batch Operations", ORDERS)
    bench.do(before)
    with pytest.raises(psycopg.Error) as refused:
        bench.call("bulk_approve_orders", 1100, how=how, confirm=True)
    assert refused.value.sqlstate == "P0B01"
    assert condition in str(refused.value)
    assert bench.rows('SELECT count(*) FROM "order" WHERE approved_at IS NOT NULL') == [0]
    assert bench.rows("SELECT count(*) FROM batch_operations") == [0]


@pytest.mark.parametrize("how", HOW)
def test_built_in_monitoring(block: OpenBlock, how: str) -> None:
    bench = block("Built-in Monitoring")
    session = bench.listener("batch_progress", "batch_completed")
    result = bench.run("large_data_import", products(2500), how=how)
    assert (result.status, counts(result)) == ("completed", (2500, 2500, 0, 0))
    assert bench.told("batch_operation_logs", "batch_number, records_processed, status", result) == [
        (1, 1000, "completed"),
        (2, 1000, "completed"),
        (3, 500, "completed"),
        (None, 2500, "completed"),  # the operation itself
    ]
    metrics = dict(bench.told("batch_performance_metrics", "metric_name, metric_value", result))
    assert metrics["errors"] == 0
    assert metrics["batch_duration_p50_seconds"] <= metrics["batch_duration_p95_seconds"]
    assert metrics["records_per_second"] > 0
    assert bench.told("batch_outbox", "channel, status", result) == [
        ("email", "pending"),
        ("webhook", "pending"),
    ]
    *progress, completed = heard(session)
    assert [message["done_records"] for message in progress] == [1000, 2000]
    assert (completed["status"], completed["processed_records"]) == ("completed", 2500)
    if how == CALL:
        assert [notice.partition(": ")[2] for notice in bench.notices] == [
            "1000 of 2500 records",
            "2000 of 2500 records",
            "2500 of 2500 records",
        ]


INACTIVE = """
    INSERT INTO "user" (email, status, is_admin, last_login_at)
    SELECT n || '@example.org',
           CASE WHEN n <= 10100 THEN 'active' ELSE 'locked' END,
           n <= 50,
           CASE WHEN n <= 10080 THEN now() - interval '2 years' ELSE now() END
      FROM generate_series(1, 10200) AS n;
"""


@pytest.mark.parametrize("how", HOW)
def test_user_management(block: OpenBlock, how: str) -> None:
    bench = block("User Management", INACTIVE)
    session = bench.listener("batch_completed")
    refused = bench.call("deactivate_inactive_users")
    assert (refused.status, refused.total_records) == ("confirmation_required", 10000)
    result = bench.run("deactivate_inactive_users", how=how, confirm=True)
    assert (result.status, counts(result)) == ("completed", (10000, 10000, 0, 0))
    assert (result.batch_count, result.limit_reached) == (50, True)
    assert bench.rows(
        "SELECT status, deactivation_reason, is_admin, last_login_at < now() - interval '1 year',"
        ' count(*) FROM "user" WHERE deactivated_at IS NOT NULL GROUP BY 1, 2, 3, 4'
    ) == [("inactive", "automated_inactive_cleanup", False, True, 10000)]
    (told,) = heard(session)
    assert told["notification"] == "Deactivated 10000 inactive users"
    assert bench.rows("SELECT count(*) FROM batch_outbox") == [0]


@pytest.mark.parametrize("how", HOW)
def test_batch_operation_timeout(block: OpenBlock, how: str) -> None:
    extended = block('"Batch operation timeout"', users(without_address=1))
    result = extended.run("set_status", ids(extended), "locked", how=how)
    assert counts(result) == (250, 250, 0, 0)
    assert extended.stored(result, "timeout") == timedelta(hours=2)
    late = extended.run(
        "set_status", ids(extended), "locked", how=how, timeout="1 microsecond", batch_size=10
    )
    assert late.status == "timed_out"
    smaller = block('"Batch operation timeout"', users(without_address=1), way=1)
    result = smaller.run("set_status", ids(smaller), "locked", how=how)
    assert (counts(result), result.batch_count) == ((250, 250, 0, 0), 5)


@pytest.mark.parametrize("how", HOW)
def test_out_of_memory(block: OpenBlock, how: str) -> None:
    smaller = block('"Out of memory"', users(without_address=1))
    result = smaller.run("set_status", ids(smaller), "locked", how=how)
    assert (counts(result), result.batch_count) == ((250, 250, 0, 0), 10)
    in_turn = block('"Out of memory"', users(without_address=1), way=1)
    result = in_turn.run("set_status", ids(in_turn), "locked", how=how)
    assert counts(result) == (250, 250, 0, 0)
    assert in_turn.stored(result, "parallel, max_workers") == (False, 1)


@pytest.mark.parametrize("how", HOW)
def test_high_error_rate(block: OpenBlock, how: str) -> None:
    validated = block('"High error rate"')
    with pytest.raises(psycopg.Error) as refused:
        validated.call("import_data", records({"name": "a", "price": "much"}), how=how)
    assert refused.value.sqlstate == "P0B01"
    assert "validate_batch_data(:input_data)" in str(refused.value)
    assert counts(validated.run("import_data", products(3), how=how)) == (3, 3, 0, 0)
    stopping = block('"High error rate"', way=1)
    result = stopping.run("import_data", products(1500, bad=(1200,)), how=how)
    assert (result.status, counts(result)) == ("failed", (1500, 1000, 499, 1))
    assert stopping.rows("SELECT count(*) FROM product") == [1000]
