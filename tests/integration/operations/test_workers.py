"""Workers of submitted operations: how many, in which batches, how often they may fail, how they are seen."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from .lab import CALL, SUBMIT, Lab, counts, entity, records

if TYPE_CHECKING:
    from uuid import UUID

# From the source document, verbatim.
IMPORT_PRODUCTS = """
  - name: batch_operations
    description: "Parallel data import"
    operation: import_products
    target_entity: product

    # Parallel processing
    parallel: true
    max_workers: 4
    worker_batch_size: 250

    # Data processing
    operation_type: insert
    insert_data:
      name: :product.name
      price: :product.price
      category_id: :product.category_id
      created_at: "NOW()"

    # Source data
    data_source: :products_array

    # Error handling
    error_handling: collect_errors
    max_errors_per_worker: 5

    # Monitoring
    progress_tracking: true
    heartbeat_interval: "10 seconds"
"""
PRODUCT = """
name: product
fields:
  id: uuid
  name: {type: string, nullable: false}
  price: {type: "decimal(10,2)", nullable: false, check: "price > 0"}
  category_id: {type: integer, nullable: false}
  created_at: timestamp
patterns:
"""
ROW = (
    'name: thing\nfields: {id: integer, n: {type: integer, nullable: false, default: 0, check: "n < 9"}, '
    "good: boolean}"
)
# A row that is not good cannot be written.
BUMP = (
    'operation_type: update, update_data: {n: {sql: "CASE WHEN good THEN n + 1 ELSE 9 END"}}, batch_size: 5'
)
SPEC = entity(
    ROW,
    f'operation: few_errors, {BUMP}, where_condition: "id = ANY(:ids)", max_errors_per_worker: 3',
    f'operation: beating, {BUMP}, where_condition: "id = ANY(:ids)", heartbeat_interval: "50ms"',
    f'operation: calm, {BUMP}, where_condition: "id = ANY(:ids)", heartbeat_interval: "1 hour"',
    f'operation: plain, {BUMP}, where_condition: "id = ANY(:ids)"',
    f'operation: alone, {BUMP}, where_condition: "id = ANY(:ids)", parallel: false, heartbeat_interval: "1h"',
    f'operation: pair, {BUMP}, where_condition: "id = ANY(:ids)", parallel: true, max_workers: 2',
    f'operation: walk, {BUMP}, where_condition: "n < :limit", parallel: true, max_workers: 4, worker_batch_size: 2',
)
ROWS = "INSERT INTO thing (id, good) OVERRIDING SYSTEM VALUE SELECT i, %s FROM generate_series(1, 200) AS i;"


def products(count: int, wrong: tuple[int, ...] = ()) -> Any:
    return records(
        *(
            {"name": f"p{n}", "price": 0 if n in wrong else n, "category_id": n % 7}
            for n in range(1, count + 1)
        )
    )


@pytest.fixture
def shop(copy_of) -> Lab:
    return copy_of(PRODUCT + IMPORT_PRODUCTS)


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, ROWS % "i % 10 <> 0")


def step(session: Any, operation_id: UUID) -> Any:
    return session.execute("SELECT * FROM batch_step(%s)", [operation_id]).fetchone()


def ids(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


# The source document's example


@pytest.mark.parametrize("sessions", [1, 2, 4])
def test_the_parallel_import_gives_the_same_whoever_works_on_it(shop: Lab, sessions: int) -> None:
    operation_id = shop.submit("import_products", "%s", [products(2600, wrong=(3, 700, 1999))])
    others = [shop.connect() for _ in range(sessions)]
    threads = [
        threading.Thread(target=other.execute, args=("CALL batch_work(%s)", [operation_id]))
        for other in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=40)
    result = shop.status(operation_id)
    shop.check(result)
    assert (result.status, counts(result)) == ("completed_with_errors", (2600, 2597, 0, 3))
    assert result.batch_count == 11
    assert result.message is None
    assert [(error["record_number"], error["sqlstate"]) for error in result.errors] == [
        (number, "23514") for number in (3, 700, 1999)
    ]
    assert shop.rows("SELECT count(*), count(DISTINCT name) AS names, sum(price) FROM product") == [
        (2597, 2597, sum(range(2601)) - 3 - 700 - 1999)
    ]
    # Each worker has a row, and all of them have left; their counts are the operation's.
    assert shop.one(
        "SELECT count(*) <= %s, bool_and(left_at IS NOT NULL), sum(batch_count) AS b, sum(record_count) AS r,"
        " sum(error_count) AS e"
        " FROM batch_workers WHERE operation_id = %s",
        sessions,
        operation_id,
    ) == (True, True, 11, 2600, 3)


def test_in_one_call_its_batches_run_in_turn_and_the_result_says_so(shop: Lab) -> None:
    result = shop.run("import_products", products(2600))
    assert (result.status, counts(result), result.batch_count) == ("completed", (2600, 2600, 0, 0), 3)
    assert result.message == "its batches ran in turn: one call is one transaction (parallel)"
    assert shop.rows("SELECT * FROM batch_workers") == []


@pytest.mark.parametrize(("how", "batches"), [(CALL, 1), (SUBMIT, 4)])
def test_worker_batch_size_is_the_size_of_submitted_batches_only(shop: Lab, how: str, batches: int) -> None:
    assert shop.run("import_products", products(1000), how=how).batch_count == batches


@pytest.mark.parametrize("how", [CALL, SUBMIT])
def test_an_option_overrides_worker_batch_size(shop: Lab, how: str) -> None:
    assert shop.run("import_products", products(1000), how=how, batch_size=100).batch_count == 10


@pytest.mark.parametrize("how", [CALL, SUBMIT])
def test_a_session_that_fails_too_often_fails_the_import(shop: Lab, how: str) -> None:
    result = shop.run("import_products", products(2600, wrong=tuple(range(1, 2600, 300))), how=how)
    failed = 6 if how == SUBMIT else 7  # judged after a batch, and those of a call are larger
    assert (result.status, result.error_count) == ("failed", failed)
    said = f"{failed} failed records of one worker are more than max_errors_per_worker allows (5)"
    assert said in result.message


# max_workers


def test_more_sessions_than_max_workers_wait_and_take_over(lab: Lab) -> None:
    operation_id = lab.submit("pair", "%s", [ids(1, 100)])
    step(lab.connection, operation_id)
    first, second, third = lab.connect(), lab.connect(), lab.connect()
    for session in (first, second):
        session.execute("BEGIN")
        assert step(session, operation_id).batch_number is not None
    assert step(third, operation_id).state == "idle"
    first.execute("ROLLBACK")
    assert step(third, operation_id).batch_number is not None
    second.execute("COMMIT")
    lab.work(operation_id)
    lab.check(lab.status(operation_id))


def test_a_worker_that_dies_leaves_its_place_at_once(lab: Lab) -> None:
    operation_id = lab.submit("alone", "%s", [ids(1, 100)])
    dying, heir = lab.connect(), lab.connect()
    step(dying, operation_id)
    step(dying, operation_id)
    step(heir, operation_id)
    dying.execute("BEGIN")
    assert step(dying, operation_id).batch_number is not None
    assert step(heir, operation_id).state == "idle"
    pid = dying.info.backend_pid
    lab.do("SELECT pg_terminate_backend(%s, 5000)", pid)
    assert step(heir, operation_id).batch_number is not None
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    assert counts(result)[0] == 100


def test_a_walk_is_cut_so_that_each_worker_has_some(lab: Lab) -> None:
    lab.submit("walk", "9")
    assert lab.one("SELECT count(*), sum(item_count), max(item_count) FROM batch_ranges") == (17, 100, 6)
    lab.submit("plain", "%s", [ids(1, 100)])


@pytest.mark.parametrize("sessions", [1, 2, 4])
def test_a_parallel_walk_gives_the_same_whoever_works_on_it(lab: Lab, sessions: int) -> None:
    operation_id = lab.submit("walk", "9")
    others = [lab.connect() for _ in range(sessions)]
    threads = [
        threading.Thread(target=other.execute, args=("CALL batch_work(%s)", [operation_id]))
        for other in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=40)
    result = lab.status(operation_id)
    lab.check(result)
    assert counts(result) == (200, 180, 0, 20)
    assert lab.rows("SELECT n, good, count(*) FROM thing GROUP BY n, good ORDER BY n") == [
        (0, False, 20),
        (1, True, 180),
    ]


# max_errors_per_worker


def test_one_worker_is_counted_across_its_batches(lab: Lab) -> None:
    result = lab.run("few_errors", ids(1, 200), how=SUBMIT)
    assert (result.status, result.error_count) == ("failed", 4)
    assert "max_errors_per_worker allows (3)" in result.message
    assert "160 records were not tried" in result.message
    assert lab.rows("SELECT error_count, batch_count FROM batch_workers") == [(4, 8)]


def test_in_one_call_the_session_is_the_worker(lab: Lab) -> None:
    result = lab.run("few_errors", ids(1, 200))
    assert (result.status, result.error_count) == ("failed", 4)
    assert "max_errors_per_worker allows (3)" in result.message


def test_three_workers_are_counted_each_by_itself(lab: Lab) -> None:
    """Nine failures of three workers are no more than each may have; the tenth is."""
    operation_id = lab.submit("few_errors", "%s", [ids(1, 200)])
    sessions = [lab.connect() for _ in range(3)]
    step(sessions[0], operation_id)
    for session in sessions:
        step(session, operation_id)
    failed = [0, 0, 0]
    for turn in range(18):  # every second batch has one
        failed[turn // 2 % 3] += step(sessions[turn // 2 % 3], operation_id).error_count
        assert lab.status(operation_id).status == "running"
        assert lab.one("SELECT stop_status FROM batch_operations") is None
    assert failed == [3, 3, 3]
    assert step(sessions[1], operation_id).error_count == 0
    assert step(sessions[1], operation_id).error_count == 1
    assert lab.one("SELECT stop_status FROM batch_operations") == "failed"
    assert [step(session, operation_id).state for session in sessions] == ["finished"] * 3
    result = lab.status(operation_id)
    lab.check(result)
    assert (result.status, result.error_count) == ("failed", 10)
    assert "4 failed records of one worker" in result.message
    assert sorted(lab.rows("SELECT error_count FROM batch_workers")) == [3, 3, 4]


@pytest.mark.parametrize("sessions", [1, 3])
def test_the_limit_is_exact_with_workers_at_the_same_time(lab: Lab, sessions: int) -> None:
    operation_id = lab.submit("few_errors", "%s", [ids(1, 200)])
    others = [lab.connect() for _ in range(sessions)]
    threads = [
        threading.Thread(target=other.execute, args=("CALL batch_work(%s)", [operation_id]))
        for other in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=40)
    result = lab.status(operation_id)
    lab.check(result)
    assert result.status == "failed"  # twenty failures: whoever of three does them, one has four
    each = lab.rows("SELECT error_count FROM batch_workers")
    assert sum(each) == result.error_count
    assert max(each) == 4
    assert len(lab.errors(result)) == result.error_count


def test_a_batch_that_is_undone_is_not_counted(lab: Lab) -> None:
    operation_id = lab.submit("few_errors", "%s", [[10, 20, 30]])
    session = lab.connect()
    for _ in range(2):
        step(session, operation_id)
    for _ in range(3):
        session.execute("BEGIN")
        assert step(session, operation_id).error_count == 3
        session.execute("ROLLBACK")
    assert lab.one("SELECT error_count FROM batch_workers") == 0
    lab.work(operation_id)
    assert lab.status(operation_id).status == "completed_with_errors"


# Heartbeats


def test_a_worker_is_seen_from_its_beginning_and_when_it_has_left(lab: Lab) -> None:
    operation_id = lab.submit("calm", "%s", [ids(1, 11)])
    session = lab.connect()
    session.execute("SET application_name = 'a worker'")
    step(session, operation_id)
    assert lab.rows("SELECT * FROM batch_workers") == []
    step(session, operation_id)
    row = "SELECT worker_pid, application_name, left_at IS NULL, batch_count, record_count FROM batch_workers"
    pid = session.info.backend_pid
    assert lab.rows(row) == [(pid, "a worker", True, 0, 0)]
    step(session, operation_id)  # one row fails, so the worker's is written
    assert lab.rows(row) == [(pid, "a worker", True, 1, 5)] or lab.rows(row)[0][3] == 0
    while step(session, operation_id).state != "finished":
        pass
    assert lab.rows(row) == [(pid, "a worker", False, 3, 11)]


def test_its_row_is_written_once_an_interval_and_no_more(lab: Lab) -> None:
    lab.do("CREATE TABLE beats (at timestamptz DEFAULT clock_timestamp())")
    lab.do(
        "CREATE FUNCTION beat() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.beats DEFAULT VALUES; RETURN NULL; END'"
    )
    lab.do("CREATE TRIGGER beat AFTER UPDATE ON batch_workers FOR EACH ROW EXECUTE FUNCTION beat()")
    lab.do("UPDATE thing SET good = true")
    operation_id = lab.submit("calm", "%s", [ids(1, 200)])
    lab.work(operation_id)
    assert lab.rows("SELECT count(*) FROM beats") == [1]  # that it left
    lab.do("TRUNCATE beats")
    operation_id = lab.submit("beating", "%s", [ids(1, 200)])
    lab.do(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END'"
    )
    lab.do("CREATE TRIGGER slow BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION slow()")
    began = time.monotonic()
    lab.work(operation_id)
    took = time.monotonic() - began
    assert 5 <= lab.one("SELECT count(*) FROM beats") <= took / 0.05 + 1
    assert lab.one("SELECT record_count FROM batch_workers WHERE operation_id = %s", operation_id) == 200


def test_an_operation_that_says_nothing_of_workers_keeps_no_rows_of_them(lab: Lab) -> None:
    lab.run("plain", ids(1, 100), how=SUBMIT)
    assert lab.rows("SELECT * FROM batch_workers") == []


def test_a_worker_that_waits_shows_that_it_is_alive(lab: Lab) -> None:
    operation_id = lab.submit("beating", "%s", [ids(1, 5)])
    busy, waiting = lab.connect(), lab.connect()
    for session in (busy, busy, waiting):
        step(session, operation_id)
    busy.execute("BEGIN")
    assert step(busy, operation_id).batch_number is not None
    seen = "SELECT heartbeat_at FROM batch_workers WHERE worker_pid = %s"
    before = lab.one(seen, waiting.info.backend_pid)
    time.sleep(0.06)
    assert step(waiting, operation_id).state == "idle"
    assert lab.one(seen, waiting.info.backend_pid) > before
    busy.execute("COMMIT")


def test_one_session_works_on_two_operations_by_turns(lab: Lab) -> None:
    lab.do("UPDATE thing SET good = true")
    first = lab.submit("calm", "%s", [ids(1, 50)])
    second = lab.submit("calm", "%s", [ids(51, 100)])
    session = lab.connect()
    states = {first: "", second: ""}
    while set(states.values()) != {"finished"}:
        for operation_id in states:
            for _ in range(4):
                states[operation_id] = step(session, operation_id).state
    assert lab.rows("SELECT batch_count, record_count, left_at IS NULL FROM batch_workers") == [
        (10, 50, False),
        (10, 50, False),
    ]


def test_what_its_worker_is_writing_is_not_waited_for_by_a_beat(lab: Lab) -> None:
    operation_id = lab.submit("beating", "%s", [ids(1, 20)])
    session = lab.connect()
    for _ in range(2):
        step(session, operation_id)
    session.execute("BEGIN")
    time.sleep(0.06)
    assert step(session, operation_id).error_count == 0
    lab.do("SET lock_timeout = '500ms'")
    lab.do("SELECT batch_beat(%s)", operation_id)
    session.execute("COMMIT")


def test_a_beat_is_for_sessions_that_are_at_work_only(lab: Lab) -> None:
    operation_id = lab.submit("calm", "%s", [ids(1, 20)])
    busy, idle = lab.connect(), lab.connect()
    for session in (busy, busy, idle):
        step(session, operation_id)
    busy.execute("BEGIN")
    seen = dict(lab.rows("SELECT worker_pid, heartbeat_at FROM batch_workers"))
    lab.do("SELECT batch_beat(%s)", operation_id)
    now = dict(lab.rows("SELECT worker_pid, heartbeat_at FROM batch_workers"))
    assert now[busy.info.backend_pid] > seen[busy.info.backend_pid]
    assert now[idle.info.backend_pid] == seen[idle.info.backend_pid]
    busy.execute("COMMIT")


def test_a_worker_without_a_place_keeps_no_range_from_those_that_have_one(lab: Lab) -> None:
    operation_id = lab.submit("pair", "%s", [ids(1, 50)])
    step(lab.connection, operation_id)
    busy = [lab.connect(), lab.connect()]
    waiting = lab.connect()
    with busy[0].transaction(), busy[1].transaction(), waiting.transaction():
        assert [step(session, operation_id).state for session in busy] == ["worked", "worked"]
        assert step(waiting, operation_id).state == "idle"
        free = "SELECT range_number FROM batch_ranges WHERE NOT done ORDER BY 1 FOR UPDATE SKIP LOCKED"
        assert lab.rows(free) == list(range(3, 11))
