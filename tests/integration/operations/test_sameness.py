"""Records that are one for the database are one for an operation: the first counts, none is overwritten unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .lab import HOW, counts, entity, records

if TYPE_CHECKING:
    from .lab import Lab

CI = "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
HEAD = """
    name: thing
    managed: false
    fields: {{id: integer, code: "{type}", price: integer}}
    """
PUT = (
    "operation: put, operation_type: upsert, batch_size: 2, upsert_data: {code: :item.code, price: :item.price}, "
    "conflict_target: code, data_source: :records"
)
PUT_ROWS = (
    "operation: put_rows, operation_type: upsert, batch_size: 2, upsert_data: {code: :item.code, price: :item.price}, "
    "conflict_target: code, data_source: {table: incoming}"
)
PUT_LOWER = (
    "operation: put_lower, operation_type: upsert, upsert_data: {code: {sql: 'lower(:item.code)'}, price: :item.price},"
    " conflict_target: code, data_source: :records"
)
MATCH = (
    "operation: price, operation_type: update, batch_size: 2, update_data: {price: :item.price}, "
    "data_source: :records, match_on: [code]"
)


def table(type_: str, unique: str = "UNIQUE (code)") -> str:
    return f"CREATE TABLE thing (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code {type_}, price integer, {unique})"


def items(*codes: Any) -> Any:
    return records(*({"code": code, "price": place} for place, code in enumerate(codes, 1)))


def check(lab: Lab, result: Any, *, repeated: list[int], rows: int) -> None:
    assert [tuple(row) for row in lab.errors(result, "record_number, sqlstate")] == [
        (n, "21000") for n in repeated
    ]
    assert result.processed_records == result.total_records - len(repeated) == rows


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("there", "here", "codes"),
    [
        ("citext", "string", ["A@x", "b", "a@x"]),
        ("citext", "public.citext", ["A@x", "b", "a@x"]),
        ("char(10)", "string", ["a", "b", "a  "]),
        ("numeric(10,2)", "decimal", ["1.001", "2", "1.002"]),
        ("numeric(10,2)", "decimal", ["1.50", "2", "1.5"]),
        ("integer", "decimal", ["1.6", "1", "2"]),
        ("real", "float", ["0.1", "0.2", "0.10000000001"]),
        ("timestamp", "timestamptz", ["2026-10-25 00:30Z", "2026-10-25 03:30Z", "2026-10-25 01:30Z"]),
        (
            "timestamptz(0)",
            "timestamptz",
            ["2026-01-01 00:00:00.1Z", "2026-01-01 00:00:03Z", "2026-01-01 00:00:00.2Z"],
        ),
        ("loose", "string", ["A", "b", "a"]),
        ("text COLLATE ci", "string", ["A", "b", "a"]),
    ],
)
def test_what_is_equal_in_the_table_is_written_once(
    lab_of: Any, there: str, here: str, codes: list[str], how: str
) -> None:
    before = "CREATE EXTENSION citext; CREATE DOMAIN loose AS citext;"
    if "ci" in there.split():
        before += CI
    lab = need_icu(lab_of, "ci" in there.split())(
        entity(HEAD.format(type=here), PUT), before=before + table(there)
    )
    lab.do("SET TimeZone = 'Europe/Berlin'")
    result = lab.run("put", items(*codes), how=how)
    check(lab, result, repeated=[3], rows=2)
    assert lab.rows("SELECT price FROM thing ORDER BY price") == [1, 2]


def need_icu(lab_of: Any, needed: bool) -> Any:
    if (
        needed
        and lab_of("name: none\nfields: {id: uuid}\n").rows(
            "SELECT FROM pg_collation WHERE collname = 'und-x-icu'"
        )
        == []
    ):
        pytest.skip("this server was built without ICU")
    return lab_of


@pytest.mark.parametrize("how", HOW)
def test_values_that_differ_in_the_table_are_all_written(lab_of: Any, how: str) -> None:
    lab = lab_of(entity(HEAD.format(type="string"), PUT), before=table("varchar(3)"))
    result = lab.run("put", items("abcd", "abce", "abc", "A", "a", None, None), how=how)
    assert lab.errors(result, "record_number, sqlstate") == [(1, "22001"), (2, "22001")]
    assert counts(result) == (7, 5, 0, 2)


@pytest.mark.parametrize("how", HOW)
def test_a_value_that_the_column_cannot_hold_hides_no_repeated_one(lab_of: Any, how: str) -> None:
    lab = lab_of(entity(HEAD.format(type="bigint"), PUT), before=table("smallint"))
    result = lab.run("put", items(1, 70000, "x", 2, 1, {}), how=how)
    codes = [(2, "22003"), (3, "22P02"), (5, "21000"), (6, "22P02")]
    assert lab.errors(result, "record_number, sqlstate") == codes


def test_nulls_that_are_equal_are_the_same(lab_of: Any) -> None:
    lab = lab_of(
        entity(HEAD.format(type="string"), PUT), before=table("text", "UNIQUE NULLS NOT DISTINCT (code)")
    )
    check(lab, lab.run("put", items(None, "a", None)), repeated=[3], rows=2)


def test_the_index_decides_where_its_collation_is_another(lab_of: Any) -> None:
    index = "CREATE UNIQUE INDEX ON thing (code COLLATE ci)"
    before = f"{CI} {table('text', 'CHECK (price > 0)')}; {index}"
    lab = need_icu(lab_of, True)(entity(HEAD.format(type="string"), PUT), before=before)
    check(lab, lab.run("put", items("A", "b", "a")), repeated=[3], rows=2)


def test_the_table_behind_a_view_decides(lab_of: Any) -> None:
    before = """
        CREATE EXTENSION citext;
        CREATE TABLE base (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "the code" citext UNIQUE, price integer);
        CREATE VIEW thing AS SELECT price, "the code" AS code, id FROM base;
    """
    lab = lab_of(entity(HEAD.format(type="string"), PUT), before=before)
    check(lab, lab.run("put", items("A", "b", "a")), repeated=[3], rows=2)


@pytest.mark.parametrize("how", HOW)
def test_an_expression_is_judged_as_it_is_written(lab_of: Any, how: str) -> None:
    lab = lab_of(entity(HEAD.format(type="string"), PUT_LOWER), before=table("char(5)"))
    check(lab, lab.run("put_lower", items("A", "b", "a ", 5), how=how), repeated=[3], rows=3)


@pytest.mark.parametrize("how", HOW)
def test_rows_of_a_table_are_judged_as_their_target_does(lab_of: Any, how: str) -> None:
    before = f"CREATE EXTENSION citext; CREATE TABLE incoming (code text, price integer); {table('citext')}"
    lab = lab_of(entity(HEAD.format(type="string"), PUT_ROWS), before=before)
    lab.do("INSERT INTO incoming VALUES ('A', 1), ('b', 2), ('c', 3), ('a', 4), ('B', 5)")
    result = lab.run("put_rows", how=how)
    check(lab, result, repeated=[4, 5], rows=3)
    assert lab.rows("SELECT price FROM thing ORDER BY price") == [1, 2, 3]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("there", ["citext", "text COLLATE ci"])
def test_records_that_find_the_same_row_are_the_same(lab_of: Any, there: str, how: str) -> None:
    collated = there != "citext"
    head = """
        name: thing
        managed: false
        fields: {id: integer, code: {type: %s, unique: true}, price: integer}
        """ % ("string" if collated else "citext")
    before = f"CREATE EXTENSION citext; {CI if collated else ''} {table(there)}"
    lab = need_icu(lab_of, collated)(entity(head, MATCH), before=before)
    lab.do("INSERT INTO thing (code, price) VALUES ('a', 0), ('b', 0)")
    check(lab, lab.run("price", items("A", "B", "a"), how=how), repeated=[3], rows=2)
    assert lab.rows("SELECT price FROM thing ORDER BY price") == [1, 2]


def test_keys_that_differ_and_find_one_row_are_refused(lab_of: Any) -> None:
    head = "name: thing\nmanaged: false\nprimary_key: [code]\nfields: {code: string, price: integer}"
    drop = 'operation: drop_some, operation_type: delete, where_condition: "code = ANY(:codes)"'
    lab = need_icu(lab_of, True)(entity(head, drop), before=f"{CI} {table('text COLLATE ci NOT NULL')}")
    with pytest.raises(Exception, match="under which keys that differ find the same row") as caught:
        lab.do("SELECT drop_some('{a,A}')")
    assert caught.value.sqlstate == "P0B10"  # type: ignore[attr-defined]
