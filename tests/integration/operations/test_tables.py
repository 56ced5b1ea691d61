"""Tables of every kind: named like our variables, partitioned, with deferrable constraints, in any schema."""

from __future__ import annotations

import pytest

from .lab import HOW, Lab, audited, counts, entity, records, rendered

NAMES = ["v_keys", "v_slice", "v_items", "v_search", "v_batch", "v_last", "v_from", "v_upto", "v_count", "v_rows", "v_range", "v_written", "v_failed", "v_operation", "v_size", "v_found", "p_operation", "p_range", "p_keys", "p_items", "item", "n", "place", "batch_key", "key", "record", "matching", "counted", "written", "computed", "excluded", "found", "operation_id", "options", "dry_run", "p_val"]  # fmt: skip


def named_like(column: str) -> str:
    """A spec whose column stands in conditions, values, records and outputs."""
    value = f'{{"{column}": {{sql: "{column} + :val + 1"}}}}'
    item = f'{{"{column}": ":item.{column}"}}'
    return entity(
        f'name: thing\nfields: {{id: integer, "{column}": integer}}',
        f'operation: walk, operation_type: update, update_data: {value}, where_condition: "{column} >= 0", '
        "batch_size: 2, returning: true",
        f"operation: pick, operation_type: update, update_data: {value}, "
        f'where_condition: "id = ANY(:ids) AND {column} >= 0", returning: ["{column}"]',
        f"operation: change, operation_type: update, update_data: {item}, data_source: :records, "
        f'where_condition: "{column} >= 0", returning: ["{column}"]',
        f'operation: look, operation_type: select, select_fields: ["{column}"], where_condition: "{column} >= 0"',
        f"operation: add, operation_type: insert, insert_data: {item}, data_source: :records, "
        f'returning: ["{column}"]',
        f'operation: put, operation_type: upsert, upsert_data: {{id: :item.id, "{column}": ":item.{column}"}}, '
        "data_source: :records, conflict_target: id",
        f'operation: drop_all, operation_type: delete, where_condition: "{column} >= 0"',
    )


@pytest.mark.parametrize("column", NAMES)
def test_a_column_may_be_called_as_a_variable_of_ours(lab_of, column: str) -> None:
    lab = lab_of(
        named_like(column), f'INSERT INTO thing (id, "{column}") SELECT n, n FROM generate_series(1, 5) AS n'
    )
    assert counts(lab.run("walk", 1)) == (5, 5, 0, 0)
    assert counts(lab.run("pick", [1, 2], 1)) == (2, 2, 0, 0)
    assert counts(lab.run("change", records({"id": 3, column: 7}, {"id": 4, column: "x"}))) == (2, 1, 0, 1)
    assert counts(lab.run("look")) == (5, 5, 0, 0)
    assert lab.rows(f'SELECT "{column}" FROM thing ORDER BY id') == [5, 6, 7, 6, 7]
    lab.do("SELECT setval('thing_id_seq', 100)")
    assert counts(lab.run("add", records({column: 1}, {column: 2}))) == (2, 2, 0, 0)
    assert counts(
        lab.run("put", records({"id": 1, column: 0}, {"id": 50, column: 0}, {"id": 1, column: 1}))
    ) == (3, 2, 0, 1)
    assert counts(lab.run("drop_all")) == (8, 8, 0, 0)


PARAMETERS = ["v_keys", "v_slice", "n", "item", "id", "p_options", "p_items", "result"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_may_be_called_as_a_variable_of_ours(lab_of, name: str) -> None:
    lab = lab_of(
        entity(
            "name: thing\nfields: {id: integer, amount: integer}",
            f"operation: walk, operation_type: update, update_data: {{amount: :{name}}}, where_condition: id > 0",
            f"operation: pick, operation_type: update, update_data: {{amount: 7}}, where_condition: "
            f'"id = ANY(:{name})"',
            f"operation: add, operation_type: insert, insert_data: {{amount: :item.amount}}, data_source: :{name}",
        ),
        "INSERT INTO thing VALUES (1, 0), (2, 0)",
    )
    for how in HOW:
        assert counts(lab.run("walk", 5, how=how)) == (2, 2, 0, 0)
        assert lab.rows("SELECT amount FROM thing") == [5, 5]
        assert counts(lab.run("pick", [1], how=how)) == (1, 1, 0, 0)
    lab.do("SELECT setval('thing_id_seq', 100)")
    assert counts(lab.run("add", records({"amount": 1}))) == (1, 1, 0, 0)


@pytest.mark.parametrize("how", HOW)
def test_rows_move_between_partitions_and_fail_where_there_is_none(lab_of, how: str) -> None:
    lab = lab_of(
        entity(
            "name: event\nmanaged: false\nprimary_key: [id, day]\nfields: {id: integer, day: date, n: integer}",
            'operation: bump, operation_type: update, update_data: {n: {sql: n + 1}}, where_condition: "n >= 0", '
            "batch_size: 3",
            "operation: add, operation_type: insert, insert_data: {id: :item.id, day: :item.day, n: 0}, "
            "data_source: :records, returning: true",
        ),
        "",
        """
        CREATE TABLE event (id integer, day date, n integer, PRIMARY KEY (id, day)) PARTITION BY LIST (n);
        """.replace("PARTITION BY LIST (n)", "PARTITION BY RANGE (day)")
        + f"""
        CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
        ALTER TABLE event_2 ADD CONSTRAINT small CHECK (n < 1);
        INSERT INTO event SELECT m, make_date(2024, 1 + m % 2, 5), 0 FROM generate_series(1, 10) AS m;
        {audited("event")}
        """,
    )
    result = lab.run("bump", how=how)
    assert counts(result) == (10, 5, 0, 5)
    assert {state for _, state in lab.errors(result)} == {"23514"}
    assert set(lab.errors(result, "constraint_name, column_name")) == {("small", "n")}
    added = lab.run("add", records({"id": 20, "day": "2024-01-09"}, {"id": 21, "day": "2025-01-09"}), how=how)
    assert counts(added) == (2, 1, 0, 1)
    assert len(lab.written()) == 6


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("deferred", [False, True])
def test_constraints_that_the_caller_defers_are_checked_in_their_batch(
    lab_of, deferred: bool, how: str
) -> None:
    lab = lab_of(
        entity(
            "name: thing\nmanaged: false\nfields: {id: integer, code: text, parent_id: integer}",
            "operation: add, operation_type: insert, insert_data: {id: :item.id, code: :item.code, "
            "parent_id: :item.parent_id}, data_source: :records",
            'operation: drop_some, operation_type: delete, where_condition: "id = ANY(:ids)"',
        ),
        "",
        """
        CREATE TABLE thing (
            id integer PRIMARY KEY,
            code text UNIQUE DEFERRABLE INITIALLY IMMEDIATE,
            parent_id integer REFERENCES thing DEFERRABLE INITIALLY IMMEDIATE
        );
        INSERT INTO thing VALUES (1, 'a', NULL), (2, 'b', 1);
        """,
    )
    if how == "submit" and deferred:
        pytest.skip("workers commit: nobody can defer their constraints")
    items = records({"id": 3, "code": "a"}, {"id": 4, "code": "d", "parent_id": 99}, {"id": 5, "code": "e"})
    if how == "submit":
        added, gone = lab.run("add", items, how=how), lab.run("drop_some", [1, 2], how=how)
    else:
        with lab.connection.transaction():
            if deferred:
                lab.do("SET CONSTRAINTS ALL DEFERRED")
            added = lab.run("add", items)
            gone = lab.run("drop_some", [1, 5])
    assert counts(added) == (3, 1, 0, 2)
    assert counts(gone) == ((2, 2, 0, 0) if how == "submit" else (2, 1, 0, 1))


@pytest.mark.parametrize("how", HOW)
def test_a_trigger_that_writes_to_its_own_table_counts_only_what_we_wrote(lab_of, how: str) -> None:
    lab = lab_of(
        entity(
            "name: thing\nfields: {id: integer, amount: integer}",
            'operation: walk, operation_type: update, update_data: {amount: {sql: amount + 1}}, where_condition: "amount < 5", '
            "batch_size: 2",
        ),
        """
        INSERT INTO thing SELECT n, 0 FROM generate_series(1, 10) AS n;
        CREATE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN UPDATE public.thing SET amount = 9 WHERE id = NEW.id + 1 AND pg_trigger_depth() = 1; RETURN NULL; END';
        CREATE TRIGGER echo AFTER UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION echo();
        """,
    )
    result = lab.run("walk", how=how)
    assert counts(result) == (10, 6, 4, 0)  # after each row of ours, the next one matches no more
    assert lab.rows("SELECT count(*) FROM thing WHERE amount = 9") == [5]


def test_an_unmanaged_table_with_an_unlogged_audit_and_rules_is_counted(lab_of) -> None:
    lab: Lab = lab_of(
        entity(
            "name: seen\nmanaged: false\nfields: {id: integer, amount: integer}",
            'operation: walk, operation_type: update, update_data: {amount: {sql: amount + 1}}, where_condition: "id > 0"',
            "operation: add, operation_type: insert, insert_data: {id: :item.id, amount: :item.amount}, data_source: :records",
        ),
        "",
        """
        CREATE TABLE stored (id integer PRIMARY KEY, amount integer CHECK (amount < 5));
        INSERT INTO stored SELECT n, n FROM generate_series(1, 4) AS n;
        CREATE VIEW seen AS SELECT id, amount FROM stored WHERE id < 100 WITH CHECK OPTION;
        """,
    )
    assert counts(lab.run("walk")) == (4, 3, 0, 1)
    added = lab.run("add", records({"id": 5, "amount": 1}, {"id": 500, "amount": 1}))
    assert counts(added) == (2, 1, 0, 1)
    assert lab.errors(added, "sqlstate") == ["44000"]


@pytest.mark.parametrize("name", ["v_range", "v_items", "found"])
def test_a_parameter_that_a_variable_would_hide_is_refused(name: str, tmp_path) -> None:
    spec = entity(
        "name: thing\nfields: {id: integer, amount: integer}",
        f"operation: walk, operation_type: update, update_data: {{amount: :{name}}}, where_condition: id > 0",
    )
    with pytest.raises(AssertionError, match=f'reserved-parameter.*"{name}" is a variable'):
        rendered(spec, tmp_path)
