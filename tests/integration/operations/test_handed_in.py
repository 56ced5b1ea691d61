"""What is handed in: repeated keys, NULLs, odd arrays, records with the same key, and nothing at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .lab import HOW, Lab, audited, counts, entity, records

A, B, C, D = (UUID(int=n) for n in range(0xA1, 0xA5))
SPEC = entity(
    """
    name: thing
    fields:
      id: uuid
      email: {type: citext, unique: true}
      price: {type: "decimal(10,2)", check: "price >= 0"}
    """,
    'operation: touch, operation_type: update, batch_size: 2, update_data: {price: 1}, where_condition: "id = ANY(:ids)"',
    "operation: price, operation_type: update, batch_size: 2, update_data: {price: :item.price}, data_source: :records",
    "operation: drop_by_email, operation_type: delete, batch_size: 2, data_source: :records, match_on: [email]",
    "operation: by_price, operation_type: update, update_data: {email: :item.email}, data_source: :records, "
    "match_on: [price]",
    "operation: put, operation_type: upsert, batch_size: 2, upsert_data: {email: :item.email, price: :item.price}, "
    "conflict_target: email, data_source: :records",
    "operation: put_kept, operation_type: upsert, batch_size: 3, upsert_data: {email: :item.email, price: :item.price}, "
    "conflict_target: email, data_source: :records, returning: [email, price]",
    "operation: add, operation_type: insert, insert_data: {email: :item.email}, data_source: :records",
)
SETUP = f"""
    INSERT INTO thing (id, email, price)
    SELECT ('00000000-0000-0000-0000-0000000000a' || n)::uuid, 'p' || n, 0 FROM generate_series(1, 4) AS n;
    {audited("thing")}
"""


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, SETUP, "CREATE EXTENSION citext")


def prices(lab: Lab) -> list[int]:
    return [int(price) for price in lab.rows("SELECT price FROM thing ORDER BY id")]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ("ARRAY[%(a)s, %(b)s, %(a)s]::uuid[]", (3, 2, 1, 0)),
        ("ARRAY[NULL, %(a)s, NULL]::uuid[]", (3, 1, 2, 0)),
        ("ARRAY[NULL, NULL]::uuid[]", (2, 0, 2, 0)),
        ("'{}'::uuid[]", (0, 0, 0, 0)),
        ("NULL::uuid[]", (0, 0, 0, 0)),
        ("ARRAY[[%(a)s, %(b)s], [%(c)s, %(a)s]]::uuid[]", (4, 3, 1, 0)),
        ("('[7:9]={' || %(a)s || ',' || %(b)s || ',' || %(c)s || '}')::uuid[]", (3, 3, 0, 0)),
        ("ARRAY['{A00000A1-0000-0000-0000-000000000000}', %(a)s]::uuid[]", (2, 1, 1, 0)),
    ],
)
def test_each_key_of_an_array_counts_once(lab: Lab, array: str, expected: Any, how: str) -> None:
    names = {"a": str(A), "b": str(B), "c": str(C)}
    if how == "submit":
        operation_id = lab.connection.execute(f"SELECT touch_submit({array})".encode(), names).fetchone()[0]
        lab.work(operation_id)
        result = lab.status(operation_id)
    else:
        result = lab.connection.execute(f"SELECT (r).* FROM touch({array}) AS r".encode(), names).fetchone()
    lab.check(result)
    assert (result.status, counts(result)) == ("completed", expected)
    assert len(lab.written()) == expected[1]


@pytest.mark.parametrize("how", HOW)
def test_of_records_for_one_row_the_first_counts(lab: Lab, how: str) -> None:
    items = [
        {"id": str(A), "price": 10},
        {"id": str(B), "price": 20},
        {"id": str(A), "price": 11},
        {"id": f"{{{str(A).upper()}}}", "price": 12},
        {"id": None, "price": 5},
        {"price": 5},
        {"id": str(C), "price": -1},
        {"id": str(C), "price": 31},
        {"id": str(UUID(int=9)), "price": 1},
    ]
    result = lab.run("price", records(*items), how=how)
    assert counts(result) == (9, 2, 3, 4)
    assert prices(lab) == [10, 20, 0, 0]
    assert lab.errors(result, "record_number, sqlstate, column_name") == [
        (3, "21000", "id"), (4, "21000", "id"), (7, "23514", "price"), (8, "21000", "id"),
    ]  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_an_unreadable_key_hides_no_repeated_one(lab: Lab, how: str) -> None:
    items = [{"id": str(A), "price": 10}, {"id": "no uuid", "price": 1}, 5, {"id": str(A), "price": 11}]
    result = lab.run("price", records(*items), how=how)
    assert counts(result) == (4, 1, 0, 3)
    assert lab.errors(result, "record_number, sqlstate") == [(2, "22P02"), (3, "22023"), (4, "21000")]
    assert prices(lab)[0] == 10


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["put", "put_kept"])
def test_keys_that_are_equal_to_the_database_repeat_each_other(lab: Lab, operation: str, how: str) -> None:
    items = [{"email": "new", "price": 1}, {"email": "NEW", "price": 2}, {"email": "P1", "price": 3},
             {"email": "p1", "price": 4}, {"email": None, "price": 5}, {"email": None, "price": 6}]  # fmt: skip
    result = lab.run(operation, records(*items), how=how)
    assert counts(result) == (6, 4, 0, 2)
    assert lab.errors(result, "record_number, sqlstate") == [(2, "21000"), (4, "21000")]
    assert len(lab.written()) == 4
    if operation == "put_kept":
        assert sorted(row["price"] for row in lab.outputs(result)) == [1, 3, 5, 6]


def test_stopping_at_a_repeated_record_undoes_its_batch(lab: Lab) -> None:
    items = [{"id": str(key), "price": 1} for key in (A, B, C, A, D)]
    result = lab.run("price", records(*items), error_handling="stop_on_error")
    assert counts(result) == (5, 2, 2, 1)
    assert prices(lab) == [1, 1, 0, 0]
    assert lab.errors(result, "record_number, sqlstate") == [(4, "21000")]


def test_stopping_names_the_first_failing_record_even_before_a_repeated_one(lab: Lab) -> None:
    items = [{"id": str(A), "price": 1}, {"id": str(B), "price": -1}, {"id": str(A), "price": 2}]
    result = lab.run("price", records(*items), error_handling="stop_on_error", batch_size=10)
    assert counts(result) == (3, 0, 2, 1)
    assert lab.errors(result, "record_number, sqlstate") == [(2, "23514")]


@pytest.mark.parametrize("how", HOW)
def test_a_record_that_meets_several_rows_counts_as_one(lab: Lab, how: str) -> None:
    lab.do("UPDATE thing SET email = NULL, price = 7 WHERE id IN (%s, %s, %s)", A, B, C)
    lab.do("ALTER TABLE thing DROP CONSTRAINT thing_email_key; DELETE FROM audit")
    result = lab.run("by_price", records({"price": 7, "email": "x"}, {"price": 8, "email": "y"}), how=how)
    assert len(lab.written()) == 3
    assert counts(result) == (2, 1, 1, 0)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("nothing", [Jsonb([]), None])
def test_no_records_are_no_work(lab: Lab, nothing: Any, how: str) -> None:
    result = lab.run("add", nothing, how=how)
    assert (result.status, counts(result), result.batch_count) == ("completed", (0, 0, 0, 0), 0)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("wrong", [Jsonb({"email": "x"}), Jsonb(5), Jsonb("text"), Jsonb(None)])
def test_what_is_no_list_of_records_is_refused(lab: Lab, wrong: Any, how: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="must be a JSON array"):
        lab.run("add", wrong, how=how)
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]


@pytest.mark.parametrize("how", HOW)
def test_deleting_by_another_column_counts_what_went(lab: Lab, how: str) -> None:
    result = lab.run(
        "drop_by_email",
        records({"email": "P1"}, {"email": "p3"}, {"email": "gone"}, {"email": None}),
        how=how,
    )
    assert counts(result) == (4, 2, 2, 0)
    assert lab.rows("SELECT email FROM thing ORDER BY id") == ["p2", "p4"]
