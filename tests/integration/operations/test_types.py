"""A key, or a parameter, of any type that PostgreSQL can keep in order finds its rows, whatever is done with them."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from specgen.plan.project import plan_project
from specgen.render.checked import render_checked
from specgen.spec.build import load_project
from specgen.spec.builtins import TYPES

from .lab import CALL, SUBMIT, counts, entity, records

if TYPE_CHECKING:
    from pathlib import Path

    from .lab import Lab


class Kind(NamedTuple):
    """A type: as the spec names it, and four of its values, in order, as PostgreSQL reads and JSON holds them."""

    spec: str
    values: tuple[str, ...]
    json: tuple[Any, ...] = ()


PREPARE = """
    CREATE EXTENSION citext;
    CREATE SCHEMA app;
    CREATE SCHEMA "Odd One";
    CREATE TYPE public.mood AS ENUM ('sad', 'so so', 'ok', 'glad');
    CREATE TYPE "Odd One"."Mood" AS ENUM ('sad', 'so so', 'ok', 'glad');
    CREATE TYPE app.place AS (aisle integer, shelf text);
    CREATE TYPE app.span AS RANGE (subtype = numeric);
    CREATE DOMAIN app.code AS text NOT NULL CHECK (value <> '');
    CREATE DOMAIN app.rate AS numeric(6, 2);
    CREATE DOMAIN app.spot AS app.place;
"""
MOODS = ("sad", "so so", "ok", "glad")
KINDS = {
    "extension": Kind("public.citext", ("a", "B", "c d", "É")),
    "enum": Kind("public.mood", MOODS),
    "enum without its schema": Kind("mood", MOODS),
    "quoted enum": Kind('"Odd One"."Mood"', MOODS),
    "composite": Kind(
        "app.place",
        ("(1,a)", '(1,"b, c")', "(2,)", "(3,d)"),
        tuple({"aisle": n, "shelf": s} for n, s in ((1, "a"), (1, "b, c"), (2, None), (3, "d"))),
    ),
    "range": Kind("app.span", ("empty", "[1,2)", "[1.5,3]", "(4,)")),
    "domain": Kind("app.code", ("a", "b", "c", "d,e")),
    "number": Kind("app.rate", ("-1.50", "0.00", "2.25", "10.00")),
    "domain of composite": Kind(
        "app.spot",
        ("(1,a)", "(1,b)", "(2,a)", "(3,d)"),
        tuple({"aisle": n, "shelf": s} for n, s in ((1, "a"), (1, "b"), (2, "a"), (3, "d"))),
    ),
    "jsonb": Kind("jsonb", ("null", '"a b"', "7", '{"a": [1]}'), (None, "a b", 7, {"a": [1]})),
    "char": Kind('"char"', ("a", "b", "c", "d")),
    "multirange": Kind("int4multirange", ("{}", "{[1,3)}", "{[1,3),[7,9)}", "{[4,5)}")),
    "tsvector": Kind("tsvector", ("", "'a':1", "'c':3A", "'a':1 'b':2")),
    "bits": Kind("bit varying(8)", ("0", "01", "1", "11")),
    "oid": Kind("oid", ("1", "2", "70000", "4294967295")),
    "bytea": Kind("bytea", (r"\x00", r"\x01ff", r"\x5c", r"\xffff")),
}

HEAD = """
    name: thing
    fields: {{id: '{type}', more: '{type}[]', price: integer}}
    """
OPERATIONS = (
    'operation: raise_all, operation_type: update, batch_size: 1, update_data: {price: 1}, where_condition: "price >= 0"',
    "operation: raise_some, operation_type: update, batch_size: 2, update_data: {price: 2}, where_condition: id = ANY(:ids)",
    "operation: add, operation_type: insert, insert_data: {id: :item.id, price: :item.price},"
    " data_source: :records, returning: true",
    "operation: price, operation_type: update, update_data: {price: :item.price}, data_source: :records",
    "operation: put, operation_type: upsert, upsert_data: {id: :item.id, price: :item.price},"
    " conflict_target: id, data_source: :records",
    "operation: one, operation_type: update, update_data: {more: :more, price: :price},"
    ' where_condition: "id = :one"',
    "operation: look, operation_type: select, batch_size: 3, select_fields: [id, price],"
    ' where_condition: "id >= :least"',
    "operation: drop_some, operation_type: delete, where_condition: id = ANY(:ids) AND price >= :least",
    """operation: tidy, steps: [
        {name: find_low, operation_type: select, select_fields: [id], where_condition: "price <= :upto"},
        {name: clear_low, operation_type: delete, where_condition: "id = ANY(:low_ids)"}]""",
)


def prepared(copy_of: Any, kind: Kind) -> Lab:
    lab: Lab = copy_of(entity(HEAD.format(type=kind.spec), *OPERATIONS), before=PREPARE)
    for price, value in enumerate(kind.values):
        lab.do(f"INSERT INTO thing (id, price) VALUES (CAST(%s AS {kind.spec}), %s)", value, price)
    return lab


def given(lab: Lab, kind: Kind, *places: int) -> str:
    """An array of values as a constant."""
    texts = [kind.values[place] for place in places]
    return str(
        lab.one(f"SELECT ARRAY(SELECT CAST(t AS {kind.spec}) FROM unnest(%s::text[]) AS t)::text", texts)
    )


@pytest.mark.parametrize("name", KINDS)
def test_nothing_that_is_generated_for_a_type_is_taken_for_broken(tmp_path: Path, name: str) -> None:
    (tmp_path / "entities").mkdir()
    spec = entity(HEAD.format(type=KINDS[name].spec), *OPERATIONS)
    (tmp_path / "entities" / "spec.yaml").write_text(spec, encoding="utf-8")
    project = load_project([], root=tmp_path).project
    assert project
    planned = plan_project(project)
    assert planned.plan, planned.findings
    assert render_checked(planned.plan).findings == ()


@pytest.mark.parametrize("how", (CALL, SUBMIT))
@pytest.mark.parametrize("name", KINDS)
def test_a_key_of_any_type_finds_its_rows(copy_of: Any, name: str, how: str) -> None:
    kind = KINDS[name]
    lab = prepared(copy_of, kind)
    held = kind.json or kind.values

    assert counts(lab.run("raise_all", how=how)) == (4, 4, 0, 0)
    assert counts(lab.run("raise_some", given(lab, kind, 3, 0, 1, 0), how=how)) == (4, 3, 1, 0)
    assert lab.rows("SELECT price FROM thing ORDER BY id") == [2, 2, 1, 2]

    found = lab.run("look", kind.values[1], how=how)
    assert counts(found) == (3, 3, 0, 0)
    assert [item["price"] for item in lab.outputs(found)] == [2, 1, 2]
    assert lab.rows(
        "SELECT batch_output(%s) -> 'id' = to_jsonb(id) FROM thing WHERE price = 1", found.operation_id
    )

    items = [{"id": held[place], "price": 10 + place} for place in (1, 3, 1)]
    if None not in items[0].values():
        assert counts(lab.run("price", records(*items), how=how)) == (3, 2, 0, 1)
        assert lab.rows("SELECT price FROM thing ORDER BY id") == [2, 11, 1, 13]

    assert counts(lab.run("one", kind.values[2], given(lab, kind, 0, 2), 20, how=how)) == (1, 1, 0, 0)
    assert lab.rows("SELECT id::text, more::text, price FROM thing WHERE price = 20") == [
        (lab.one(f"SELECT CAST(%s AS {kind.spec})::text", kind.values[2]), given(lab, kind, 0, 2), 20)
    ]
    assert counts(lab.run("drop_some", given(lab, kind, 1, 2, 3), 12, how=how)) == (3, 2, 1, 0)
    assert counts(lab.run("put", records(*items), how=how)) == (3, 2, 0, 1)
    assert lab.rows("SELECT price FROM thing ORDER BY id") == [2, 11, 13]
    added = lab.run("add", records({"id": held[2], "price": 3}, {"id": held[3], "price": 3}), how=how)
    assert counts(added) == (2, 1, 0, 1)
    assert lab.rows(
        "SELECT batch_output(%s) -> 'id' = to_jsonb(id) FROM thing WHERE price = 3", added.operation_id
    ) == [True]
    assert counts(lab.run("tidy", 3, how=how)) == (4, 4, 0, 0)
    assert lab.rows("SELECT price FROM thing ORDER BY id") == [11, 13]


@pytest.mark.parametrize("name", KINDS)
def test_a_key_of_any_type_is_found_again_where_others_stopped(copy_of: Any, name: str) -> None:
    kind = KINDS[name]
    lab = prepared(copy_of, kind)
    for name, arguments in (("raise_all", ()), ("raise_some", (given(lab, kind, 0, 1, 3),))):
        submitted = lab.submit(name, ", ".join("%s" for _ in arguments), arguments)
        lab.do("SELECT batch_step(%s)", submitted)
        lab.connect().execute("CALL batch_work(%s)", [submitted])
        result = lab.status(submitted)
        lab.check(result)
        assert result.error_count == result.skipped_records == 0
    assert lab.rows("SELECT price FROM thing ORDER BY id") == [2, 2, 1, 2]


@pytest.mark.parametrize("name", KINDS)
def test_a_failing_row_is_told_by_its_key(copy_of: Any, name: str) -> None:
    kind = KINDS[name]
    lab = prepared(copy_of, kind)
    lab.do("ALTER TABLE thing ADD CHECK (price <> 1 OR more IS NOT NULL) NOT VALID")
    lab.do(f"UPDATE thing SET more = '{{}}' WHERE id <> CAST(%s AS {kind.spec})", kind.values[2])
    result = lab.run("raise_all")
    assert counts(result) == (4, 3, 0, 1)
    assert lab.rows(
        f"SELECT record_key = jsonb_build_object('id', CAST(%s AS {kind.spec})) FROM batch_operation_errors",
        kind.values[2],
    ) == [True]


ARRAYS = {
    "array": Kind(
        "integer[]", ("{}", "{1,2}", "{1,NULL}", "{{3,4},{5,6}}"), ([], [1, 2], [1, None], [[3, 4], [5, 6]])
    ),
    "array of own": Kind(
        "public.mood[]", ("{}", "{sad}", '{"so so",sad}', "{glad}"), ([], ["sad"], ["so so", "sad"], ["glad"])
    ),
}
BESIDE = """
    name: thing
    primary_key: {key}
    fields: {{id: '{type}', part: '{part}', price: {{type: integer, check: "price <> 7"}}}}
    """
BY_RECORD = (
    'operation: raise_all, operation_type: update, batch_size: 1, update_data: {price: :price}, where_condition: "price >= 0"',
    "operation: price, operation_type: update, update_data: {price: :item.price}, match_on: id, data_source: :records",
    "operation: look, operation_type: select, batch_size: 3, select_fields: [id, price],"
    ' where_condition: "id >= :least"',
    'operation: drop, operation_type: delete, batch_size: 2, where_condition: "price <> 1"',
)


@pytest.mark.parametrize("how", (CALL, SUBMIT))
@pytest.mark.parametrize("key", ("id", "[part, id]"))
@pytest.mark.parametrize("name", (*ARRAYS, "composite", "domain"))
def test_a_key_that_no_plain_list_holds_finds_its_rows(copy_of: Any, name: str, key: str, how: str) -> None:
    kind = (ARRAYS | KINDS)[name]
    head = BESIDE.format(key=key, type=kind.spec, part=kind.spec if name == "composite" else "integer")
    lab: Lab = copy_of(entity(head, *BY_RECORD), before=PREPARE)
    part = f"CAST('(7,)' AS {kind.spec})" if name == "composite" else "7"
    for price, value in enumerate(kind.values):
        lab.do(f"INSERT INTO thing VALUES (CAST(%s AS {kind.spec}), {part}, %s)", value, price)
    held = kind.json or kind.values

    assert counts(lab.run("raise_all", 1, how=how)) == (4, 4, 0, 0)
    found = lab.run("look", kind.values[1], how=how)
    assert [item["id"] for item in lab.outputs(found)] == list(held[1:])
    items = [{"id": held[place], "price": 5 + place} for place in (1, 3, 2, 1)]
    assert counts(lab.run("price", records(*items), how=how)) == (4, 2, 0, 2)
    assert lab.rows("SELECT price FROM thing ORDER BY id") == [1, 6, 1, 8]

    lab.do(f"ALTER TABLE thing ADD CHECK (price <> 9 OR id <> CAST('{kind.values[2]}' AS {kind.spec}))")
    refused = lab.run("raise_all", 9, how=how)
    assert counts(refused) == (4, 3, 0, 1)
    assert lab.errors(refused, "record_key -> 'id'") == [held[2]]
    assert counts(lab.run("drop", how=how)) == (3, 3, 0, 0)
    assert lab.rows("SELECT to_jsonb(id) FROM thing") == [held[2]]


def test_a_domain_over_an_array_is_refused_by_name_and_found_by_the_array(copy_of: Any) -> None:
    before = f"{PREPARE} CREATE DOMAIN app.pair AS integer[]; CREATE DOMAIN app.two AS app.pair;"
    table = " CREATE TABLE thing (id app.two PRIMARY KEY, part integer, price integer); INSERT INTO thing VALUES ('{1,2}', 1, 1)"
    head = "managed: false\n" + textwrap.dedent(BESIDE)
    refused: Lab = copy_of(
        entity(head.format(key="id", type="app.two", part="integer"), *BY_RECORD), before=before + table
    )
    with pytest.raises(psycopg.Error, match=r"id is of a domain over integer\[\]") as caught:
        refused.run("raise_all", 1)
    assert (
        caught.value.diag.message_hint == "Write integer[], which finds the same rows. Nothing was changed."
    )
    assert counts(refused.run("price", records({"id": [1, 2], "price": 3}))) == (1, 1, 0, 0)
    lab: Lab = copy_of(
        entity(head.format(key="id", type="integer[]", part="integer"), *BY_RECORD), before=before + table
    )
    assert counts(lab.run("raise_all", 2)) == (1, 1, 0, 0)


READ = """operation: add, operation_type: insert, data_source: :records, insert_data: {id: :item.id,
    q: {sql: "to_tsquery('simple', :item.q)"}, doc: {sql: "to_tsvector('simple', :item.doc)"},
    born: {sql: "to_date(:item.born, 'DD.MM.YYYY')"}, tags: {sql: "string_to_array(:item.tags, ',')"},
    mood: {sql: "btrim(:item.mood)::public.mood"}}"""


def test_a_text_that_a_function_reads_may_be_called_as_the_column_that_it_becomes(lab_of: Any) -> None:
    fields = "id: integer, q: tsquery, doc: tsvector, born: date, tags: 'text[]', mood: public.mood"
    lab: Lab = lab_of(entity(f"name: thing\nfields: {{{fields}}}", READ), before=PREPARE)
    record = {"id": 1, "q": "a & b", "doc": "b a", "born": "31.01.2026", "tags": "x,y", "mood": " ok "}
    bad = record | {"id": 2, "q": "a b"}
    assert counts(lab.run("add", records(record, bad))) == (2, 1, 0, 1)
    assert lab.rows("SELECT q::text, doc @@ q, born::text, tags, mood::text FROM thing") == [
        ("'a' & 'b'", True, "2026-01-31", ["x", "y"], "ok")
    ]


GIVING = """operation: note_places, parameters: {places: "app.place[]", first: app.place, mood: "public.mood"}, steps: [
    {name: note_all, operation_type: custom_function, function: app.note, input: :places},
    {name: note_first, operation_type: custom_function, function: app.note_one, input: {one: :first, how: :mood}}]"""


@pytest.mark.parametrize("how", (CALL, SUBMIT))
def test_a_function_gets_values_of_ones_own_types_whole(lab_of: Any, how: str) -> None:
    lab: Lab = lab_of(
        entity("name: thing\nfields: {id: integer}", GIVING),
        before=f"""{PREPARE}
            CREATE TABLE noted (aisle integer, shelf text, how public.mood);
            CREATE FUNCTION app.note(places app.place[]) RETURNS void BEGIN ATOMIC
                INSERT INTO noted SELECT p.aisle, p.shelf FROM unnest(places) AS p;
            END;
            CREATE FUNCTION app.note_one(one app.place, how public.mood) RETURNS void BEGIN ATOMIC
                INSERT INTO noted SELECT (one).aisle, (one).shelf, how;
            END;
        """,
    )
    given = ['{"(1,a)","(2,)","(1,a)"}', "(3,c)", "glad"]
    assert counts(lab.run("note_places", *given, how=how)) == (4, 4, 0, 0)
    expected = [(1, "a", None), (1, "a", None), (2, None, None), (3, "c", "glad")]
    assert lab.rows("SELECT * FROM noted ORDER BY aisle") == expected


SAMPLES = {
    '"char"': "a",
    "aclitem": "postgres=r/postgres",
    "bit": "1",
    "bool": "t",
    "boolean": "f",
    "box": "(2,2),(1,1)",
    "bpchar": "a",
    "bytea": r"\xff00",
    "character": "a",
    "cid": "7",
    "cidr": "10.0.0.0/8",
    "circle": "<(1,2),3>",
    "date": "2026-01-31",
    "datemultirange": "{[2026-01-01,2026-02-01)}",
    "daterange": "[2026-01-01,2026-02-01)",
    "inet": "10.0.0.1",
    "int2vector": "1 2",
    "int4multirange": "{[1,3)}",
    "int4range": "[1,3)",
    "int8multirange": "{[1,3)}",
    "int8range": "[1,3)",
    "interval": "1 day 02:00:00",
    "json": '{"a": [1, null]}',
    "jsonb": '{"a": [1, null]}',
    "jsonpath": '$."a"[*]?(@ > 1)',
    "line": "{1,2,3}",
    "lseg": "[(1,2),(3,4)]",
    "macaddr": "08:00:2b:01:02:03",
    "macaddr8": "08:00:2b:01:02:03:04:05",
    "money": "$1.50",
    "nummultirange": "{[1.5,3)}",
    "numrange": "[1.5,3)",
    "oidvector": "1 2",
    "path": "[(1,2),(3,4)]",
    "pg_lsn": "16/B374D848",
    "pg_snapshot": "10:20:10,14",
    "point": "(1,2)",
    "polygon": "((1,2),(3,4),(5,6))",
    "regclass": "pg_class",
    "regcollation": '"C"',
    "regconfig": "simple",
    "regdictionary": "simple",
    "regnamespace": "pg_catalog",
    "regoper": "||/",
    "regoperator": "+(integer,integer)",
    "regproc": "now",
    "regprocedure": "now()",
    "regrole": "postgres",
    "regtype": "integer",
    "tid": "(1,2)",
    "time": "10:20:30",
    "timestamp": "2026-01-31 10:20:30",
    "timestamptz": "2026-01-31 10:20:30+00",
    "timetz": "10:20:30+00",
    "tsmultirange": '{["2026-01-01 00:00:00","2026-02-01 00:00:00")}',
    "tsquery": "'a' & !'b'",
    "tsrange": '["2026-01-01 00:00:00","2026-02-01 00:00:00")',
    "tstzmultirange": '{["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")}',
    "tstzrange": '["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")',
    "tsvector": "'a':1 'b':2",
    "txid_snapshot": "10:20:10,14",
    "uuid": "01234567-89ab-cdef-0123-456789abcdef",
    "varbit": "0101",
    "bit varying": "0101",
    "xml": "<a>b</a>",
}
"""A value of each type of PostgreSQL's, as it writes it; of those that are not here, a number."""


@pytest.mark.parametrize("how", (CALL, SUBMIT))
@pytest.mark.parametrize("half", (0, 1))
def test_every_type_of_postgresqls_is_written_as_it_is_given(copy_of: Any, half: int, how: str) -> None:
    # The language's own "timestamp" has a time zone.
    types = [f"pg_catalog.{kind}" if kind == "timestamp" else kind for kind in sorted(TYPES)[half::2]]
    kinds = {f"c{number}": kind for number, kind in enumerate(types)}
    fields = "\n".join(f"      {name}: '{kind}'" for name, kind in kinds.items())
    head = f"    name: thing\n    fields:\n      id: integer\n{fields}\n"
    record = ", ".join(f"{name}: :item.{name}" for name in kinds)
    given = ", ".join(f"{name}: :{name}" for name in kinds)
    lab: Lab = copy_of(
        entity(
            head,
            f"operation: add, operation_type: insert, data_source: :records, insert_data: {{id: :item.id, {record}}}",
            f'operation: fill, operation_type: update, where_condition: "id > :least", update_data: {{{given}}}',
        )
    )
    values = {name: SAMPLES.get(kind.removeprefix("pg_catalog."), "7") for name, kind in kinds.items()}
    values |= {name: None for name, kind in kinds.items() if kind == "xml" and not _reads_xml(lab)}
    documents = {name: json.loads(values[name]) for name, kind in kinds.items() if kind in ("json", "jsonb")}
    assert counts(lab.run("add", records({"id": 1, **values, **documents}, {"id": 2}), how=how)) == (
        2,
        2,
        0,
        0,
    )
    assert counts(lab.run("fill", 1, *values.values(), how=how)) == (1, 1, 0, 0)
    columns = ", ".join(f"{name}::text" for name in kinds)
    for found in lab.rows(f"SELECT {columns} FROM thing ORDER BY id"):
        text = dict(zip(kinds, found, strict=True))
        off = {
            kinds[name]: text[name]
            for name in kinds
            if text[name] not in (values[name], SPELT.get(values[name]))
        }
        assert off == {}


def test_more_columns_than_a_function_has_arguments_are_read_and_written(lab_of: Any) -> None:
    names = [f"c{number}" for number in range(70)]
    fields = ", ".join(f"{name}: integer" for name in names)
    given = ", ".join(f"{name}: :{name}" for name in names)
    lab: Lab = lab_of(
        entity(
            f"name: thing\nfields: {{id: integer, {fields}}}",
            f"operation: add, operation_type: insert, insert_data: {{id: 1, {given}}}",
            f'operation: look, operation_type: select, select_fields: [{", ".join(names)}], where_condition: "true"',
        )
    )
    for how in (CALL, SUBMIT):
        lab.do("DELETE FROM thing")
        assert counts(lab.run("add", *range(70), how=how)) == (1, 1, 0, 0)
        assert lab.outputs(lab.run("look", how=how)) == [dict(zip(names, range(70), strict=True))]


def _reads_xml(lab: Lab) -> bool:
    """Whether the server was built with it."""
    try:
        return bool(lab.one("SELECT '<a/>'::xml IS DOCUMENT"))
    except psycopg.errors.FeatureNotSupported:
        return False


SPELT = {"t": "true", "f": "false", "10.0.0.1": "10.0.0.1/32"}
"""What reads differently as text than it is written."""
