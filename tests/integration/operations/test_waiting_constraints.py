"""Constraints that wait for the commit, of any table: what a record violates through a trigger names that record."""

from __future__ import annotations

import psycopg
import pytest

from .lab import CALL, HOW, Lab, counts, entity, records

BEFORE = """
    CREATE TABLE owner (id integer PRIMARY KEY);
    CREATE TABLE note (
        item_id integer, owner_id integer CONSTRAINT note_owner REFERENCES owner DEFERRABLE INITIALLY DEFERRED,
        code integer CONSTRAINT note_code UNIQUE DEFERRABLE INITIALLY DEFERRED
    );
    CREATE TABLE item (id integer PRIMARY KEY, owner_id integer, code integer);
    INSERT INTO owner SELECT generate_series(1, 5);
    INSERT INTO item SELECT n, 1, n FROM generate_series(1, 30) AS n;
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        -- A note before its owner: right only because the constraint waits.
        INSERT INTO public.note VALUES (NEW.id, NEW.owner_id, NEW.code);
        IF NEW.owner_id = 50 THEN
            INSERT INTO public.owner VALUES (50) ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION note();
"""
SPEC = entity(
    "name: item\nmanaged: false\nfields: {id: integer, owner_id: integer, code: integer}",
    "operation: put, operation_type: insert, data_source: :records, batch_size: 8, "
    "insert_data: {id: :item.id, owner_id: :item.owner_id, code: :item.code}",
    'operation: own, operation_type: update, update_data: {owner_id: {sql: "CASE WHEN id = 13 THEN 99 ELSE 2 END"}}, '
    'where_condition: "id > 0", batch_size: 8',
)


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, "", BEFORE)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", ["continue_on_error", "stop_on_error"])
def test_a_record_whose_trigger_violates_another_tables_constraint_is_named(
    lab: Lab, mode: str, how: str
) -> None:
    items = [{"id": n, "owner_id": 99 if n == 111 else 1, "code": n} for n in range(100, 125)]
    result = lab.run("put", records(*items), how=how, error_handling=mode)
    assert lab.errors(result, "record_key, sqlstate, constraint_name") == [
        ({"id": 111}, "23503", "note_owner")
    ]
    written = lab.rows("SELECT item_id FROM note ORDER BY item_id")
    if mode == "continue_on_error":
        assert counts(result) == (25, 24, 0, 1)
        assert written == [n for n in range(100, 125) if n != 111]
    else:
        assert counts(result) == (25, 8, 16, 1)
        assert written == list(range(100, 108))


@pytest.mark.parametrize("how", HOW)
def test_a_row_whose_trigger_violates_another_tables_constraint_is_named(lab: Lab, how: str) -> None:
    result = lab.run("own", how=how)
    assert counts(result) == (30, 29, 0, 1)
    assert lab.errors(result, "record_key, constraint_name") == [({"id": 13}, "note_owner")]


@pytest.mark.parametrize("how", HOW)
def test_what_relies_on_a_constraint_that_waits_works(lab: Lab, how: str) -> None:
    items = [{"id": n, "owner_id": 50, "code": n} for n in range(100, 120)]
    assert counts(lab.run("put", records(*items), how=how)) == (20, 20, 0, 0)


@pytest.mark.parametrize("how", HOW)
def test_what_relies_on_a_constraint_that_waits_works_beside_a_failing_record(lab: Lab, how: str) -> None:
    items = [{"id": 100 + n, "owner_id": owner, "code": 100 + n} for n, owner in enumerate((1, 99, 1, 50, 1))]
    result = lab.run("put", records(*items), how=how)
    assert counts(result) == (5, 4, 0, 1)
    assert lab.errors(result, "record_key, constraint_name") == [({"id": 101}, "note_owner")]


@pytest.mark.parametrize("how", HOW)
def test_a_constraint_of_the_same_name_that_cannot_wait_stops_no_operation(lab: Lab, how: str) -> None:
    """Names of constraints are a table's own; SET CONSTRAINTS knows them only by schema."""
    lab.do("CREATE TABLE other (id integer CONSTRAINT note_owner REFERENCES owner)")
    lab.do("CREATE SCHEMA hidden; CREATE TABLE hidden.t (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    items = [{"id": n, "owner_id": 99 if n == 111 else 1, "code": n} for n in range(100, 125)]
    result = lab.run("put", records(*items), how=how)
    assert counts(result) == (25, 24, 0, 1)


def test_what_waits_is_that_of_the_worker_not_of_who_submitted(lab: Lab) -> None:
    lab.do("CREATE TEMP TABLE scratch (a integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    lab.do("ALTER TABLE note DROP CONSTRAINT note_owner")
    items = records(*({"id": n, "owner_id": 99 if n == 111 else 1, "code": n} for n in range(100, 125)))
    operation_id = lab.submit("put", "%s", [items])
    lab.do(
        "ALTER TABLE note ADD CONSTRAINT late FOREIGN KEY (owner_id) REFERENCES owner DEFERRABLE INITIALLY DEFERRED;"
        " ALTER TABLE note RENAME CONSTRAINT note_code TO note_code_2"
    )
    lab.connect().execute("CALL batch_work(%s)", [operation_id])
    assert counts(lab.status(operation_id)) == (25, 24, 0, 1)
    assert lab.errors(lab.status(operation_id), "record_key, constraint_name") == [({"id": 111}, "late")]


def test_constraints_of_the_caller_wait_again_after_the_call(lab: Lab) -> None:
    with lab.connection.transaction():
        lab.run("put", records({"id": 100, "owner_id": 1, "code": 1}), how=CALL)
        lab.do("INSERT INTO note VALUES (1, 77, 2)")
        lab.do("INSERT INTO owner VALUES (77)")


def test_what_the_caller_had_violated_before_is_not_blamed_on_a_record(lab: Lab) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="note_owner"), lab.connection.transaction():
        lab.do("INSERT INTO note VALUES (1, 77, 2)")
        lab.call("put", records({"id": 100, "owner_id": 1, "code": 1}))
    assert lab.rows("SELECT * FROM batch_operations") == []
