"""Tables whose key is not what the spec says: nothing is lost or written twice, for nothing begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from .lab import CALL, HOW, SUBMIT, audited, counts, entity, records

if TYPE_CHECKING:
    from .lab import Lab

HEAD = """
    name: thing
    managed: false
    fields: {{id: "{type}", label: string, price: integer}}
    """
ROWS = 'operation: raise_all, operation_type: update, batch_size: 3, update_data: {price: 1}, where_condition: "true"'
KEYS = 'operation: raise_some, operation_type: update, update_data: {price: 1}, where_condition: "id = ANY(:ids)"'
MATCH = "operation: price, operation_type: update, update_data: {price: :item.price}, data_source: :records"
KEPT = (
    "operation: add, operation_type: insert, insert_data: {id: :item.id, price: :item.price}, "
    "data_source: :records, returning: [id]"
)
CALLS = {"raise_all": "", "raise_some": "'{}'", "price": "'[]'", "add": "'[]'"}


def spec(type_: str) -> str:
    return entity(HEAD.format(type=type_), ROWS, KEYS, MATCH, KEPT)


def table(type_: str, key: str = "PRIMARY KEY") -> str:
    return f"CREATE TABLE thing (id {type_} {key}, label text, price integer)"


def refused(lab: Lab, operation: str, how: str = CALL) -> psycopg.Error:
    name = operation if how == CALL else f"{operation}_submit"
    with pytest.raises(psycopg.Error) as caught:
        lab.do(f"SELECT {name}({CALLS[operation]})")
    assert lab.rows("SELECT operation_id FROM batch_operations") == []
    return caught.value


@pytest.mark.parametrize("operation", CALLS)
def test_no_operation_begins_with_a_key_of_another_type(lab_of: Any, operation: str) -> None:
    lab = lab_of(spec("string"), before=table("char(10)"))
    error = refused(lab, operation)
    assert (error.sqlstate, error.diag.column_name) == ("P0B10", "id")
    assert str(error).startswith(f"{operation}: id of public.thing is character(10), and text in the spec")


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("char(10)", "character(9)"),
        ("real", "float"),
        ("double precision", "real"),
        ("timestamp", "timestamptz"),
        ("timestamptz", "timestamptz(3)"),
        ("citext", "string"),
        ("uuid", "string"),
        ("text", "varchar(10)"),
        ("varchar(20)", "varchar(10)"),
        ("numeric(10,2)", "decimal(10,1)"),
        ("numeric", "decimal(10,2)"),
        ("numeric", "bigint"),
        ("bigint", "integer"),
        ("date", "timestamptz"),
        ("mood", "string"),
        ("code", "string"),
    ],
)
def test_no_row_is_lost_where_the_key_is_of_another_type(lab_of: Any, there: str, here: str) -> None:
    types = "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN code AS char(4);"
    lab = lab_of(spec(here), before=types + table(there))
    lab.do("SET search_path = ''")
    type_ = lab.one(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attname = 'id' AND attrelid = 'public.thing'::regclass"
    )
    lab.do("RESET search_path")
    error = refused(lab, "raise_all")
    assert (error.sqlstate, error.diag.column_name) == ("P0B10", "id")
    assert f"Write {type_}, or give the column the type" in str(error)


@pytest.mark.parametrize(
    ("there", "here", "values"),
    [
        ("varchar(10)", "string", ["a", "b"]),
        ("varchar(10)", "varchar", ["a", "b"]),
        ("text", "varchar", ["a", "b"]),
        ("varchar(10)", "varchar(10)", ["a", "b"]),
        ("char(10)", "character(10)", ["a", "b"]),
        ("citext", "citext", ["a", "B"]),
        ("citext", "public.citext", ["a", "B"]),
        ("numeric(10,2)", "decimal", ["1.50", "2.25"]),
        ("numeric(10,2)", "decimal(10,2)", ["1.50", "2.25"]),
        ("smallint", "integer", ["1", "2"]),
        ("smallint", "bigint", ["1", "2"]),
        ("integer", "bigint", ["1", "2"]),
        ("timestamptz(3)", "timestamptz", ["2026-01-01 00:00:00.123Z", "2026-01-02 00:00Z"]),
        ("timestamptz(3)", "timestamptz(3)", ["2026-01-01 00:00:00.123Z", "2026-01-02 00:00Z"]),
        ("timestamp(3)", "timestamp(3) without time zone", ["2026-01-01 00:00:00.123", "2026-01-02 00:00"]),
        ("time(3)", "time(3)", ["00:00:00.123", "00:00:01"]),
        ("interval(3)", "interval(3)", ["1 day 0.123 seconds", "2 days"]),
        ("short", "string", ["a", "b"]),
        ("shorter", "string", ["a", "b"]),
        ("shorter", "app.shorter", ["a", "b"]),
        ("real", "real", ["0.1", "1e-20"]),
        ("bit", "bit", ["0", "1"]),
    ],
)
@pytest.mark.parametrize("how", HOW)
def test_a_key_that_differs_in_what_it_refuses_finds_its_rows(
    lab_of: Any, there: str, here: str, values: list[str], how: str
) -> None:
    types = """
        CREATE EXTENSION citext; CREATE SCHEMA app; SET search_path = public, app;
        CREATE DOMAIN app.short AS varchar(5); CREATE DOMAIN app.shorter AS app.short CHECK (length(value) < 3);
    """
    lab = lab_of(spec(here), before=types + table(there))
    for value in values:
        lab.do(
            f"INSERT INTO thing VALUES (CAST(%s AS app.{there}))"
            if "short" in there
            else f"INSERT INTO thing VALUES (CAST(%s AS {there}))",
            value,
        )
    assert counts(lab.run("raise_all", how=how)) == (2, 2, 0, 0)
    keys = lab.one("SELECT array_agg(id::text) FROM thing")
    kind = "timestamp" if here.startswith("timestamp(") else here
    kind = {"string": "text", "decimal": "numeric"}.get(kind, kind)
    given = "{" + ",".join(f'"{key}"' for key in keys) + "}"
    if how == CALL:
        result = lab.connection.execute(f"SELECT (r).* FROM raise_some('{given}') AS r".encode()).fetchone()
        lab.check(result)
        assert counts(result) == (2, 2, 0, 0), kind
    items = [{"id": key, "price": 5} for key in keys]
    assert counts(lab.run("price", records(*items), how=how)) == (2, 2, 0, 0)
    assert lab.rows("SELECT price FROM thing") == [5, 5]


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    ("key", "more", "said"),
    [
        ("", "", "no unique index of public.thing is on (id)"),
        (
            "NOT NULL",
            "CREATE UNIQUE INDEX ON thing (id) WHERE price > 0",
            "no unique index of public.thing is on (id)",
        ),
        ("NOT NULL", "CREATE UNIQUE INDEX ON thing (abs(id))", "no unique index of public.thing is on (id)"),
        (
            "NOT NULL",
            "CREATE UNIQUE INDEX ON thing (id, label)",
            "no unique index of public.thing is on (id)",
        ),
        (
            "NOT NULL",
            "CREATE UNIQUE INDEX ON thing (label) INCLUDE (id)",
            "no unique index of public.thing is on (id)",
        ),
        (
            "PRIMARY KEY",
            "CREATE TABLE child () INHERITS (thing)",
            "public.thing is the parent of public.child",
        ),
    ],
)
def test_no_row_is_written_twice_where_a_key_is_that_of_several(
    lab_of: Any, key: str, more: str, said: str, operation: str
) -> None:
    lab = lab_of(spec("integer"), before=f"{table('integer', key)}; {more}")
    error = refused(lab, operation, SUBMIT if more else CALL)
    assert error.sqlstate == "P0B10"
    assert said in str(error)
    assert "Nothing was changed" in str(error)


def test_no_row_without_a_key_is_left_behind(lab_of: Any) -> None:
    lab = lab_of(spec("integer"), before=table("integer", "UNIQUE"))
    lab.do("INSERT INTO thing VALUES (NULL), (1)")
    assert "id of public.thing may be NULL" in str(refused(lab, "raise_all"))
    assert counts(lab.run("raise_some", [1])) == (1, 1, 0, 0)
    assert counts(lab.run("price", records({"id": 1, "price": 7}))) == (1, 1, 0, 0)


def test_a_column_more_in_the_key_than_in_the_index_is_no_harm(lab_of: Any) -> None:
    head = """
        name: thing
        managed: false
        primary_key: [id, label]
        fields: {id: integer, label: string, price: integer}
        """
    lab = lab_of(
        entity(head, ROWS),
        before="CREATE TABLE thing (label text NOT NULL, id integer PRIMARY KEY, price integer)",
    )
    lab.do("INSERT INTO thing SELECT n, n, 0 FROM generate_series(1, 9) AS n")
    assert counts(lab.run("raise_all")) == (9, 9, 0, 0)


def test_partitions_have_the_key_of_their_root(lab_of: Any) -> None:
    parts = """
        CREATE TABLE thing (id integer PRIMARY KEY, label text, price integer) PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF thing FOR VALUES FROM (0) TO (5);
        CREATE TABLE high PARTITION OF thing FOR VALUES FROM (5) TO (100);
    """
    lab = lab_of(spec("integer"), before=parts)
    lab.do("INSERT INTO thing SELECT n FROM generate_series(1, 9) AS n")
    assert counts(lab.run("raise_all")) == (9, 9, 0, 0)


VIEWS = """
    CREATE TABLE base (code text UNIQUE, "the number" integer NOT NULL{key}, price integer);
    CREATE VIEW "in between" AS
    SELECT price, "the number" AS n, upper(code) AS code, code AS "a b}}" FROM base
     WHERE code IN (SELECT code FROM base WHERE price < 10);
    CREATE VIEW thing AS SELECT n AS id, "a b}}" AS label, price FROM "in between";
"""


def test_a_view_of_one_table_has_the_keys_of_that_table(lab_of: Any) -> None:
    lab = lab_of(spec("integer"), before=VIEWS.format(key=" PRIMARY KEY"))
    lab.do("INSERT INTO base SELECT n, n, 0 FROM generate_series(1, 9) AS n")
    assert counts(lab.run("raise_all")) == (9, 9, 0, 0)


def test_a_view_of_a_table_whose_key_repeats_is_refused(lab_of: Any) -> None:
    lab = lab_of(spec("integer"), before=VIEWS.format(key=""))
    assert 'no unique index of public.base is on ("the number")' in str(refused(lab, "raise_all"))


JOINED = """
    CREATE TABLE left_one (id integer PRIMARY KEY, label text);
    CREATE TABLE right_one (id integer, price integer);
    CREATE VIEW thing AS SELECT id, label, price FROM left_one LEFT JOIN right_one USING (id);
    CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE public.right_one SET price = NEW.price WHERE id = NEW.id;
        RETURN NEW;
    END $$;
    CREATE TRIGGER put INSTEAD OF UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION put();
    INSERT INTO left_one SELECT n, n FROM generate_series(1, 5) AS n;
    INSERT INTO right_one SELECT n, 0 FROM generate_series(1, 5) AS n;
"""


def test_the_rows_of_a_joined_view_tell_whether_its_key_is_one(lab_of: Any) -> None:
    lab = lab_of(spec("integer"), before=JOINED)
    assert counts(lab.run("raise_all")) == (5, 5, 0, 0)
    lab.do("DELETE FROM batch_operations")
    lab.do("INSERT INTO right_one VALUES (3, 0)")
    assert "the key [3] is not that of one row of public.thing" in str(refused(lab, "raise_all"))
    lab.do("DELETE FROM right_one WHERE id = 3")
    lab.do(
        "CREATE OR REPLACE VIEW thing AS SELECT nullif(id, 3) AS id, label, price FROM left_one JOIN right_one USING (id)"
    )
    lab.do("INSERT INTO right_one VALUES (3, 0)")
    assert "the key [null] is not that of one row of public.thing" in str(refused(lab, "raise_all"))
    assert counts(lab.run("raise_some", [1, 2])) == (2, 2, 0, 0)


def test_several_rows_of_a_record_are_meant_where_the_spec_has_no_key_there(lab_of: Any) -> None:
    by_label = (
        "operation: price, operation_type: update, update_data: {price: :item.price}, data_source: :records, "
        "match_on: [label]"
    )
    lab = lab_of(entity(HEAD.format(type="integer"), by_label), before=table("integer", ""))
    lab.do("INSERT INTO thing VALUES (1, 'a', 0), (1, 'a', 0)")
    assert counts(lab.run("price", records({"label": "a", "price": 3}))) == (1, 1, 0, 0)
    lab.do("ALTER TABLE thing ALTER COLUMN label TYPE char(10)")
    lab.do("DELETE FROM batch_operations")
    assert "label of public.thing is character(10), and text in the spec" in str(refused(lab, "price"))


@pytest.mark.parametrize("how", HOW)
def test_no_step_begins_where_a_later_ones_key_is_not_one(lab_of: Any, how: str) -> None:
    """The first step works on a table whose key is one; it must not have run when the second is refused."""
    two = """
name: other
managed: false
fields: {id: integer, price: integer}
---
name: thing
managed: false
fields: {id: integer, label: string, price: integer}
patterns:
  - name: batch_operations
    operation: raise_steps
    steps:
      - {name: raise_first, target_entity: other, operation_type: update, update_data: {price: 1}, where_condition: "true"}
      - {name: raise_then, operation_type: update, update_data: {price: 1}, where_condition: "true"}
"""
    other = "CREATE TABLE other (id integer PRIMARY KEY, price integer); INSERT INTO other VALUES (1, 0);"
    lab = lab_of(two, before=other + table("integer", ""))
    lab.do("INSERT INTO thing VALUES (1, 'a', 0), (1, 'a', 0)")
    with pytest.raises(psycopg.Error, match=r"no unique index of public.thing is on \(id\)") as caught:
        lab.call("raise_steps", how=how)
    assert caught.value.sqlstate == "P0B10"
    assert lab.rows("SELECT price FROM thing UNION ALL SELECT price FROM other") == [0, 0, 0]


def test_a_step_does_not_begin_where_its_key_was_lost_meanwhile(lab_of: Any) -> None:
    steps = "operation: raise_steps, steps: [{name: raise, operation_type: update, update_data: {price: 1}, where_condition: 'true'}]"
    lab = lab_of(
        entity(HEAD.format(type="integer"), steps),
        before=table("integer"),
        setup="INSERT INTO thing VALUES (1, 'a', 0)",
    )
    operation_id = lab.submit("raise_steps")
    lab.do("ALTER TABLE thing DROP CONSTRAINT thing_pkey, ALTER COLUMN id DROP NOT NULL")
    lab.do("INSERT INTO thing VALUES (1, 'a', 0)")
    with pytest.raises(psycopg.Error, match="no unique index"):
        lab.work(operation_id)
    assert lab.rows("SELECT price FROM thing") == [0, 0]
    lab.do("DELETE FROM thing WHERE ctid = '(0,1)'; ALTER TABLE thing ADD PRIMARY KEY (id)")
    lab.work(operation_id)
    assert counts(lab.status(operation_id)) == (1, 1, 0, 0)


def test_a_table_that_is_altered_is_noticed(lab_of: Any) -> None:
    head = "name: thing\nfields: {id: string, price: integer}"
    lab = lab_of(entity(head, ROWS), setup=f"INSERT INTO thing VALUES ('a', 0); {audited('thing')}")
    lab.do("ALTER TABLE thing ALTER COLUMN id TYPE char(10)")
    assert refused(lab, "raise_all").sqlstate == "P0B10"
    assert lab.written() == []


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("type_", "there", "asked"),
    [
        ("varchar(5)", "'abcde'", "ARRAY['abcdefgh']"),
        ("char(5)", "'abcde'", "ARRAY['abcdefgh']"),
        ("numeric(12,2)", "5.00", "ARRAY[5.004, 99999999999]"),
        ("timestamptz(0)", "'2026-01-01 00:00:01+00'", "ARRAY['2026-01-01 00:00:01.4+00'::timestamptz]"),
    ],
)
def test_a_key_that_no_row_has_is_not_cut_to_fit_another_ones(
    lab_of: Any, type_: str, there: str, asked: str, how: str
) -> None:
    purge = 'operation: purge, operation_type: delete, where_condition: "id = ANY(:ids)"'
    lab = lab_of(entity(HEAD.format(type=type_), purge), before=table(type_))
    lab.do(f"INSERT INTO thing VALUES ({there}, 'a', 0)")
    asked_type = (
        type_.partition("(")[0].replace("char", "bpchar")
        if type_.startswith("char")
        else type_.partition("(")[0]
    )
    if how == CALL:
        result = lab.connection.execute(
            f"SELECT (r).* FROM purge({asked}::{asked_type}[]) AS r".encode()
        ).fetchone()
    else:
        operation_id = lab.submit("purge", f"{asked}::{asked_type}[]")
        lab.work(operation_id)
        result = lab.status(operation_id)
    lab.check(result)
    assert (result.processed_records, result.error_count) == (0, 0)
    assert lab.rows("SELECT price FROM thing") == [0]


@pytest.mark.parametrize("how", HOW)
def test_rows_whose_key_is_jsonb_are_met(lab_of: Any, how: str) -> None:
    walk = 'operation: mark, operation_type: update, update_data: {label: :label}, where_condition: "price = 0", batch_size: 2'
    lab = lab_of(entity(HEAD.format(type="jsonb"), walk), before=table("jsonb"))
    lab.do(
        """INSERT INTO thing VALUES ('"1"', 'a', 0), ('"2"', 'a', 0), ('3', 'a', 0), ('null', 'a', 0), ('{"a": [1]}', 'a', 0)"""
    )
    assert counts(lab.run("mark", "b", how=how)) == (5, 5, 0, 0)
    assert lab.rows("SELECT DISTINCT label FROM thing") == ["b"]


@pytest.mark.parametrize(
    "broken", ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sole'::regclass", ""]
)
def test_only_an_index_on_the_very_columns_makes_a_key(lab_of: Any, broken: str) -> None:
    lab = lab_of(spec("integer"), before=table("integer", "NOT NULL"))
    lab.do("CREATE UNIQUE INDEX sole ON thing (id) INCLUDE (label)")
    lab.do(broken or "SELECT")
    if broken:
        assert refused(lab, "raise_all").sqlstate == "P0B10"
    else:
        assert counts(lab.run("raise_all")) == (0, 0, 0, 0)
        lab.do("DROP INDEX sole; CREATE UNIQUE INDEX sole ON thing (id, label)")
        lab.do("DELETE FROM batch_operations")
        assert refused(lab, "raise_all").sqlstate == "P0B10"


def test_a_primary_key_that_partitions_lack_is_none(lab_of: Any) -> None:
    lab = lab_of(
        spec("integer"),
        before="""
            CREATE TABLE thing (id integer NOT NULL, label text, price numeric) PARTITION BY LIST (id);
            CREATE TABLE thing_rest PARTITION OF thing DEFAULT;
            ALTER TABLE ONLY thing ADD PRIMARY KEY (id);
        """,
    )
    lab.do("INSERT INTO thing VALUES (1, 'a', 0), (1, 'b', 0)")
    assert refused(lab, "raise_all").sqlstate == "P0B10"
