"""Calls that come again: whatever has happened meanwhile, what they ask for is done once."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from gates import PATIENCE, blocked_by, wait_until
from psycopg.types.json import Jsonb

from .lab import CALL, HOW, Lab, entity, records

if TYPE_CHECKING:
    from .conftest import OpenLab

SPEC = entity(
    """
    name: thing
    fields: {id: bigint, n: {type: integer, nullable: false}}
    """,
    """operation: once_open, operation_type: update, update_data: {n: {sql: "n + 1"}},
    where_condition: "id <= :most", batch_size: 4,
    preconditions: ["min(n) = 0"]""",
    """operation: asked, operation_type: update, update_data: {n: {sql: "n + 1"}},
    where_condition: "id = ANY(:ids)", requires_confirmation: true""",
    """operation: alone, operation_type: update, update_data: {n: {sql: "n + 1"}},
    where_condition: "id <= :most", parallel_runs: exclusive""",
    """operation: whole, operation_type: update, update_data: {n: {sql: "n + 1"}},
    where_condition: "id <= :most", atomic: true""",
    """operation: dated, operation_type: update, update_data: {n: {sql: "n + 1"}},
    where_condition: "id <= :most AND :since < NOW() AND :span > '1 second' AND :spent > 0::money
    AND lower(:during) < NOW()", parameters: {since: timestamptz, days: "date[]", span: interval, spent: money,
    during: tstzrange, told: {type: date, default: CURRENT_DATE}}, preconditions: ["cardinality(:days) > 0",
    ":told IS NOT NULL"]""",
    """operation: picked, operation_type: delete, where_condition: "at = ANY(:times)", target_entity: moment""",
    "operation: handed, operation_type: insert, insert_data: {n: :item.n}, data_source: :records",
)
SPEC += "---\nname: moment\nfields: {at: timestamptz}\nprimary_key: at\n"
SETUP = "INSERT INTO thing (id, n) OVERRIDING SYSTEM VALUE SELECT i, 0 FROM generate_series(1, 10) AS i"
NAMES = ("operation_id", "idempotency_key")


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC, SETUP)


def name_of(option: str) -> str:
    return str(uuid4()) if option == "operation_id" else "monday"


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("option", NAMES)
def test_a_call_whose_precondition_it_has_ended_itself_is_repeated_without_harm(
    lab: Lab, option: str, how: str
) -> None:
    named = {option: name_of(option)}
    first = lab.run("once_open", 10, how=how, **named)
    again = lab.run("once_open", 10, how=how, **named)
    assert again == first
    assert lab.rows("SELECT DISTINCT n FROM thing") == [1]
    with pytest.raises(psycopg.Error, match="precondition"):
        lab.call("once_open", 10, how=how)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("option", NAMES)
def test_a_call_that_was_confirmed_need_not_be_confirmed_again(lab: Lab, option: str, how: str) -> None:
    named = {option: name_of(option)}
    first = lab.run("asked", [1, 2], how=how, confirm=True, **named)
    assert lab.run("asked", [1, 2], how=how, **named) == first
    assert lab.rows("SELECT sum(n) FROM thing") == [2]


@pytest.mark.parametrize("option", NAMES)
def test_a_repeated_submission_is_not_refused_as_a_second_run(lab: Lab, option: str) -> None:
    given = f'10, options => \'{{"{option}": "{name_of(option)}"}}\''
    first = lab.submit("alone", given)
    assert lab.submit("alone", given) == first
    with pytest.raises(psycopg.Error) as caught:
        lab.submit("alone", "10")
    assert caught.value.sqlstate == "P0B03"
    called = lab.one(f"SELECT (alone({given})).status")
    assert called == "pending"
    lab.work(first)
    assert lab.rows("SELECT DISTINCT n FROM thing") == [1]


def test_what_comes_back_of_a_submission_under_way_is_where_it_stands(lab: Lab) -> None:
    given = f'10, options => \'{{"operation_id": "{uuid4()}"}}\''
    operation_id = lab.submit("once_open", given)
    for _ in range(2):
        lab.do("SELECT batch_step(%s)", operation_id)
    assert lab.rows(f"SELECT (r).status, (r).processed_records FROM once_open({given}) AS r") == [
        ("running", 4)
    ]


def test_an_id_means_one_call(lab: Lab) -> None:
    operation_id = str(uuid4())
    first = lab.run("once_open", 10, operation_id=operation_id)
    assert str(first.operation_id) == operation_id
    for operation, argument in (("once_open", 9), ("alone", 10)):
        with pytest.raises(psycopg.Error, match=f"operation id {operation_id} was used") as caught:
            lab.call(operation, argument, operation_id=operation_id)
        assert caught.value.sqlstate == "P0B05"
    given = str(uuid4())
    lab.run("asked", [1], confirm=True, operation_id=given)
    with pytest.raises(psycopg.Error, match="with other parameters before"):
        lab.call("asked", [2], confirm=True, operation_id=given)


@pytest.mark.parametrize("option", NAMES)
def test_an_atomic_call_that_failed_is_not_tried_again_under_its_name(lab: Lab, option: str) -> None:
    lab.do("ALTER TABLE thing ADD CONSTRAINT small CHECK (n < 1 OR id <> 7)")
    named = {option: name_of(option)}
    first = lab.run("whole", 10, **named)
    assert first.status == "failed"
    lab.do("ALTER TABLE thing DROP CONSTRAINT small")
    assert lab.run("whole", 10, **named) == first
    assert lab.rows("SELECT DISTINCT n FROM thing") == [0]


@pytest.mark.parametrize("option", NAMES)
@pytest.mark.parametrize("operation", ["once_open", "alone"])
def test_two_sessions_that_make_one_call_at_once_do_its_work_once(
    lab: Lab, option: str, operation: str
) -> None:
    named = {option: name_of(option)}
    other = lab.connect()
    results: list[Any] = []
    with other.transaction():
        first = Lab(lab.dsn, other).run(operation, 10, **named)
        asking = threading.Thread(target=lambda: results.append(lab.run(operation, 10, **named)), daemon=True)
        asking.start()
        wait_until(lambda: blocked_by(other))
        if option == "operation_id":
            assert lab.connect().execute("SELECT batch_call_state(%s)", [first.operation_id]).fetchone() == (
                "running",
            )
    asking.join(PATIENCE)
    assert results == [first]
    assert lab.rows("SELECT DISTINCT n FROM thing") == [1]
    assert lab.one("SELECT batch_call_state(%s)", first.operation_id) == "stored"
    assert lab.one("SELECT batch_call_state(%s)", uuid4()) == "absent"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('{"operation_id": "7"}', 'option operation_id: "7" is not a UUID'),
        ('{"operation_id": ""}', 'option operation_id: "" is not a UUID'),
        ('{"operation_id": null}', "option operation_id: it takes a JSON string, not null"),
        ('{"idempotency_key": ""}', "option idempotency_key: it is empty"),
        ('{"idempotency_key": null}', "option idempotency_key: it takes a JSON string, not null"),
        ('{"idempotency_key": 7}', "option idempotency_key: it takes a JSON string, not number"),
        ('{"idempotency_key": ["a"]}', "option idempotency_key: it takes a JSON string, not array"),
        ('{"batch_size": true}', "option batch_size: it takes a JSON number, not boolean"),
        ('{"batch_size": [5]}', "option batch_size: it takes a JSON number, not array"),
        ('{"max_records": null}', "option max_records: it takes a JSON number, not null"),
        ('{"max_errors": {}}', "option max_errors: it takes a JSON number, not object"),
        ('{"max_errors": "many"}', 'option max_errors: "many" is not a whole number'),
        ('{"priority": null}', "option priority: it takes a JSON number, not null"),
        ('{"error_handling": null}', "option error_handling: it takes a JSON string, not null"),
        ('{"timeout": null}', "option timeout: it takes a JSON string, not null"),
        ('{"timeout": 5}', "option timeout: it takes a JSON string, not number"),
        ('{"context": "x"}', "option context: it takes a JSON object, not string"),
        ('{"context": null}', "option context: it takes a JSON object, not null"),
        ('{"context": []}', "option context: it takes a JSON object, not array"),
        ("null", "options must be a JSON object, not null"),
    ],
)
@pytest.mark.parametrize("how", HOW)
def test_an_option_that_means_nothing_is_refused_by_its_name(
    lab: Lab, options: str, told: str, how: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        lab.rows(f"SELECT alone{'_submit' if how == 'submit' else ''}(10, options => '{options}')")
    assert (caught.value.sqlstate, told in str(caught.value)) == ("22023", True), caught.value
    assert lab.rows("SELECT DISTINCT n FROM thing") == [0]


def identified(lab: Lab, operation: str, *arguments: Any, how: str, **named: str) -> Any:
    """The id of the operation that a call leads to."""
    given = ", ".join(["%s"] * len(arguments))
    values = [*arguments, Jsonb(named)]
    if how == CALL:
        return lab.one(f"SELECT (r).operation_id FROM {operation}({given}, options => %s) AS r", *values)
    return lab.submit(operation, f"{given}, options => %s", values)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("option", NAMES)
def test_a_call_is_the_same_in_a_session_that_writes_times_and_amounts_otherwise(
    lab: Lab, option: str, how: str
) -> None:
    asked = (
        "2020-02-01 12:00Z", "{2020-02-01,2020-03-02}", "1 day 02:00", "3", "[2020-02-01 12:00Z,2020-03-01 12:00Z)", 10,
    )  # fmt: skip
    times = ["2020-02-01 12:00Z", "2020-03-02 12:00Z"]
    for operation, arguments in (("dated", asked), ("picked", [times])):
        named = {option: name_of(option)}
        first = identified(lab, operation, *arguments, how=how, **named)
        with lab.connect() as other:
            there = replace(lab, connection=other)
            for setting, value in (
                ("TimeZone", "Asia/Tokyo"),
                ("DateStyle", "SQL, YMD"),
                ("IntervalStyle", "iso_8601"),
            ):
                there.do("SELECT set_config(%s, %s, false)", setting, value)
                assert identified(there, operation, *arguments, how=how, **named) == first


@pytest.mark.parametrize(
    ("place", "other"),
    [
        *((0, "2020-02-01 12:00:01Z"), (1, "{2020-02-01}"), (2, "1 day 02:01"), (3, "4")),
        *((4, "[2020-02-01,2020-03-02)"), (5, 11)),
    ],
)
def test_another_time_or_amount_is_another_call(lab: Lab, place: int, other: str) -> None:
    asked = [
        "2020-02-01 12:00Z",
        "{2020-02-01,2020-03-02}",
        "1 day 02:00",
        "3",
        "[2020-02-01,2020-03-01)",
        10,
    ]
    lab.run("dated", *asked, idempotency_key="monday")
    asked[place] = other
    with pytest.raises(psycopg.Error, match="with other parameters before"):
        lab.call("dated", *asked, idempotency_key="monday")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("option", NAMES)
def test_other_records_are_another_call(lab: Lab, option: str, how: str) -> None:
    named = {option: name_of(option)}
    first = lab.run("handed", records({"n": 7}, {"n": 8}), how=how, **named)
    assert lab.run("handed", records({"n": 7}, {"n": 8}), how=how, **named).operation_id == first.operation_id
    for other in (records({"n": 7}, {"n": 9}), records({"n": 7}), records({"n": None}, {"n": 8})):
        with pytest.raises(psycopg.Error, match="with other parameters before"):
            lab.call("handed", other, how=how, **named)
