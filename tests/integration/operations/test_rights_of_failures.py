"""A record that fails is told to who may not see all that has to do with it; the others are written."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import HOW, counts, entity

SPEC = (
    entity(
        "name: parent\nmanaged: false\nfields: {id: integer}",
        'operation: drop_parents, operation_type: delete, where_condition: "id = ANY(:ids)"',
    )
    + "---\n"
    + entity(
        "name: person\nmanaged: false\nfields: {id: integer, v: integer}",
        'operation: shift, operation_type: update, update_data: {v: {sql: "v + 1"}}, '
        'where_condition: "v < :below"',
        'operation: shift_these, operation_type: update, update_data: {v: {sql: "v + 1"}}, '
        'where_condition: "id = ANY(:ids)", error_isolation: batch, batch_size: 2',
    )
)
BEFORE = """
    CREATE SCHEMA private;
    CREATE TABLE parent (id integer PRIMARY KEY);
    CREATE TABLE private.child (parent integer REFERENCES public.parent);
    INSERT INTO parent VALUES (1), (2), (3);
    INSERT INTO private.child VALUES (2);
    CREATE TABLE person (id integer PRIMARY KEY, v integer UNIQUE, secret text);
    INSERT INTO person SELECT n, n, 'secret' FROM generate_series(1, 5) AS n;
"""


@pytest.fixture
def lab(lab_of: Any) -> Any:
    with_role = "DO $$ BEGIN CREATE ROLE specgen_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
    lab = lab_of(SPEC, before=with_role + BEFORE)
    lab.do(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_app; REVOKE ALL ON person FROM specgen_app;"
        " GRANT SELECT (id, v), UPDATE (v) ON person TO specgen_app"
    )
    lab.do("SET ROLE specgen_app")
    return lab


@pytest.mark.parametrize("how", HOW)
def test_a_refusal_by_a_table_in_a_schema_without_usage_costs_one_record(lab: Any, how: str) -> None:
    result = lab.run("drop_parents", [1, 2, 3], how=how)
    assert counts(result) == (3, 2, 0, 1)
    told = lab.errors(result, "record_key, sqlstate, column_name, value")
    assert told == [({"id": 2}, "23503", "id", "2")]


@pytest.mark.parametrize("how", HOW)
def test_a_row_that_may_not_be_read_whole_is_told_by_its_key(lab: Any, how: str) -> None:
    result = lab.run("shift", 5, how=how, batch_size=1)
    assert counts(result)[0] == 4
    told = lab.errors(result, "record_key, sqlstate, failed_records")
    assert told == [({"id": n}, "23505", [{"id": n}]) for n in range(1, 5)]


@pytest.mark.parametrize("how", HOW)
def test_a_batch_that_may_not_be_read_whole_is_counted_whole(lab: Any, how: str) -> None:
    result = lab.run("shift_these", [1, 3, 5], how=how)
    assert counts(result) == (3, 1, 0, 2)
    assert lab.errors(result, "sqlstate, failed_records") == [("23505", [{"id": 1}, {"id": 3}])]
