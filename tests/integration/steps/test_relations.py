"""Tables, views and queries as sources, and lists of outputs: values arrive as they left."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operations.lab import CALL, HOW, SUBMIT, Lab, counts
from psycopg import sql

from .ways import WAYS, run

if TYPE_CHECKING:
    from operations.conftest import OpenLab

FIELDS = {
    "t": "text",
    "n": "numeric",
    "d": "double precision",
    "r": "real",
    "b": "bytea",
    "m": "timestamptz",
    "l": "timestamp without time zone",
    "s": "interval",
    "j": "jsonb",
    "a": "text[]",
    "c": "integer[]",
}
COLUMNS = ", ".join(FIELDS)
SPEC = f"""
name: copy
fields:
  id: bigint
{"".join(f"  {name}: {kind}" + chr(10) for name, kind in FIELDS.items())}
patterns:
  - {{name: batch_operations, operation: copy_table, batch_size: 3, data_source: {{table: staging.source}},
     insert_data: {{{", ".join(f'{name}: ":item.{name}"' for name in FIELDS)}}}}}
  - {{name: batch_operations, operation: copy_view, batch_size: 3, data_source: {{table: staging.seen}},
     insert_data: {{t: ":item.t"}}}}
  - {{name: batch_operations, operation: copy_query, batch_size: 3, max_records: 4,
     data_source: {{query: "SELECT * FROM staging.take(:prefix)"}}, parameters: {{prefix: text}},
     insert_data: {{t: ":item.t"}}}}
  - {{name: batch_operations, operation: copy_output, batch_size: 2, steps: [
      {{name: take_rows, select_fields: [{COLUMNS}], where_condition: "true"}},
      {{name: put_rows, target_entity: kept, insert_data: {{{", ".join(f'{name}: ":rows.{name}"' for name in FIELDS)}}}}}]}}
  - {{name: batch_operations, operation: put_all, batch_size: 2, data_source: {{table: staging.source}},
     upsert_data: {{id: ":item.id", t: {{sql: ":item.t || :suffix"}}}}, conflict_target: id, parameters: {{suffix: text}}}}
  - {{name: batch_operations, operation: put_named, batch_size: 2, data_source: {{table: staging.source}},
     target_entity: tagged, upsert_data: {{tag: {{sql: ":item.t || :suffix"}}, n: 1}}, conflict_target: tag, parameters: {{suffix: text}}}}
---
name: kept
fields:
  id: bigint
{"".join(f"  {name}: {kind}" + chr(10) for name, kind in FIELDS.items())}
---
name: tagged
fields: {{tag: text, n: integer}}
primary_key: tag
patterns:
  - {{name: batch_operations, operation: tag_twice, batch_size: 2, steps: [
      {{name: take_tags, select_fields: [tag], where_condition: "n IS NULL"}},
      {{name: count_one, operation_type: update, update_data: {{n: 1}}, where_condition: "tag = ANY(:tags_tags)"}},
      {{name: count_two, operation_type: update, update_data: {{n: 2}}, where_condition: "n = 1 AND lower(tag) = ANY(:tags_tags)"}}]}}
---
name: moment
fields: {{at: timestamptz, n: "numeric", seen: boolean}}
primary_key: [at, n]
patterns:
  - {{name: batch_operations, operation: see_all, batch_size: 2, steps: [
      {{name: take_moments, select_fields: [at, n], where_condition: "true"}},
      {{name: see_moments, operation_type: update, update_data: {{seen: true}}, data_source: ":moments", match_on: [at, n]}}]}}
"""
BEFORE = f"""
    CREATE SCHEMA staging;
    CREATE TABLE staging.source (id bigint, {", ".join(f"{name} {kind}" for name, kind in FIELDS.items())});
    CREATE VIEW staging.seen AS SELECT * FROM staging.source WHERE t <> 'unseen';
    CREATE SEQUENCE staging.taken;
    CREATE FUNCTION staging.take(prefix text) RETURNS SETOF staging.source LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM nextval('staging.taken');
        RETURN QUERY SELECT * FROM staging.source AS s WHERE s.t LIKE prefix || '%';
    END $$;
"""


@pytest.fixture
def lab(copy_of: OpenLab) -> Lab:
    return copy_of(SPEC, "", BEFORE)


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
NUMBER = st.decimals(allow_infinity=True) | st.sampled_from(["1.500", "0.00000000000000000001", "1" * 60])
ROW = st.fixed_dictionaries(
    {},
    optional={
        "t": TEXT | st.sampled_from(["\\u0000", "\\0", "null", "", "{}", "'", '"', "\\"]),
        "n": NUMBER.map(lambda n: str(n).replace("sNaN", "NaN").replace("-NaN", "NaN")),
        "d": st.floats(),
        "r": st.floats(width=32),
        "b": st.binary(max_size=6),
        "m": st.sampled_from(
            [
                "infinity",
                "-infinity",
                "0044-03-15 12:00:00+00 BC",
                "2024-03-31 02:30:00.123456+02",
                "1883-11-18 12:00 LMT",
            ]
        ),
        "l": st.datetimes() | st.just("infinity"),
        "s": st.sampled_from(["1 mon -3 days 04:05:06.789", "-1 day", "100 years", "0"]),
        "j": st.sampled_from(['{"a": null, "b": [1.10, "x"]}', '"text"', "[]", "1e400", '"\\u00e9"']),
        "a": st.lists(TEXT | st.none() | st.just("NULL"), max_size=3),
        "c": st.sampled_from(["{}", "{1,NULL,-3}", "{{1,2},{3,4}}"]),
    },
)
SAME = " UNION ALL ".join(
    f"(SELECT {COLUMNS} FROM {one} EXCEPT ALL SELECT {COLUMNS} FROM {other})"
    for one, other in (
        ("staging.source", "copy"),
        ("copy", "staging.source"),
        ("copy", "kept"),
        ("kept", "copy"),
    )
)


def test_values_arrive_unchanged(lab: Lab) -> None:
    # As little as a session may have asked for; nothing of it may reach what is stored.
    lab.do(
        "SET extra_float_digits = -15; SET TimeZone = 'America/New_York'; SET IntervalStyle = 'sql_standard'"
    )
    lab.do("SET DateStyle = 'ISO, DMY'; SET bytea_output = 'escape'")

    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(ROW, min_size=1, max_size=5), st.sampled_from(HOW))
    def arrives(rows: list[dict[str, Any]], how: str) -> None:
        lab.do("TRUNCATE staging.source, copy, kept")
        for row in rows:
            insert = sql.SQL("INSERT INTO staging.source ({}) VALUES ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, ("id", *row))),
                sql.SQL(", ").join(
                    [
                        sql.SQL("1"),
                        *(
                            sql.Placeholder()
                            + sql.SQL("::text::" if isinstance(row[name], str) else "::")
                            + sql.SQL(FIELDS[name])
                            for name in row
                        ),
                    ]
                ),
            )
            with suppress(psycopg.DataError):  # there is no such value
                lab.connection.execute(insert, list(row.values()))
        count = lab.one("SELECT count(*) FROM staging.source")
        assert counts(run(lab, "copy_table", way=how)) == (count, count, 0, 0)
        assert counts(run(lab, "copy_output", way=how)) == (2 * count, 2 * count, 0, 0)
        assert lab.rows(SAME) == []

    arrives()


@pytest.mark.parametrize("way", WAYS)
def test_keys_of_every_kind_find_their_rows_again(lab: Lab, way: str) -> None:
    lab.do(
        "INSERT INTO moment SELECT timestamptz '2024-10-27 00:30:00.000001+00' + g * interval '20 minutes',"
        " g + 0.12345678901234567890123456789 FROM generate_series(1, 9) AS g"
    )
    lab.do(
        "INSERT INTO moment VALUES ('infinity', 'NaN'), ('-infinity', 'Infinity'), ('0044-03-15 BC', 1e40)"
    )
    lab.do("SET TimeZone = 'Europe/Berlin'; SET DateStyle = 'ISO, DMY'")
    result = run(lab, "see_all", way=way)
    assert counts(result) == (24, 24, 0, 0)
    assert lab.one("SELECT bool_and(seen) FROM moment")


@pytest.mark.parametrize("way", WAYS)
def test_lists_of_texts_with_every_quote(lab: Lab, way: str) -> None:
    tags = ["it's", 'a "b"', "c\\d", "{e,f}", "null", "", "ü, ж", "$$", ":x", "%s"]
    for tag in tags:
        lab.do("INSERT INTO tagged VALUES (%s)", tag)
    result = run(lab, "tag_twice", way=way)
    assert counts(result) == (30, 30, 0, 0)
    assert lab.rows("SELECT DISTINCT n FROM tagged") == [2]


def fill(lab: Lab, *texts: str) -> None:
    for number, text in enumerate(texts, 1):
        lab.do("INSERT INTO staging.source (id, t) VALUES (%s, %s)", number, text)


@pytest.mark.parametrize("way", WAYS)
def test_a_view_is_read_as_a_table_is(lab: Lab, way: str) -> None:
    fill(lab, "a", "unseen", "b", "c", "d")
    assert counts(run(lab, "copy_view", way=way)) == (4, 4, 0, 0)
    assert lab.rows("SELECT t FROM copy ORDER BY t") == ["a", "b", "c", "d"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("texts", "limited"), [(4, False), (5, True), (0, False)])
def test_a_query_that_takes_jobs_is_run_once_whatever_the_limit(
    lab: Lab, way: str, texts: int, limited: bool
) -> None:
    fill(lab, *(f"x{n}" for n in range(texts)), "other")
    result = run(lab, "copy_query", "x", way=way)
    assert (counts(result)[0], result.limit_reached) == (min(texts, 4), limited)
    assert lab.rows("SELECT t FROM copy ORDER BY t") == [f"x{n}" for n in range(min(texts, 4))]
    assert lab.one("SELECT last_value FROM staging.taken") == 1


@pytest.mark.parametrize("way", WAYS)
def test_rows_with_the_same_key_fail_but_for_the_first(lab: Lab, way: str) -> None:
    fill(lab, "a", "b", "c", "d")
    lab.do("UPDATE staging.source SET id = 1 WHERE id IN (2, 4)")
    result = run(lab, "put_all", "!", way=way)
    assert counts(result) == (4, 2, 0, 2)
    assert lab.errors(result, "sqlstate, record_key") == [("21000", {"id": 1})] * 2
    assert lab.rows("SELECT t FROM copy ORDER BY id") == ["a!", "c!"]


@pytest.mark.parametrize("way", HOW)
def test_a_key_that_is_made_of_a_parameter(lab: Lab, way: str) -> None:
    fill(lab, "a", "b", "a")
    result = run(lab, "put_named", "!", way=way)
    assert counts(result) == (3, 2, 0, 1)
    assert lab.rows("SELECT tag FROM tagged ORDER BY tag") == ["a!", "b!"]


def test_what_becomes_of_the_relation_is_no_matter_once_it_is_taken(lab: Lab) -> None:
    fill(lab, *"abcdefg")
    operation_id = lab.submit("copy_table")
    while not lab.one("SELECT count(*) FROM copy"):
        lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("UPDATE staging.source SET t = 'changed'; DELETE FROM staging.source WHERE id > 5")
    lab.do("INSERT INTO staging.source (id, t) VALUES (8, 'late')")
    lab.work(operation_id)
    assert lab.rows("SELECT t FROM copy ORDER BY t") == list("abcdefg")


@pytest.mark.parametrize("way", (CALL, SUBMIT))
def test_a_relation_that_cannot_be_read(lab: Lab, way: str) -> None:
    lab.do(
        "CREATE OR REPLACE VIEW staging.seen AS SELECT id, (1 / (id - id))::text AS t, n, d, r, b, m, l, s, j, a, c FROM staging.source"
    )
    fill(lab, "a")
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(lab, "copy_view", way=way)
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]


def test_a_table_that_is_not_there_is_said_when_it_is_submitted(lab: Lab) -> None:
    fill(lab, "a", "b")
    lab.do("ALTER TABLE staging.source RENAME TO away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        lab.submit("copy_table")
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]
    lab.do("ALTER TABLE staging.away RENAME TO source")
    operation_id = lab.submit("copy_table")
    lab.work(operation_id)
    assert counts(lab.status(operation_id)) == (2, 2, 0, 0)
