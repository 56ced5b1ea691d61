"""Settings of a session, types of parameters and of keys: nothing is lost on the way through the account."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import CALL, HOW, SUBMIT, Lab, counts, entity, records

# What every column is set to, as an expression that does not depend on the session's settings.
VALUES = {
    "t": ("text", r"E'back\\slash ''quote'' \"double\" new\nline $$ {1} \u00e9'"),
    "n": ("numeric", "123456789012345678901234567890.123456789012345678901234567890"),
    "small_n": ("numeric", "'NaN'::numeric"),
    "d": ("double precision", "0.1::float8 + 0.2::float8"),
    "inf": ("double precision", "'-Infinity'::float8"),
    "r": ("real", "1.1::float4 / 3::float4"),
    "b": ("bigint", "9223372036854775807"),
    "flag": ("boolean", "true"),
    "ts": ("timestamptz", "'2024-03-31 01:30:00.123456+00'::timestamptz"),
    "late": ("timestamptz", "'infinity'::timestamptz"),
    "bc": ("timestamptz", "'0044-03-15 12:00:00+00 BC'::timestamptz"),
    "day": ("date", "'2024-02-01'::date"),
    "days": ("date[]", "ARRAY['2024-02-01', NULL, '2024-12-31']::date[]"),
    "tm": ("time", "'23:59:59.999999'::time"),
    "iv": ("interval", "make_interval(days => -1, hours => 2, mins => -3)"),
    "dr": ("daterange", "daterange('2024-02-01', '2024-12-03')"),
    "tr": ("tstzrange", "tstzrange('2024-02-01 10:00+00', NULL)"),
    "by": ("bytea", "decode('00ff5c27', 'hex')"),
    "j": ("jsonb", """'{"a": [1, null, "x"], "b": 1e400}'::jsonb"""),
    "ja": ("jsonb[]", """ARRAY['{"a": 1}', '"x"', '[1, [2]]', NULL, 'null']::jsonb[]"""),
    "code": ("character(4)", "'abc'"),
    "bits": ("bit(3)", "B'101'"),
    "js": ("json", """'{"a":  1, "a": 2}'::json"""),
    "ta": ("text[]", """ARRAY['a,b', '{"', NULL, 'NULL', E'\\\\']"""),
    "na": ("numeric[]", "ARRAY[[1.10, 2], [3, 'NaN']]::numeric[]"),
    "u": ("uuid", "'00000000-0000-0000-0000-0000000000ff'::uuid"),
    "ip": ("inet", "'10.0.0.1/8'::inet"),
}
FIELDS = ", ".join(f'{name}: "{kind}"' for name, (kind, _) in VALUES.items())
GIVEN = ", ".join(f"{name}: :new_{name}" for name in VALUES)
ITEMS = ", ".join(f"{name}: :item.{name}" for name in VALUES)
SPEC = entity(
    f"name: typed\nfields: {{id: integer, {FIELDS}}}",
    f'operation: fill, operation_type: update, update_data: {{{GIVEN}}}, where_condition: "id > 0"',
    f"operation: load, operation_type: insert, insert_data: {{{ITEMS}}}, data_source: :records",
)
HOSTILE = """
    SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'America/St_Johns';
    SET bytea_output = 'escape'; SET extra_float_digits = -10; SET standard_conforming_strings = on;
    SET search_path = pg_temp; SET lc_monetary = 'C'; SET xmloption = 'document';
"""


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC)


def same(lab: Lab) -> list[str]:
    """The columns that do not hold what was meant."""
    lab.do("RESET ALL")
    tests = ", ".join(
        f"CASE WHEN {name}::text IS DISTINCT FROM ({value})::{kind}::text THEN '{name}' END"
        for name, (kind, value) in VALUES.items()
    )
    return lab.rows(f"SELECT array_remove(ARRAY[{tests}], NULL) FROM public.typed")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("settings", ["", HOSTILE])
def test_a_parameter_of_any_type_arrives_as_it_was_given(lab: Lab, settings: str, how: str) -> None:
    lab.do("INSERT INTO typed (id) VALUES (1)")
    given = ", ".join(f"({value})::{ANY_LENGTH.get(kind, kind)}" for kind, value in VALUES.values())
    lab.do(settings)
    if how == SUBMIT:
        operation_id = lab.submit("public.fill", given)
        lab.do("RESET ALL")
        lab.work(operation_id)
    else:
        lab.do(f"SELECT public.fill({given})")
    assert same(lab) == [[]]


@pytest.mark.parametrize("how", HOW)
def test_a_record_reads_times_as_the_caller_writes_them(lab: Lab, how: str) -> None:
    item = {"day": "03/02/2024", "ts": "03/02/2024 10:00", "iv": "-1 2:03:00", "days": ["05/04/2024"]}
    lab.do(HOSTILE)
    if how == SUBMIT:
        operation_id = lab.submit("public.load", "%s", [records(item)])
        lab.do("RESET ALL")
        lab.work(operation_id)
    else:
        lab.connection.execute("SELECT public.load(%s)", [records(item)])
    lab.do("RESET ALL")
    lab.do("SET TimeZone = 'UTC'")
    assert lab.one("SELECT day::text, ts::text, iv::text, days::text FROM typed") == (
        "2024-02-03", "2024-02-03 13:30:00+00", "-1 days -02:03:00", "{2024-04-05}",
    )  # fmt: skip


KEYS: dict[str, list[str]] = {
    "timestamptz": [f"2024-01-01 00:00:00.00000{n}+00" for n in range(1, 8)] + ["-infinity", "infinity"],
    "numeric": ["-1e30", "-0.000000000000000000001", "0", "1.10", "NaN", "123456789012345678901234567890"],
    "double precision": ["-Infinity", "0.1", "0.30000000000000004", "0.3", "NaN", "1e300"],
    "date": ["0044-03-15 BC", "2024-02-01", "2024-12-03", "infinity"],
    "interval": ["-1 days +02:03:00", "1 mon", "P1Y2M3DT4H5M6.789S"],
    "text": ["", " ", "a'b", 'a"b', "a\\b", "é", "NULL", "{1,2}", "a\nb", "Z", "z", "$$"],
    "bytea": ["\\x00", "\\x5c27", "\\xff"],
    "daterange": ["[2024-02-01,2024-12-03)", "empty", "(,2024-02-01)"],
    "varchar(3)": ["a", "ab", "abc"],
    "character(3)": ["a", "ab", "abc"],
    "boolean": ["t", "f"],
    "inet": ["10.0.0.1", "10.0.0.0/8"],
    "bit(3)": ["101", "000"],
    "time": ["00:00", "23:59:59.999999", "24:00"],
}

ANY_LENGTH = {
    "character(3)": "bpchar",
    "character(4)": "bpchar",
    "bit(3)": "bit varying",
    "varchar(3)": "varchar",
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", KEYS)
def test_every_row_is_met_once_whatever_its_key(lab_of, kind: str, how: str) -> None:
    lab = lab_of(
        entity(
            f'name: keyed\nprimary_key: [k]\nfields: {{k: "{kind}", n: integer}}',
            "operation: walk, operation_type: update, update_data: {n: {sql: n + 1}}, where_condition: n >= 0, "
            "batch_size: 2, returning: true",
            "operation: sparse, operation_type: update, update_data: {n: {sql: n + 1}}, where_condition: n >= 0, "
            "batch_size: 2, max_records: 100",
            'operation: pick, operation_type: update, update_data: {n: {sql: n + 1}}, where_condition: "k = ANY(:ks)", '
            "batch_size: 2",
            "operation: match, operation_type: update, update_data: {n: :item.n}, data_source: :records, batch_size: 2",
        )
    )
    keys = KEYS[kind]
    for key in keys:
        lab.do(f"INSERT INTO keyed VALUES (%s::text::{kind}, 0)", key)
    array = f"ARRAY(SELECT k FROM public.keyed)::{ANY_LENGTH.get(kind, kind)}[]"
    items = lab.one("SELECT quote_literal(jsonb_agg(jsonb_build_object('k', k, 'n', 9))) FROM keyed")
    for operation, given in (("walk", ""), ("sparse", ""), ("pick", array), ("match", f"{items}::jsonb")):
        lab.do(HOSTILE)
        if how == CALL:
            operation_id = lab.one(f"SELECT (public.{operation}({given})).operation_id")
        else:
            operation_id = lab.submit(f"public.{operation}", given)
            lab.do("RESET ALL")
            lab.work(operation_id)
        lab.do("RESET ALL")
        result: Any = lab.status(operation_id)
        lab.check(result)
        assert (operation, counts(result)) == (operation, (len(keys), len(keys), 0, 0))
    assert lab.rows("SELECT DISTINCT n FROM keyed") == [9]


@pytest.mark.parametrize("how", HOW)
def test_composite_keys_of_mixed_types_walk_in_their_own_order(lab_of, how: str) -> None:
    lab = lab_of(
        entity(
            'name: mixed\nprimary_key: [day, "a b", n]\n'
            'fields: {day: date, "a b": text, n: "numeric(6,2)", done: {type: integer, check: "done < 3"}}',
            "operation: walk, operation_type: update, update_data: {done: {sql: done + 1}}, where_condition: done >= 0, "
            "batch_size: 3",
            "operation: match, operation_type: delete, data_source: :records",
        ),
        "INSERT INTO mixed SELECT d::date, t, m, 0 FROM generate_series(date '2024-01-30', '2024-02-02', '1 day') d,"
        " unnest(ARRAY['B', 'a', 'a''b']) t, unnest(ARRAY[-1.5, 0, 1.25]) m;"
        "UPDATE mixed SET done = 2 WHERE n = 0 AND \"a b\" = 'a'",
    )
    result = lab.run("walk", how=how)
    assert counts(result) == (36, 32, 0, 4)
    assert [key["day"] for key in lab.errors(result, "record_key")] == [
        f"2024-{d}" for d in ("01-30", "01-31", "02-01", "02-02")
    ]
    assert lab.rows("SELECT DISTINCT done FROM mixed WHERE done <> 2") == [1]
    gone = lab.run(
        "match",
        records({"day": "2024-02-01", "a b": "B", "n": 0}, {"day": "2024-02-01", "a b": "b", "n": 0}),
        how=how,
    )
    assert counts(gone) == (2, 1, 1, 0)


def test_the_functions_work_where_strings_do_not_conform(lab_of, postgres_server) -> None:
    lab = lab_of(
        entity(
            'name: "Odd"\nfields: {id: integer, n: integer}',
            "operation: walk, operation_type: update, update_data: {n: 1}, where_condition: id > 0",
        ),
        'INSERT INTO "Odd" VALUES (1)',
    )
    lab.do("SET standard_conforming_strings = off; SET escape_string_warning = off")
    assert counts(lab.run("walk")) == (1, 1, 0, 0)


@pytest.mark.parametrize("how", HOW)
def test_a_function_in_an_earlier_schema_takes_nobodys_place(lab_of, how: str) -> None:
    lab = lab_of(
        entity(
            "name: thing\nfields: {id: integer, name: text}",
            "operation: shout, operation_type: update, update_data: {name: {sql: upper(name)}}, "
            "where_condition: \"length(name) = 1 AND name <> 'z'\"",
        ),
        """
        INSERT INTO thing VALUES (1, 'a');
        CREATE SCHEMA evil;
        CREATE FUNCTION evil.upper(text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
        CREATE FUNCTION evil.length(text) RETURNS integer LANGUAGE sql AS $$ SELECT 7 $$;
        CREATE FUNCTION evil.ne(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
        CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.ne);
        CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.ne);
        CREATE FUNCTION evil.batch_finish(public.batch_operations) RETURNS public.batch_operations
            LANGUAGE sql AS $$ SELECT $1 $$;
        """,
    )
    lab.do("CREATE TEMP TABLE thing (id integer, name text); CREATE TEMP TABLE batch_operations (x integer)")
    lab.do("SET search_path = evil, pg_temp, pg_catalog, public")
    result = lab.call("public.shout", how=CALL) if how == CALL else None
    if result is None:
        operation_id = lab.submit("public.shout")
        lab.connection.execute("CALL public.batch_work(%s)", [operation_id])
        lab.do("RESET search_path")
        result = lab.status(operation_id)
    assert counts(result) == (1, 1, 0, 0)
    assert lab.rows("SELECT name FROM public.thing") == ["A"]
