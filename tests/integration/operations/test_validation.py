"""Validation rules, values that cannot be read, and what becomes of such records."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from .lab import HOW, Lab, counts, entity, records

HEAD = """
    name: product
    fields:
      id: uuid
      sku: {type: string, unique: true}
      name: {type: string, nullable: false}
      price: {type: "decimal(10,2)", nullable: false, check: "price < 1000"}
      stock: integer
      made_on: {type: date, default: "2024-01-01"}
    """
MAPPING = "field_mapping: {sku: csv_column_1, name: csv_column_2, price: csv_column_3, stock: csv_column_4}"
RULES = 'validation_rules: ["price > 0", "name IS NOT NULL", "stock >= 0 OR sku LIKE \'back-%\'"]'
SPEC = entity(
    HEAD,
    f"operation: add, data_source: csv_file, batch_size: 4, {MAPPING}, {RULES}",
    f"operation: add_valid, data_source: csv_file, batch_size: 4, {MAPPING}, {RULES}, skip_invalid_rows: true",
    f"operation: add_readable, data_source: csv_file, batch_size: 4, {MAPPING}, skip_invalid_rows: true",
    f"operation: add_plain, data_source: csv_file, batch_size: 4, {MAPPING}",
    f"operation: put, operation_type: upsert, conflict_target: sku, data_source: csv_file, batch_size: 4, {MAPPING}, {RULES}",
    f"operation: add_all, data_source: csv_file, atomic: true, {MAPPING}, {RULES}, skip_invalid_rows: true",
    "operation: add_recent, insert_data: {name: :item.name, price: :item.price, made_on: :day}, data_source: :records, "
    'validation_rules: ["made_on > :since", "100 / price > 1"], skip_invalid_rows: true',
    'operation: reprice, update_data: {price: {sql: "price + :item.more"}}, data_source: :records, match_on: [sku], '
    'parameters: {}, validation_rules: ["price < 100", "stock > 0"], skip_invalid_rows: true'.replace(
        "parameters: {}, ", ""
    ),
    'operation: drop, operation_type: delete, data_source: :records, match_on: [sku], validation_rules: ["stock = 0"]',
)


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC)


def item(n: int, **changes: Any) -> dict[str, Any]:
    return {"sku": f"s{n:02}", "name": f"n{n}", "price": "1.50", "stock": "3", **changes}


def names(lab: Lab) -> list[str]:
    return lab.rows("SELECT sku FROM product ORDER BY sku")


WRONG = {
    "price > 0": {"price": "-1"},
    "price NULL": {"price": None},
    "name IS NOT NULL": {"name": None},
    "unreadable": {"price": "1,50"},
    "overflow": {"price": "123456789.00"},
    "not whole": {"stock": "2.5"},
}
TOLD = {
    "price > 0": ("P0B08", "price", "-1.00", "validation rule not met: price > 0"),
    "price NULL": ("P0B08", "price", None, "validation rule not met: price > 0"),
    "name IS NOT NULL": ("P0B08", "name", None, "validation rule not met: name IS NOT NULL"),
    "unreadable": ("22P02", "price", "1,50", 'invalid input syntax for type numeric: "1,50"'),
    "overflow": ("22003", "price", "123456789.00", "numeric field overflow"),
    "not whole": ("22P02", "stock", "2.5", 'invalid input syntax for type integer: "2.5"'),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("wrong", WRONG)
def test_an_invalid_record_is_an_error_that_names_column_value_and_reason(
    lab: Lab, wrong: str, how: str
) -> None:
    given = [item(n, **(WRONG[wrong] if n in (2, 6) else {})) for n in range(1, 8)]
    result = lab.run("add", records(*given), how=how)
    assert counts(result) == (7, 5, 0, 2)
    assert result.status == "completed_with_errors"
    assert names(lab) == ["s01", "s03", "s04", "s05", "s07"]
    told = lab.errors(result, "record_number, sqlstate, column_name, value, error_message, skipped")
    assert told == [(2, *TOLD[wrong], False), (6, *TOLD[wrong], False)]
    assert lab.errors(result, "failed_records") == [[given[1]], [given[5]]]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("wrong", WRONG)
def test_an_invalid_record_is_skipped_and_recorded_where_the_spec_says_so(
    lab: Lab, wrong: str, how: str
) -> None:
    given = [item(n, **(WRONG[wrong] if n in (1, 2, 3, 4, 6) else {})) for n in range(1, 8)]
    result = lab.call("add_valid", records(*given), how=how)
    assert counts(result) == (7, 2, 5, 0)
    assert result.status == "completed"
    assert names(lab) == ["s05", "s07"]
    told = lab.errors(result, "record_number, sqlstate, column_name, value, error_message, skipped")
    assert told == [(n, *TOLD[wrong], True) for n in (1, 2, 3, 4, 6)]


@pytest.mark.parametrize("how", HOW)
def test_a_constraint_stays_an_error_beside_invalid_records_that_are_skipped(lab: Lab, how: str) -> None:
    given = [item(1), item(2, price="0"), item(3, price="1000"), item(1), item(5, stock="x"), 7, item(6)]
    result = lab.call("add_valid", records(*given), how=how)
    assert counts(result) == (7, 2, 3, 2)
    assert names(lab) == ["s01", "s06"]
    told = lab.errors(result, "record_number, sqlstate, skipped")
    assert told == [
        (2, "P0B08", True),
        (3, "23514", False),
        (4, "23505", False),
        (5, "22P02", True),
        (6, "22023", True),
    ]


@pytest.mark.parametrize("how", HOW)
def test_without_rules_unreadable_values_are_skipped_and_the_rest_is_not_invalid(lab: Lab, how: str) -> None:
    given = [item(1, price="x"), item(2, price="-5"), item(3, name=None)]
    result = lab.call("add_readable", records(*given), how=how)
    assert counts(result) == (3, 1, 1, 1)
    assert lab.errors(result, "record_number, sqlstate, skipped") == [(1, "22P02", True), (3, "23502", False)]


def test_unreadable_values_are_named_without_rules_too_and_many_of_them_found(lab: Lab) -> None:
    given = [item(n, **({"stock": "many"} if n % 3 == 0 else {})) for n in range(1, 91)]
    result = lab.run("add_plain", records(*given), batch_size=50, max_errors=100)
    assert counts(result) == (90, 60, 0, 30)
    told = lab.errors(result, "record_number, sqlstate, column_name, value")
    assert told == [(n, "22P02", "stock", "many") for n in range(3, 91, 3)]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("operation", "first", "expected"),
    [
        ("add", {}, (8, 4, 3, 1)),
        ("add_valid", {"price": "2000"}, (8, 4, 3, 1)),
        ("add", {"name": "n", "price": "1000"}, (8, 4, 3, 1)),
    ],
)
def test_stop_on_error_ends_at_the_first_failing_record_invalid_or_not(
    lab: Lab, how: str, operation: str, first: dict[str, Any], expected: tuple[int, ...]
) -> None:
    given = [item(n) for n in range(1, 9)]
    given[5] |= {"stock": "-1"}
    given[6] |= first
    result = lab.call(operation, records(*given), how=how, error_handling="stop_on_error")
    assert counts(result) == expected
    assert result.status == "failed"
    assert names(lab) == ["s01", "s02", "s03", "s04"]
    number = 6 if operation == "add" else 7
    assert lab.errors(result, "record_number") == [number]


def test_a_record_that_fails_before_an_invalid_one_is_the_first(lab: Lab) -> None:
    given = [item(1), item(2, price="1000"), item(3, price="0"), item(4)]
    result = lab.call("add", records(*given), error_handling="stop_on_error")
    assert counts(result) == (4, 0, 3, 1)
    assert lab.errors(result, "record_number, sqlstate") == [(2, "23514")]


@pytest.mark.parametrize("how", HOW)
def test_the_second_of_one_key_fails_beside_invalid_records(lab: Lab, how: str) -> None:
    given = [item(1), item(2, price="0"), item(3), item(1, price="9"), item(3, stock="-9"), item(3), item(4)]
    result = lab.run("put", records(*given), how=how)
    assert counts(result) == (7, 3, 0, 4)
    assert names(lab) == ["s01", "s03", "s04"]
    told = lab.errors(result, "record_number, sqlstate")
    assert told == [(2, "P0B08"), (4, "21000"), (5, "P0B08"), (6, "21000")]


def test_an_atomic_operation_is_not_undone_by_what_it_skips(lab: Lab) -> None:
    result = lab.call("add_all", records(item(1), item(2, price="0")))
    assert (result.status, counts(result)) == ("completed", (2, 1, 1, 0))
    result = lab.call("add_all", records(item(3), item(4, price="0"), item(5, price="5000")))
    assert (result.status, counts(result)) == ("failed", (3, 0, 2, 1))
    assert names(lab) == ["s01"]
    assert lab.errors(result, "record_number, skipped") == [(2, True), (3, False)]


def test_rules_take_parameters_and_a_rule_that_cannot_be_computed_is_not_met(lab: Lab) -> None:
    given = [
        {"name": "a", "price": 5},
        {"name": "b", "price": 0},
        {"name": "c", "price": "x"},
        {"name": "d", "price": 99},
    ]
    result = lab.call("add_recent", "2024-05-05", "2024-05-04", records(*given, {"name": "e", "price": 101}))
    told = lab.errors(result, "record_number, sqlstate, error_message")
    assert counts(result) == (5, 2, 3, 0), told
    assert told[0] == (2, "22012", "a validation rule cannot be computed: division by zero")
    assert [row[:2] for row in told[1:]] == [(3, "22P02"), (5, "P0B08")]


def test_rules_of_an_update_see_the_new_row_with_the_columns_it_keeps(lab: Lab) -> None:
    lab.run("add_plain", records(item(1, stock="0"), item(2, price="99"), item(3), item(4)))
    given = [{"sku": f"s{n:02}", "more": 1} for n in range(1, 6)]
    result = lab.call("reprice", records(*given))
    assert counts(result) == (5, 2, 3, 0)
    assert lab.errors(result, "record_number, column_name, value") == [
        (1, "stock", "0"),
        (2, "price", "100.00"),
    ]
    assert lab.rows("SELECT price::text FROM product ORDER BY sku") == ["1.50", "99.00", "2.50", "2.50"]


def test_rules_of_a_delete_see_the_row_that_is_there(lab: Lab) -> None:
    lab.run("add_plain", records(item(1, stock="0"), item(2)))
    result = lab.run("drop", records({"sku": "s01"}, {"sku": "s02"}, {"sku": "s03"}))
    assert counts(result) == (3, 1, 1, 1)
    assert names(lab) == ["s02"]


def test_a_dry_run_tells_what_would_be_skipped(lab: Lab) -> None:
    result = lab.call("add_valid", records(item(1), item(2, price="0")), dry_run=True)
    assert counts(result) == (2, 1, 1, 0)
    assert [(e["record_number"], e["skipped"]) for e in result.errors] == [(2, True)]
    assert names(lab) == []


SEVERAL = entity(
    "name: thing\nfields: {id: integer, grp: string, n: integer}",
    'operation: raise_n, update_data: {n: {sql: "n + 1"}}, data_source: :records, match_on: [grp], validation_rules: ["n < 5"]',
    "operation: drop_some, operation_type: delete, data_source: :records, match_on: [grp], "
    'validation_rules: ["n < 5", "id < 6"]',
)
SEVERAL_ROWS = """
    INSERT INTO thing (id, grp, n) OVERRIDING SYSTEM VALUE
    VALUES (1, 'a', 7), (2, 'a', 8), (3, 'a', 1), (4, 'b', 1), (5, 'b', 9), (6, 'b', 1), (7, 'c', 2)
"""


@pytest.mark.parametrize("how", HOW)
def test_a_record_that_meets_several_invalid_rows_fails_once(copy_of, how: str) -> None:
    lab = copy_of(SEVERAL, SEVERAL_ROWS)
    given = records(*({"grp": grp} for grp in "abc"))
    result = lab.run("raise_n", given, how=how)
    assert counts(result) == (3, 1, 0, 2)
    assert lab.errors(result, "record_number, sqlstate, column_name") == [
        (1, "P0B08", "n"),
        (2, "P0B08", "n"),
    ]
    assert lab.rows("SELECT n FROM thing ORDER BY id") == [7, 8, 1, 1, 9, 1, 3]
    result = lab.run("drop_some", given, how=how)
    assert counts(result) == (3, 0, 0, 3)


@pytest.mark.parametrize("how", HOW)
def test_json_of_a_domain_is_readable_beside_a_value_that_is_not(lab_of, how: str) -> None:
    """No text of the type, yet JSON of it; what tells them apart looks only where a value cannot be read."""
    lab = lab_of(
        entity(
            "name: thing\nfields: {id: integer, n: integer, d: app.payload}",
            "operation: add, insert_data: {id: :item.id, n: :item.n, d: :item.d}, data_source: :records, "
            'validation_rules: ["n < 5"]',
        ),
        before="CREATE SCHEMA app; CREATE DOMAIN app.payload AS jsonb",
    )
    given = [{"id": 1, "n": 1, "d": "abc"}, {"id": 2, "n": 2, "d": {}}, {"id": 3, "n": "x", "d": [1]}]
    result = lab.run("add", records(*given), how=how)
    assert counts(result) == (3, 2, 0, 1)
    assert lab.errors(result, "record_number, column_name") == [(3, "n")]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["add", "add_plain"])
def test_a_domain_whose_check_raises_costs_its_record_alone(lab_of, operation: str, how: str) -> None:
    add = "insert_data: {code: :item.code, n: :item.n}, data_source: :records"
    lab = lab_of(
        entity(
            "name: thing\nfields: {id: integer, code: app.code, n: integer}",
            f'operation: add, {add}, validation_rules: ["n < 5"]',
            f"operation: add_plain, {add}",
        ),
        before="CREATE SCHEMA app; CREATE FUNCTION app.is_code(t text) RETURNS boolean LANGUAGE plpgsql AS"
        " 'BEGIN IF t = ''no'' THEN RAISE ''no code: %'', t; END IF; RETURN true; END';"
        " CREATE DOMAIN app.code AS text CHECK (app.is_code(VALUE))",
    )
    given = [{"code": "a", "n": 1}, {"code": "no", "n": 2}, {"code": "b", "n": "x"}, {"code": "c", "n": 3}]
    result = lab.run(operation, records(*given), how=how)
    assert counts(result) == (4, 2, 0, 2)
    assert lab.errors(result, "record_number, column_name, sqlstate, error_message") == [
        (2, "code", "P0001", "no code: no"),
        (3, "n", "22P02", 'invalid input syntax for type integer: "x"'),
    ]


RAISED = ("40001", "40P01", "55P03", "57014", "P0004")
"""What a session in trouble meets as well, and an assertion's, which OTHERS leaves out."""


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["add", "add_plain", "add_ruled", "put"])
def test_whatever_class_a_domain_or_a_rule_raises_its_record_is_named_and_the_others_are_written(
    lab_of, operation: str, how: str
) -> None:
    add = "operation_type: insert, data_source: :records, insert_data: {id: :item.id, n: :item.n, "
    lab = lab_of(
        entity(
            "name: thing\nfields: {id: integer, code: {type: app.code, unique: true}, label: text, n: integer}",
            f'operation: add, {add}code: :item.code}}, validation_rules: ["n < 5"]',
            f"operation: add_plain, {add}code: :item.code}}",
            f'operation: add_ruled, {add}label: :item.label}}, validation_rules: ["app.is_code(label)"]',
            "operation: put, operation_type: upsert, conflict_target: code, data_source: :records, "
            "upsert_data: {id: :item.id, n: :item.n, code: :item.code}",
        ),
        before="CREATE SCHEMA app; CREATE FUNCTION app.is_code(t text) RETURNS boolean LANGUAGE plpgsql AS"
        " 'BEGIN IF t = ''P0004'' THEN ASSERT false, ''no code: P0004''; END IF;"
        " IF length(t) = 5 THEN RAISE ''no code: %'', t USING ERRCODE = t; END IF; RETURN true; END';"
        " CREATE DOMAIN app.code AS text CHECK (app.is_code(VALUE))",
    )
    field = "label" if operation == "add_ruled" else "code"
    given = [{"id": n, "n": 1, field: code} for n, code in enumerate(("a", *RAISED, "b"), start=1)]
    result = lab.run(operation, records(*given), how=how)
    assert counts(result) == (7, 2, 0, 5)
    assert lab.errors(result, "record_number, sqlstate") == list(enumerate(RAISED, start=2))
    told = lab.rows(
        "SELECT DISTINCT column_name, error_message LIKE '%no code: _____' FROM batch_operation_errors"
    )
    assert told == [(None if operation == "add_ruled" else "code", True)]


def test_a_cancelled_judgement_ends_the_call(lab_of) -> None:
    lab = lab_of(
        entity(
            "name: thing\nfields: {id: integer, code: app.code}",
            "operation: add, operation_type: insert, data_source: :records, "
            "insert_data: {id: :item.id, code: :item.code}",
        ),
        before="CREATE SCHEMA app; CREATE FUNCTION app.is_code(t text) RETURNS boolean LANGUAGE plpgsql AS"
        " 'BEGIN IF t = ''never'' THEN PERFORM pg_sleep(60); END IF; RETURN true; END';"
        " CREATE DOMAIN app.code AS text CHECK (app.is_code(VALUE))",
    )
    lab.do("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        lab.run("add", records({"id": 1, "code": "a"}, {"id": 2, "code": "never"}))
