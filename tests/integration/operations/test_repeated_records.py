"""Of records with one key the first valid one counts: what is not written hides none that could be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .lab import HOW, Lab, counts, entity, records

if TYPE_CHECKING:
    from .conftest import OpenLab

DATA = "{code: :item.code, price: :item.price, made_on: :item.made_on}"
WHOLE = f"data_source: :records, batch_size: 2, conflict_target: code, upsert_data: {DATA}"
RULE = 'validation_rules: ["price > 0"]'
SPEC = entity(
    """
    name: thing
    fields: {id: integer, code: {type: string, unique: true}, price: {type: integer, check: "price > -9"}, made_on: date}
    """,
    f"operation: put_all, operation_type: upsert, {WHOLE.replace('batch_size: 2', 'batch_size: 8')}",
    f"operation: put, operation_type: upsert, {WHOLE}",
    f"operation: put_ruled, operation_type: upsert, {WHOLE}, {RULE}",
    f"operation: put_skipping, operation_type: upsert, {WHOLE}, {RULE}, skip_invalid_rows: true",
    f"operation: price, operation_type: update, data_source: :records, match_on: [code], {RULE}, batch_size: 2, "
    "update_data: {price: :item.price, made_on: :item.made_on}",
    "operation: drop_code, operation_type: delete, data_source: :records, match_on: [code], batch_size: 2, "
    'where_condition: "price < :item.price"',
    f"operation: take, operation_type: upsert, {WHOLE.replace(':records', '{query: SELECT * FROM incoming ORDER BY n}')}, "
    f"{RULE}",
)
BEFORE = "CREATE TABLE incoming (n integer, code text, price text, made_on text)"
UNREADABLE, BROKEN, FIRST, SECOND = (
    {"code": "a", "price": 1, "made_on": "soon"},
    {"code": "a", "price": -1},
    {"code": "a", "price": 2},
    {"code": "a", "price": 3},
)
OTHER = {"code": "b", "price": 9}


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC, "", BEFORE)


def errors(lab: Lab, result: Any) -> list[Any]:
    return lab.errors(result, "record_number, sqlstate")


def rows(lab: Lab) -> list[Any]:
    return lab.rows("SELECT code, price FROM thing ORDER BY code")


@pytest.mark.parametrize("how", HOW)
def test_a_record_is_not_refused_for_one_that_cannot_be_read(lab: Lab, how: str) -> None:
    result = lab.run("put", records(UNREADABLE, OTHER, FIRST, OTHER, UNREADABLE, SECOND), how=how)
    assert errors(lab, result) == [(1, "22007"), (4, "21000"), (5, "22007"), (6, "21000")]
    assert rows(lab) == [("a", 2), ("b", 9)]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("invalid", [UNREADABLE, BROKEN])
def test_a_record_is_not_refused_for_one_that_breaks_a_rule(
    lab: Lab, invalid: dict[str, Any], how: str
) -> None:
    result = lab.run("put_ruled", records(invalid, invalid, OTHER, FIRST, SECOND, BROKEN), how=how)
    assert [number for number, _ in errors(lab, result)] == [1, 2, 5, 6]
    assert errors(lab, result)[2] == (5, "21000")
    assert errors(lab, result)[3] == (6, "P0B08")
    assert rows(lab) == [("a", 2), ("b", 9)]


@pytest.mark.parametrize("how", HOW)
def test_invalid_records_that_are_skipped_hide_none(lab: Lab, how: str) -> None:
    result = lab.call("put_skipping", records(BROKEN, UNREADABLE, FIRST, SECOND), how=how)
    assert counts(result) == (4, 1, 2, 1)
    assert rows(lab) == [("a", 2)]


@pytest.mark.parametrize("how", HOW)
def test_an_update_takes_the_first_valid_record_of_a_row(lab: Lab, how: str) -> None:
    lab.run("put", records({"code": "a", "price": 7}))
    result = lab.run("price", records(BROKEN, UNREADABLE, FIRST, SECOND), how=how)
    assert counts(result) == (4, 1, 0, 3)
    assert rows(lab) == [("a", 2)]


@pytest.mark.parametrize("how", HOW)
def test_a_delete_takes_the_first_readable_record_of_a_row(lab: Lab, how: str) -> None:
    lab.run("put", records({"code": "a", "price": 1}))
    result = lab.run("drop_code", records({"code": "a", "price": "dear"}, {"code": "a", "price": 2}), how=how)
    assert errors(lab, result) == [(1, "22P02")]
    assert rows(lab) == []


@pytest.mark.parametrize("how", HOW)
def test_rows_of_a_query_are_told_apart_in_the_same_way(lab: Lab, how: str) -> None:
    lab.do(
        "INSERT INTO incoming VALUES (1, 'a', 'dear'), (2, 'a', '-1'), (3, 'b', '9'), (4, 'a', '2'), (5, 'a', '3')"
    )
    result = lab.run("take", how=how)
    assert errors(lab, result) == [(1, "22P02"), (2, "P0B08"), (5, "21000")]
    assert rows(lab) == [("a", 2), ("b", 9)]


def test_the_first_invalid_record_still_stops_an_operation(lab: Lab) -> None:
    result = lab.run("put_ruled", records(OTHER, BROKEN, FIRST), error_handling="stop_on_error")
    assert result.status == "failed"
    assert errors(lab, result) == [(2, "P0B08")]


@pytest.mark.parametrize("how", HOW)
def test_what_stands_before_a_repeated_record_is_not_written_again_when_one_behind_it_fails(
    lab: Lab, how: str
) -> None:
    lab.do(
        "CREATE TABLE seen (code text); CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.seen VALUES (NEW.code); RETURN NULL; END $$;"
        " CREATE TRIGGER seen AFTER INSERT OR UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION see()"
    )
    given = [{"code": code, "price": 1} for code in "abcbdefg"]
    given[4]["price"] = -10
    result = lab.run("put_all", records(*given), how=how)
    assert counts(result) == (8, 6, 0, 2)
    assert errors(lab, result) == [(4, "21000"), (5, "23514")]
    assert lab.rows("SELECT code FROM seen ORDER BY code") == ["a", "b", "c", "e", "f", "g"]
