"""The source document's three operations of several steps give the rows that a person would expect."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.source.bench import CALL, HOW, SUBMIT, counts, heard

if TYPE_CHECKING:
    from tests.acceptance.source.conftest import OpenBlock

# 1 to 1200 come from the old system; 5 of them were migrated long ago already. 1201 to 1220 have nothing to
# do with it. 1221 to 1230 left the old system long ago, 1231 to 1240 yesterday.
MIGRATION = """
    INSERT INTO "user" (email, legacy_id, migrated_at, migration_version)
    SELECT n::text,
           CASE WHEN n <= 1200 THEN n END,
           CASE WHEN n <= 5 OR n BETWEEN 1221 AND 1230 THEN now() - interval '31 days'
                WHEN n > 1230 THEN now() - interval '1 day' END,
           CASE WHEN n <= 5 OR n > 1220 THEN '1.0' END
      FROM generate_series(1, 1240) AS n;
"""
MIGRATED = """
    SELECT migration_version,
           CASE WHEN migrated_at > now() - interval '1 hour' THEN 'now'
                WHEN migrated_at > now() - interval '30 days' THEN 'lately' END AS migrated,
           min(email::integer), max(email::integer), count(*)::integer
      FROM "user"
     GROUP BY 1, 2
     ORDER BY 3
"""


@pytest.mark.parametrize("how", HOW)
def test_complex_operations(block: OpenBlock, how: str) -> None:
    bench = block("Complex Operations", MIGRATION)
    result = bench.run("migrate_user_data", how=how)
    assert bench.rows(MIGRATED) == [
        ("2.0", "now", 1, 1200, 1200),
        (None, None, 1201, 1220, 20),
        ("1.0", "lately", 1231, 1240, 10),
    ]
    assert (result.status, counts(result)) == ("completed", (2410, 2410, 0, 0))
    assert bench.steps(result, "step, status, processed_records, batch_count") == [
        ("validate_data", "completed", 1200, 3),
        ("update_profiles", "completed", 1200, 12),
        ("cleanup_legacy", "completed", 10, 1),
    ]
    if how == SUBMIT:
        assert bench.workers > 1
    else:
        assert "ran in turn" in result.message


@pytest.mark.parametrize("how", HOW)
def test_complex_operations_end_with_the_first_record_that_fails(block: OpenBlock, how: str) -> None:
    bench = block("Complex Operations", MIGRATION)
    bench.do("""ALTER TABLE "user" ADD CHECK (email <> '3' OR migration_version = '1.0')""")
    result = bench.run("migrate_user_data", how=how)
    assert result.status == "failed"
    assert result.error_count == 1
    assert bench.steps(result, "step, status")[0] == ("validate_data", "completed")
    assert bench.steps(result, "step, status")[1][1] == "failed"
    assert bench.steps(result, "step, status, message")[2] == (
        "cleanup_legacy",
        "skipped",
        "the operation ended before it",
    )
    assert bench.rows(
        """SELECT count(*)::integer FROM "user" WHERE email::integer BETWEEN 1221 AND 1230"""
    ) == [10]


# The shop sells 1 to 120, some for a new price. 1 to 130 are cached; 1 to 100 and 121 to 130, which are not sold
# any more, are stale.
CACHE = """
    CREATE TABLE product (id uuid PRIMARY KEY, name text, price numeric);
    CREATE FUNCTION id_of(n bigint) RETURNS uuid LANGUAGE sql
        RETURN format('00000000-0000-0000-0000-%s', lpad(n::text, 12, '0'))::uuid;
    INSERT INTO product SELECT id_of(n), 'product ' || n, n * 2 FROM generate_series(1, 120) AS n;
    INSERT INTO product_cache (product_id, name, price, last_updated)
    SELECT id_of(n), 'cached ' || n, n,
           now() - CASE WHEN n <= 100 OR n > 120 THEN interval '2 hours' ELSE interval '30 minutes' END
      FROM generate_series(1, 130) AS n;
"""
CACHED = """
    SELECT right(product_id::text, 12)::integer, name, price,
           round(extract(epoch FROM now() - last_updated) / 600)::integer * 10 AS minutes
      FROM product_cache
     ORDER BY 1
"""


@pytest.mark.parametrize("how", HOW)
def test_cache_management(block: OpenBlock, how: str) -> None:
    bench = block("Cache Management", CACHE)
    result = bench.run("refresh_product_cache", how=how)
    assert bench.rows(CACHED) == [
        *((n, f"product {n}", Decimal(2 * n), 0) for n in range(1, 101)),
        *((n, f"cached {n}", Decimal(n), 30) for n in range(101, 121)),
        *((n, f"cached {n}", Decimal(n), 120) for n in range(121, 131)),
    ]
    assert bench.steps(result, "step, total_records, processed_records, batch_count") == [
        ("identify_stale", 110, 110, 3),
        ("fetch_fresh_data", 110, 110, 3),
        ("update_cache", 100, 100, 2),
    ]
    assert (result.status, counts(result)) == ("completed", (320, 320, 0, 0))
    assert bench.stored(result, "timeout") == timedelta(minutes=10)
    again = bench.run("refresh_product_cache", how=how)
    assert bench.steps(again, "total_records") == [10, 10, 0]


# Of the customers 1 to 5, the first three have ordered in March: 10 and 20, 40, and 80 on its last evening.
ORDERS = """
    CREATE TABLE "order" (user_id uuid, status text, total_amount numeric, created_at timestamptz);
    INSERT INTO "order"
    SELECT format('00000000-0000-0000-0000-%s', lpad(customer::text, 12, '0'))::uuid, status, amount, at::timestamptz
      FROM (VALUES (1, 'shipped', 10, '2026-03-01 00:00'),
                   (1, 'pending', 20, '2026-03-20 12:00'),
                   (2, 'shipped', 40, '2026-03-10 12:00'),
                   (3, 'shipped', 80, '2026-03-31 23:59'),
                   (4, 'cancelled', 160, '2026-03-10 12:00'),
                   (5, 'shipped', 320, '2026-02-28 12:00'),
                   (1, 'shipped', 640, '2026-04-01 00:00')) AS sold (customer, status, amount, at);
"""
INVOICES = """
    SELECT i.id, right(i.customer_id::text, 1)::integer AS customer, i.month, i.amount, i.status,
           array_agg(DISTINCT p.file_name) AS files, count(DISTINCT p.ctid) AS pdfs, count(DISTINCT n.ctid) AS notices
      FROM invoice AS i
      LEFT JOIN invoice_pdf AS p ON p.invoice_id = i.id
      LEFT JOIN invoice_notice AS n ON n.invoice_id = i.id
     GROUP BY i.id
     ORDER BY i.customer_id
"""


@pytest.mark.parametrize("how", HOW)
def test_report_generation(block: OpenBlock, how: str) -> None:
    bench = block("Report Generation", ORDERS)
    session = bench.listener("batch_completed")
    march = date(2026, 3, 1)
    result = bench.run("generate_monthly_invoices", march, how=how)
    assert bench.rows(INVOICES) == [
        (n, n, march, Decimal(amount), "pending", [f"invoice-{n}.pdf"], 1, 1)
        for n, amount in enumerate((30, 40, 80), 1)
    ]
    assert bench.rows(
        "SELECT (SELECT count(*) FROM invoice_pdf) + (SELECT count(*) FROM invoice_notice)"
    ) == [6]
    assert (result.status, result.error_count) == ("completed", 0)
    assert bench.steps(result, "step, status, processed_records") == [
        ("calculate_usage", "completed", 1),
        ("create_invoices", "completed", 3),
        ("generate_pdf", "completed", 3),
        ("send_notifications", "completed", 3),
    ]
    assert bench.rows(
        "SELECT record - 'customer_id' FROM batch_step_output(%s, 'calculate_usage') AS record",
        result.operation_id,
    ) == [{"total_amount": amount} for amount in (30, 40, 80)]
    metrics = dict(bench.told("batch_performance_metrics", "metric_name, metric_value", result))
    assert metrics["errors"] == 0
    (told,) = heard(session)
    assert (told["operation"], told["status"]) == ("generate_monthly_invoices", "completed")
    if how == CALL:
        assert bench.notices


@pytest.mark.parametrize("how", HOW)
def test_report_generation_for_a_month_without_orders(block: OpenBlock, how: str) -> None:
    bench = block("Report Generation", ORDERS)
    result = bench.run("generate_monthly_invoices", date(2020, 1, 1), how=how)
    assert result.status == "completed"
    assert bench.steps(result, "status, total_records") == [
        ("completed", 1),
        ("completed", 0),
        ("completed", 0),
        ("completed", 0),
    ]
    assert bench.rows(INVOICES) == []
