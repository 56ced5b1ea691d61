"""Workers of one operation that get into each other's way: no record pays for it."""

from __future__ import annotations

import threading

import psycopg
import pytest
from gates import PATIENCE

from specgen.runtime.runner import Run

from .lab import Lab, counts, entity, records

BEFORE = """
    CREATE TABLE item (id integer PRIMARY KEY, qty integer CHECK (qty < 100));
    INSERT INTO item SELECT n, 0 FROM generate_series(1, 1200) AS n;
    CREATE TABLE tally (id integer PRIMARY KEY, count integer NOT NULL DEFAULT 0);
    INSERT INTO tally SELECT n FROM generate_series(0, 19) AS n;
    CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- In an order of the items, not of the tallies: two batches lock them crosswise.
        UPDATE public.tally SET count = count + 1 WHERE id = (NEW.id * 7) % 20;
        RETURN NEW;
    END $$;
    CREATE TRIGGER tally AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION tally();
"""
SPEC = entity(
    "name: item\nmanaged: false\nfields: {id: integer, qty: integer}",
    "operation: fill, operation_type: update, data_source: :records, update_data: {qty: :item.qty}, batch_size: 50, "
    "retry: {max_attempts: 2, backoff: 1ms}",
)
BAD = tuple(range(17, 1200, 29))


@pytest.fixture
def lab(copy_of) -> Lab:
    made: Lab = copy_of(SPEC, "", BEFORE)
    made.do("SET deadlock_timeout = '5ms'")
    made.do(f"ALTER DATABASE {made.connection.info.dbname} SET deadlock_timeout = '5ms'")
    return made


@pytest.mark.parametrize("way", ["sessions", "program"])
def test_records_are_not_blamed_for_deadlocks_of_the_operations_own_workers(lab: Lab, way: str) -> None:
    ids = [(n * 37) % 1200 + 1 for n in range(1200)]
    items = records(*({"id": n, "qty": 100 if n in BAD else 1} for n in ids))
    operation_id = lab.submit("fill", "%s", [items])
    if way == "program":
        for _ in Run(lab.dsn, "public", operation_id, "specgen test", 4).events():
            pass
    else:
        failures: list[psycopg.Error] = []

        def session() -> None:
            try:
                with psycopg.connect(lab.dsn, autocommit=True) as connection:
                    connection.execute("CALL batch_work(%s)", [operation_id])
            except psycopg.Error as error:
                failures.append(error)

        threads = [threading.Thread(target=session) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert failures == []
    result = lab.status(operation_id)
    lab.check(result)
    assert counts(result) == (1200, 1200 - len(BAD), 0, len(BAD))
    assert sorted(key["id"] for key, state in lab.errors(result) if state == "23514") == list(BAD)
    assert lab.one("SELECT sum(count) FROM tally") == 1200 - len(BAD), "each record once"
