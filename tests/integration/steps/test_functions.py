"""Functions that steps call: how often, with what, and what becomes of what they return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from operations.lab import HOW, SUBMIT, Lab, counts

from .ways import WAYS, output, run, steps

if TYPE_CHECKING:
    from operations.conftest import OpenLab

SPEC = """
name: item
fields: {id: integer, v: text, w: integer}
patterns:
  - {name: batch_operations, operation: number_all, batch_size: 7, steps: [
      {name: pick_rows, select_fields: [id, v], where_condition: "true"},
      {name: draw_numbers, function: draw, input: [":rows.v"], output: drawn},
      {name: put_numbers, operation_type: update, data_source: ":drawn", match_on: [id],
       update_data: {w: ":drawn.n"}}]}
  - {name: batch_operations, operation: ping_each, batch_size: 5, steps: [
      {name: pick_rows, select_fields: [id], where_condition: "true"},
      {name: ping_all, function: ping, input: ["x"], data_source: ":rows"}]}
  - {name: batch_operations, operation: tell_lists, batch_size: 8, steps: [
      {name: pick_rows, select_fields: [id], where_condition: "true"},
      {name: tell_all, function: tell, input: ":rows_ids", output: told},
      {name: put_told, upsert_data: {id: ":told.id", v: ":told.v"}, conflict_target: id}]}
  - {name: batch_operations, operation: through_kind, batch_size: 3,
     retry: {max_attempts: 3, backoff: "1ms"}, steps: [
      {name: pick_rows, select_fields: [id], where_condition: "id <= 4"},
      {name: compute_it, function: kind, input: [":rows.id"], output: got},
      {name: put_it, upsert_data: {id: ":got.id", v: ":got.v"}, conflict_target: id}]}
  - {name: batch_operations, operation: value_of, steps: [
      {name: pick_rows, select_fields: [id], where_condition: "id <= 4"},
      {name: compute_it, function: kind, input: [":rows.id"], output: got},
      {name: put_it, upsert_data: {id: ":got.value", v: seen}, conflict_target: id}]}
  - {name: batch_operations, operation: tell_alone, function: tell, input: ":ids", parameters: {ids: "integer[]"}}
"""
SETUP = """
    CREATE TABLE log (call integer GENERATED ALWAYS AS IDENTITY, what text);
    CREATE SEQUENCE tries;
    CREATE TYPE pair AS (id integer, v text);
    CREATE FUNCTION ping(t text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.log (what) VALUES ($1)';
    INSERT INTO item (v) SELECT 'same' FROM generate_series(1, 20);
"""


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC, SETUP)


def log(lab: Lab) -> list[Any]:
    return lab.rows("SELECT what FROM log ORDER BY what")


@pytest.mark.parametrize("way", WAYS)
def test_a_function_that_draws_a_number_draws_one_for_each_record(lab: Lab, way: str) -> None:
    # It ignores its argument: a join would call it once for a whole batch, and all invoices had one number.
    lab.do(
        "CREATE FUNCTION draw(t text, OUT id integer, OUT n integer) LANGUAGE sql VOLATILE"
        " AS $$ SELECT g, g FROM (SELECT nextval('public.tries')::integer AS g) AS drawn $$"
    )
    result = run(lab, "number_all", way=way)
    assert (result.status, counts(result)) == ("completed", (60, 60, 0, 0))
    assert lab.rows("SELECT w FROM item ORDER BY id") == list(range(1, 21))


@pytest.mark.parametrize("way", WAYS)
def test_a_function_that_is_handed_nothing_of_the_record_is_called_for_each_all_the_same(
    lab: Lab, way: str
) -> None:
    run(lab, "ping_each", way=way)
    assert log(lab) == ["x"] * 20


BAD = """
    CREATE FUNCTION tell(ids integer[]) RETURNS TABLE (id integer, v text) LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM nextval('public.tries');
        INSERT INTO public.log (what) SELECT lpad(u::text, 2, '0') FROM unnest(ids) AS u;
        %s
        RETURN QUERY SELECT u, 'told' FROM unnest(ids) AS u;
    END $$;
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "failure", ["RAISE EXCEPTION 'not 11';", "ASSERT false, 'not 11';", "PERFORM 1 / (cardinality(ids) * 0);"]
)
def test_one_bad_record_of_an_array_and_nothing_of_the_failed_tries_stays(
    lab: Lab, way: str, failure: str
) -> None:
    lab.do(BAD % f"IF 11 = ANY (ids) THEN {failure} END IF;")
    result = run(lab, "tell_lists", way=way)
    assert steps(lab, result) == [
        ("pick_rows", "completed", 20, 20, 0, 0),
        ("tell_all", "completed_with_errors", 20, 19, 0, 1),
        ("put_told", "completed", 19, 19, 0, 0),
    ]
    assert log(lab) == [f"{n:02}" for n in range(1, 21) if n != 11], "each once, but the bad one never"
    assert lab.one("SELECT count(*) FROM item WHERE v = 'told'") == 19
    assert lab.one("SELECT last_value FROM tries") > 3, "it was tried with smaller arrays"


@pytest.mark.parametrize("way", HOW)
@pytest.mark.parametrize("state", ["40P01", "55P03"])
def test_a_function_that_meets_a_lock_twice_is_called_a_third_time(lab: Lab, way: str, state: str) -> None:
    lab.do(
        BAD
        % f"IF currval('public.tries') < 3 THEN RAISE EXCEPTION 'locked' USING ERRCODE = '{state}'; END IF;"
    )
    lab.do("ALTER FUNCTION tell SET search_path = ''")
    result = run(lab, "tell_alone", [1, 2, 3], way=way)
    assert counts(result) == (3, 3, 0, 0)
    assert log(lab) == ["01", "02", "03"]


@pytest.mark.parametrize("way", HOW)
@pytest.mark.parametrize("state", ["57014", "42P01", "53100"])
def test_what_a_function_raises_for_one_record_costs_that_record_whatever_its_class(
    lab: Lab, state: str, way: str
) -> None:
    lab.do(BAD % f"IF 11 = ANY (ids) THEN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END IF;")
    result = run(lab, "tell_lists", way=way)
    assert steps(lab, result)[1] == ("tell_all", "completed_with_errors", 20, 19, 0, 1)
    assert lab.errors(result, "step, sqlstate") == [("tell_all", state)]
    assert log(lab) == [f"{n:02}" for n in range(1, 21) if n != 11]


def test_a_table_that_a_function_misses_is_blamed_on_no_record_and_the_operation_resumes(lab: Lab) -> None:
    lab.do(BAD % "PERFORM FROM public.absent;")
    operation_id = lab.submit("tell_lists")
    with pytest.raises(psycopg.errors.UndefinedTable, match="absent"):
        lab.work(operation_id)
    assert lab.status(operation_id).status == "running"
    assert lab.rows("SELECT * FROM batch_operation_errors") == []
    lab.do("DROP FUNCTION tell")
    lab.do(BAD % "")
    lab.work(operation_id)
    assert counts(lab.status(operation_id)) == (60, 60, 0, 0)
    assert log(lab) == [f"{n:02}" for n in range(1, 21)], "what was done before is not done again"


def test_of_rows_with_the_same_key_the_first_that_the_function_returned_counts(lab: Lab) -> None:
    lab.do(
        "CREATE FUNCTION tell(ids integer[]) RETURNS TABLE (id integer, v text) LANGUAGE sql AS"
        " $$ SELECT 1, 'z first' UNION ALL SELECT 1, 'a second' UNION ALL SELECT 2, 'two' $$"
    )
    result = run(lab, "tell_lists", max_records=8)
    assert steps(lab, result)[2] == ("put_told", "completed_with_errors", 3, 2, 0, 1)
    assert lab.errors(result, "step, sqlstate, record_key") == [("put_told", "21000", {"id": 1})]
    assert lab.rows("SELECT v FROM item WHERE id <= 2 ORDER BY id") == ["z first", "two"]
    assert [row["v"] for row in output(lab, result, "tell_all")] == ["z first", "a second", "two"]


ROWS = [{"id": n, "v": f"k{n}"} for n in range(1, 5)]
KINDS = {
    "composite": ("(i integer) RETURNS pair", "SELECT $1, 'k' || $1", ROWS),
    "set of composite": ("(i integer) RETURNS SETOF pair", "SELECT $1, 'k' || $1 WHERE $1 > 1", ROWS[1:]),
    "out parameters": ("(i integer, OUT id integer, OUT v text)", "SELECT $1, 'k' || $1", ROWS),
    "table": ("(i integer) RETURNS TABLE (id integer, v text)", "SELECT $1, 'k' || $1", ROWS),
    "more rows than asked": (
        "(i integer) RETURNS TABLE (id integer, v text)",
        "SELECT $1 * 10 + g, 'k' FROM generate_series(1, 2) AS g",
        [{"id": n * 10 + g, "v": "k"} for n in range(1, 5) for g in (1, 2)],
    ),
    "no rows": ("(i integer) RETURNS TABLE (id integer, v text)", "SELECT 1, '' WHERE false", []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_function_returns_is_rows_for_the_next_step(lab: Lab, kind: str) -> None:
    signature, body, rows = KINDS[kind]
    lab.do(f"CREATE FUNCTION kind{signature} LANGUAGE sql SET search_path = public AS $$ {body} $$")
    result = run(lab, "through_kind", way=SUBMIT)
    assert output(lab, result, "compute_it") == rows
    assert steps(lab, result) == [
        ("pick_rows", "completed", 4, 4, 0, 0),
        ("compute_it", "completed", 4, 4, 0, 0),
        ("put_it", "completed", len(rows), len(rows), 0, 0),
    ]


@pytest.mark.parametrize(
    ("returns", "body"), [("integer", "SELECT $1"), ("SETOF integer", "SELECT $1"), ("integer", "SELECT $1")]
)
def test_a_scalar_is_a_row_with_a_value(lab: Lab, returns: str, body: str) -> None:
    lab.do(f"CREATE FUNCTION kind(i integer) RETURNS {returns} LANGUAGE sql AS $$ {body} $$")
    assert counts(run(lab, "value_of")) == (12, 12, 0, 0)
    assert lab.one("SELECT count(*) FROM item WHERE v = 'seen'") == 4


def test_null_fails_where_it_is_not_allowed_and_is_not_dropped(lab: Lab) -> None:
    lab.do("CREATE FUNCTION kind(i integer) RETURNS integer LANGUAGE sql AS 'SELECT nullif($1, 2)'")
    result = run(lab, "value_of")
    assert lab.errors(result, "step, sqlstate") == [("put_it", "23502")]


@pytest.mark.parametrize("returns", ["integer", "void", "jsonb"])
@pytest.mark.parametrize("way", HOW)
def test_a_column_that_the_rows_lack_is_named_before_every_record_is_written_with_null(
    lab: Lab, way: str, returns: str
) -> None:
    body = "SELECT NULL::jsonb" if returns == "jsonb" else "SELECT 1" if returns == "integer" else "SELECT"
    lab.do(f"CREATE FUNCTION kind(i integer) RETURNS {returns} LANGUAGE sql AS $$ {body} $$")
    result = run(lab, "through_kind", way=way)
    assert result.status == "completed_with_errors"
    assert 'step put_it failed: the rows that it goes through have no column "id", "v"' in result.message


def test_a_function_that_is_missing_can_be_created_while_the_operation_waits(lab: Lab) -> None:
    operation_id = lab.submit("through_kind")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        lab.work(operation_id)
    lab.do("CREATE FUNCTION kind(i integer) RETURNS pair LANGUAGE sql AS $$ SELECT ($1, 'k')::public.pair $$")
    lab.work(operation_id)
    assert counts(lab.status(operation_id)) == (12, 12, 0, 0)


@pytest.mark.parametrize("way", HOW)
def test_a_constraint_that_waits_for_the_end_is_asked_for_each_record_that_a_function_wrote(
    lab: Lab, way: str
) -> None:
    lab.do("CREATE TABLE child (item_id integer REFERENCES item DEFERRABLE INITIALLY DEFERRED)")
    lab.do(
        "CREATE FUNCTION kind(i integer) RETURNS pair LANGUAGE sql SET search_path = public AS $$"
        " INSERT INTO child VALUES (CASE WHEN $1 = 2 THEN 99 ELSE $1 END);"
        " SELECT $1, 'k' $$"
    )
    result = run(lab, "through_kind", way=way)
    assert lab.errors(result, "step, sqlstate, record_key") == [("compute_it", "23503", {"id": 2})]
    assert lab.rows("SELECT item_id FROM child ORDER BY 1") == [1, 3, 4]
