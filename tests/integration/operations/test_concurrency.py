"""Other sessions, workers and transactions around an operation."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from gates import GATES, PATIENCE, blocked_by, closed, is_blocked, row_gate, statement_gate, wait_until

from .lab import HOW, Lab, audited, counts, entity, records

UPDATE = "operation_type: update, batch_size: 10, update_data: {amount: {sql: amount + 1}}"
SPEC = entity(
    'name: thing\nfields: {id: integer, amount: {type: integer, check: "amount < 1000"}, state: text, owner_id: integer}',
    f"operation: walk, {UPDATE}, where_condition: \"state = 'open'\"",
    f'operation: pick, {UPDATE}, where_condition: "id = ANY(:ids)"',
    f"operation: walk_patiently, {UPDATE}, where_condition: \"state = 'open'\", lock_timeout: 50 milliseconds, "
    "retry: {max_attempts: 2, backoff: 10 milliseconds}",
    f"operation: walk_together, {UPDATE}, where_condition: \"state = 'open'\", error_handling: stop_on_error",
    "operation: change, operation_type: update, batch_size: 10, update_data: {amount: :item.amount}, data_source: :records",
    "operation: purge, operation_type: delete, batch_size: 10, where_condition: \"state = 'open'\"",
)
SETUP = f"""
    INSERT INTO thing (id, amount, state) SELECT n * 10, 1, 'open' FROM generate_series(1, 100) AS n;
    CREATE TABLE owner (id integer PRIMARY KEY);
    {audited("thing")}
"""


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, SETUP)


@pytest.mark.parametrize("strategy", ["ranges", "keys"])
def test_what_others_do_between_the_batches_is_neither_lost_nor_overwritten(lab: Lab, strategy: str) -> None:
    options = "'{\"max_records\": 1000}'" if strategy == "keys" else "'{}'"
    operation_id = lab.submit("walk", f"options => {options}")
    assert lab.one("SELECT strategy FROM batch_operations") == strategy
    lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("""
        DELETE FROM audit;
        UPDATE thing SET state = 'closed' WHERE id IN (110, 120, 130);
        DELETE FROM thing WHERE id IN (210, 1000);
        UPDATE thing SET id = 5 WHERE id = 310;
        UPDATE thing SET id = 905 WHERE id = 320;
        INSERT INTO thing (id, amount, state) VALUES (411, 1, 'open'), (412, 1, 'open'), (99999, 1, 'open');
        DELETE FROM audit;
    """)
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    written = [int(key) for key in lab.written()]
    assert len(written) == len(set(written))
    assert lab.rows("SELECT id FROM thing WHERE state = 'closed' AND amount > 1") == []
    assert result.processed_records == 10 + len(written)
    assert lab.rows("SELECT max(amount) FROM thing") == [2]
    gone = 7 if strategy == "keys" else 6
    assert result.processed_records >= 100 - gone


def test_a_row_that_stops_matching_while_we_wait_for_it_is_skipped(lab: Lab) -> None:
    other = lab.connect()
    results: list[Any] = []
    with other.transaction():
        other.execute("UPDATE thing SET state = 'closed' WHERE id = 50")
        waiting = threading.Thread(target=lambda: results.append(lab.run("walk")), daemon=True)
        waiting.start()
        wait_until(lambda: blocked_by(other))
    waiting.join(PATIENCE)
    assert counts(results[0]) == (100, 99, 1, 0)
    assert lab.one("SELECT amount, state FROM thing WHERE id = 50") == (1, "closed")


@pytest.mark.parametrize("how", HOW)
def test_a_lock_that_is_held_for_long_is_retried_then_named(lab: Lab, how: str) -> None:
    other = lab.connect()
    with other.transaction():
        other.execute("SELECT FROM thing WHERE id = 50 FOR UPDATE")
        result = lab.run("walk_patiently", how=how)
    assert counts(result) == (100, 99, 0, 1)
    assert lab.errors(result) == [({"id": 50}, "55P03")]
    assert lab.one("SELECT retries > 1 FROM batch_operations")
    assert lab.run("walk_patiently", how=how).status == "completed"


def test_a_deadlock_with_another_session_is_survived(lab: Lab) -> None:
    lab.do(GATES + row_gate(1, "thing", 90) + statement_gate(2, "thing", 2))
    lab.do("SET deadlock_timeout = '10ms'")
    other = lab.connect()
    # Whoever closes the circle looks for it once, so the operation has to be the last to wait.
    other.execute("SET deadlock_timeout = '1h'")
    results: list[Any] = []
    with closed(lab.dsn, 2) as second_attempt:
        with other.transaction(), closed(lab.dsn, 1) as halfway:
            other.execute("SELECT FROM thing WHERE id = 100 FOR UPDATE")
            running = threading.Thread(target=lambda: results.append(lab.run("walk")), daemon=True)
            running.start()
            wait_until(lambda: blocked_by(halfway))  # the batch holds 50 and comes to 100 later
            taking = threading.Thread(
                target=other.execute, args=("SELECT FROM thing WHERE id = 50 FOR UPDATE",), daemon=True
            )
            taking.start()
            wait_until(lambda: is_blocked(halfway, other))
            halfway.rollback()
            taking.join(PATIENCE)
        # A second attempt before this would take the record back, and it would all begin again.
        second_attempt.rollback()
        running.join(PATIENCE)
    assert counts(results[0]) == (100, 100, 0, 0)
    assert lab.rows("SELECT DISTINCT amount FROM thing") == [2]
    assert lab.one("SELECT retries FROM batch_operations") == 1


@pytest.mark.parametrize("operation", ["walk", "pick"])
def test_a_snapshot_that_is_too_old_blames_nobody(lab: Lab, operation: str) -> None:
    arguments = [[10, 20, 30]] if operation == "pick" else []
    other = lab.connect()
    with pytest.raises(psycopg.errors.SerializationFailure), lab.connection.transaction():
        lab.do("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        lab.one("SELECT count(*) FROM thing")
        other.execute("UPDATE thing SET amount = 7 WHERE id = 20")
        lab.run(operation, *arguments)
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]
    with lab.connection.transaction():
        lab.do("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert lab.run(operation, *arguments).error_count == 0


def test_what_the_caller_rolls_back_never_was(lab: Lab) -> None:
    with lab.connection.transaction(force_rollback=True):
        assert counts(lab.run("walk")) == (100, 100, 0, 0)
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]
    assert lab.rows("SELECT max(amount) FROM thing") == [1]
    lab.do("CREATE FUNCTION wrap() RETURNS text LANGUAGE plpgsql AS"
           " 'BEGIN RETURN (walk()).status; EXCEPTION WHEN OTHERS THEN RETURN ''caught''; END'")  # fmt: skip
    assert lab.one("SELECT wrap()") == "completed"
    assert lab.rows("SELECT min(amount) FROM thing") == [2]


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("given", ["", "keys", "records"])
def test_many_workers_do_what_one_does(lab: Lab, workers: int, given: str) -> None:
    lab.do("UPDATE thing SET amount = 999 WHERE id IN (30, 330, 770); DELETE FROM audit")
    ids = list(range(10, 1001, 10))
    match given:
        case "keys":
            operation_id = lab.submit("pick", "%s", [ids])
        case "records":
            items = [{"id": key, "amount": 1000 if key in (30, 330, 770) else 2} for key in ids]
            operation_id = lab.submit("change", "%s", [records(*items)])
        case _:
            operation_id = lab.submit("walk", "options => %s", ['{"max_records": 1000}'])

    work_together(lab, operation_id, workers)

    result = lab.status(operation_id)
    lab.check(result)
    assert (result.status, counts(result)) == ("completed_with_errors", (100, 97, 0, 3))
    assert sorted(map(int, lab.written())) == [key for key in ids if key not in (30, 330, 770)]
    assert lab.errors(result, "record_key") == [{"id": 30}, {"id": 330}, {"id": 770}]


def test_all_workers_end_when_one_meets_a_failing_record(lab: Lab) -> None:
    lab.do("UPDATE thing SET amount = 999 WHERE id = 30; DELETE FROM audit")
    operation_id = lab.submit("walk_together", "options => %s", ['{"max_records": 1000}'])
    work_together(lab, operation_id, 4)
    result = lab.status(operation_id)
    lab.check(result)
    assert (result.status, result.error_count) == ("failed", 1)
    assert result.processed_records == len(lab.written())
    assert lab.errors(result) == [({"id": 30}, "23514")]
    with pytest.raises(psycopg.Error, match="has failed"):
        lab.do("SELECT batch_resume(%s)", operation_id)
    lab.work(operation_id)
    assert lab.status(operation_id) == result


def test_one_key_asked_by_two_sessions_at_once_runs_once(lab: Lab) -> None:
    other = lab.connect()
    results: list[Any] = []
    with other.transaction():
        first = other.execute(
            'SELECT (walk(options => \'{"idempotency_key": "k"}\')).operation_id'
        ).fetchone()
        asking = threading.Thread(
            target=lambda: results.append(lab.run("walk", idempotency_key="k")), daemon=True
        )
        asking.start()
        wait_until(lambda: blocked_by(other))
    asking.join(PATIENCE)
    assert results[0].operation_id == first[0]
    assert len(lab.written()) == 100


def test_a_call_and_workers_on_one_table_each_do_their_share(lab: Lab) -> None:
    operation_id = lab.submit("walk")
    working = threading.Thread(target=work_together, args=(lab, operation_id, 2))
    other = lab.connect()
    working.start()
    called = other.execute(
        "SELECT (r).* FROM pick(ARRAY(SELECT id FROM thing ORDER BY id DESC)) AS r"
    ).fetchone()
    working.join()
    assert counts(called) == (100, 100, 0, 0)
    assert counts(lab.status(operation_id)) == (100, 100, 0, 0)
    assert lab.rows("SELECT DISTINCT amount FROM thing") == [3]


def work_together(lab: Lab, operation_id: Any, workers: int) -> None:
    """Let that many sessions work on an operation until it is finished."""
    failed: list[BaseException] = []

    def work(connection: psycopg.Connection[Any]) -> None:
        try:
            connection.execute("CALL batch_work(%s)", [operation_id])
        except psycopg.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(lab.connect(),)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize("how", HOW)
def test_a_role_needs_these_rights_and_no_more(lab: Lab, how: str) -> None:
    lab.do("""
        DO $$ BEGIN CREATE ROLE specgen_clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT SELECT, INSERT, UPDATE ON batch_operations, batch_ranges TO specgen_clerk;
        GRANT SELECT ON batch_definitions, batch_step_definitions TO specgen_clerk;
        GRANT SELECT, INSERT, UPDATE ON batch_steps TO specgen_clerk;
        GRANT SELECT, INSERT ON batch_operation_errors, batch_outputs TO specgen_clerk;
        GRANT INSERT ON batch_operation_logs, batch_performance_metrics, audit TO specgen_clerk;
        GRANT SELECT, INSERT ON batch_durations TO specgen_clerk;
        GRANT SELECT, UPDATE ON thing TO specgen_clerk;
        UPDATE thing SET amount = 999 WHERE id = 30;
    """)
    lab.do("SET ROLE specgen_clerk")
    result = lab.call("walk", how=how)
    assert counts(result) == (100, 99, 0, 1)
    assert lab.one("SELECT requested_by FROM batch_operations") == "postgres"
    lab.do("RESET ROLE")
    lab.do("DROP OWNED BY specgen_clerk")


def test_a_right_that_is_missing_is_no_fault_of_the_records(lab: Lab) -> None:
    lab.do("""
        DO $$ BEGIN CREATE ROLE specgen_clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_clerk;
        REVOKE DELETE ON thing FROM specgen_clerk;
        SET ROLE specgen_clerk;
    """)
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="thing"):
            lab.call("purge")
    finally:
        lab.do("RESET ROLE; DROP OWNED BY specgen_clerk")


@pytest.mark.parametrize("how", HOW)
def test_rows_that_a_policy_refuses_are_named_those_it_hides_are_not_there(lab: Lab, how: str) -> None:
    lab.do("""
        DO $$ BEGIN CREATE ROLE specgen_guest; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_guest;
        ALTER TABLE thing ENABLE ROW LEVEL SECURITY;
        CREATE POLICY seen ON thing USING (id <= 500) WITH CHECK (amount < 50);
        UPDATE thing SET amount = 50 WHERE id = 30;
        DELETE FROM audit;
    """)
    lab.do("SET ROLE specgen_guest")
    result = lab.run("walk", how=how)
    lab.do("RESET ROLE")
    assert counts(result) == (50, 49, 0, 1)
    assert lab.errors(result) == [({"id": 30}, "42501")]
    lab.do("DROP OWNED BY specgen_guest")


def test_a_snapshot_older_than_the_end_of_an_operation_does_nothing_more_of_it(lab: Lab) -> None:
    """A worker under repeatable read still sees the operation running that another session has ended."""
    operation_id = lab.submit("walk")
    lab.do("SELECT batch_step(%s)", operation_id)
    late = lab.connect()
    with pytest.raises(psycopg.errors.SerializationFailure), late.transaction():
        late.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        late.execute("SELECT")
        lab.do("SELECT batch_stop(%s, 'cancelled', 'enough')", operation_id)
        lab.work(operation_id)
        late.execute("SELECT batch_step(%s)", [operation_id])
    result = lab.status(operation_id)
    lab.check(result)
    assert result.status == "cancelled"
    assert lab.written() == []


def test_a_worker_writes_no_row_that_row_level_security_hid_from_who_asked(lab: Lab) -> None:
    lab.do("""
        DO $$ BEGIN CREATE ROLE specgen_guest; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_guest;
        ALTER TABLE thing ENABLE ROW LEVEL SECURITY;
        CREATE POLICY even ON thing USING (id % 2 = 0);
    """)
    lab.do("SET ROLE specgen_guest")
    operation_id = lab.submit("walk")
    lab.do("RESET ROLE")
    planned = lab.one("SELECT total_records FROM batch_operations")
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    assert result.processed_records == planned
    assert all(int(key) % 2 == 0 for key in lab.written())
    lab.do("DROP OWNED BY specgen_guest")


def test_a_call_that_comes_again_may_have_another_default(lab_of: Any) -> None:
    since = (
        "operation: touch, operation_type: update, update_data: {price: 1}, "
        'where_condition: "id > 0 AND :since IS NOT NULL", parameters: {since: {type: timestamp, default: "clock_timestamp()"}}'
    )
    lab = lab_of(entity("name: item\nfields: {id: integer, price: integer}", since))
    key = (
        """options => '{"operation_id": "6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11", "idempotency_key": "May"}'"""
    )
    assert lab.submit("touch", key) == lab.submit("touch", key)
    assert lab.rows("SELECT count(*) FROM batch_operations") == [1]


def test_an_exclusive_operation_is_so_for_a_snapshot_that_does_not_see_the_other(lab_of: Any) -> None:
    alone = (
        "operation: touch, operation_type: update, update_data: {price: 1}, "
        'where_condition: "id > 0", parallel_runs: exclusive'
    )
    lab = lab_of(entity("name: item\nfields: {id: integer, price: integer}", alone))
    other = lab.connect()
    with pytest.raises(psycopg.Error), other.transaction():
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT")
        lab.submit("touch")
        other.execute("SELECT touch_submit()")
    assert lab.rows("SELECT status FROM batch_operations") == ["pending"]
