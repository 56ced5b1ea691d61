"""In a column of json a null that a record holds is JSON's; only a field that is not there is NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .lab import HOW, Lab, counts, entity, records

if TYPE_CHECKING:
    from .conftest import OpenLab

DATA = "{code: :item.code, data: :item.data, old: :item.old, note: :item.note}"
KEPT = "data_source: :records, batch_size: 2"
SPEC = entity(
    """
    name: thing
    fields:
      id: integer
      code: {type: string, unique: true}
      data: jsonb
      old: json
      note: string
    """,
    f"operation: add, operation_type: insert, insert_data: {DATA}, {KEPT}",
    f"operation: add_kept, operation_type: insert, insert_data: {DATA}, {KEPT}, returning: [data]",
    f"operation: add_ruled, operation_type: insert, insert_data: {DATA}, {KEPT}, "
    "validation_rules: [\"data IS NOT NULL AND jsonb_typeof(data) <> 'number'\"]",
    f"operation: put, operation_type: upsert, conflict_target: code, upsert_data: {DATA}, {KEPT}",
    "operation: price, operation_type: update, update_data: {data: :item.data, old: :item.old}, match_on: [code], "
    f'{KEPT}, validation_rules: ["data IS NOT NULL"]',
    "operation: copy_all, operation_type: insert, insert_data: {code: {sql: \"'copy of ' || :item.code\"}, "
    'data: :item.data}, data_source: {query: "SELECT code, data FROM thing ORDER BY id"}',
)
GIVEN = records(
    {"code": "null", "data": None, "old": None, "note": None},
    {"code": "absent"},
    {"code": "value", "data": {"a": None}, "old": [2.5, None], "note": "x"},
)
WRITTEN = [
    ("null", "null", "null", None),
    ("absent", None, None, None),
    ("value", '{"a": null}', "[2.5, null]", "x"),
]
QUERY = "SELECT code, data::text, old::text, note FROM thing ORDER BY id"


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["add", "add_kept", "put"])
def test_null_and_nothing_are_two_values_of_json(lab: Lab, operation: str, how: str) -> None:
    assert counts(lab.run(operation, GIVEN, how=how)) == (3, 3, 0, 0)
    assert lab.rows(QUERY) == WRITTEN


@pytest.mark.parametrize("how", HOW)
def test_they_are_two_for_rules_as_well(lab: Lab, how: str) -> None:
    result = lab.run("add_ruled", GIVEN, how=how)
    assert lab.errors(result, "record_number, sqlstate") == [(2, "P0B08")]
    assert lab.rows(QUERY) == [WRITTEN[0], WRITTEN[2]]


@pytest.mark.parametrize("how", HOW)
def test_they_are_two_for_an_update(lab: Lab, how: str) -> None:
    lab.run("add", records(*({"code": code, "data": 1} for code in ("null", "absent", "value"))))
    given: list[dict[str, Any]] = [{k: v for k, v in item.items() if k != "note"} for item in GIVEN.obj]
    result = lab.run("price", records(*given), how=how)
    assert lab.errors(result, "record_number, sqlstate") == [(2, "P0B08")]
    assert lab.rows("SELECT code, data::text, old::text FROM thing ORDER BY id") == [
        ("null", "null", "null"),
        ("absent", "1", None),
        ("value", '{"a": null}', "[2.5, null]"),
    ]


@pytest.mark.parametrize("how", HOW)
def test_a_record_that_fails_is_found_beside_them(lab: Lab, how: str) -> None:
    lab.run("add", records({"code": "there"}))
    result = lab.run("add", records({"code": "there", "data": None}, *GIVEN.obj, 7), how=how)
    assert lab.errors(result, "record_number, sqlstate") == [(1, "23505"), (5, "22023")]
    assert lab.rows(QUERY)[1:] == WRITTEN


def test_rows_without_a_value_do_not_get_json_null(lab: Lab) -> None:
    lab.run("add", records({"code": "absent"}))
    lab.run("copy_all")
    assert lab.rows("SELECT code, data::text FROM thing ORDER BY id") == [
        ("absent", None),
        ("copy of absent", None),
    ]
