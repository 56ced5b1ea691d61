"""Settings of a session, role or database change nothing of what a spec says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from .lab import CALL, HOW, Lab, build_runtime, counts, entity, opened, records, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = entity(
    r"""
    name: item
    fields:
      id: integer
      label: {type: string, check: 'label <> ''no\dre'''}
      price: numeric
      words: string
      tags: "text[]"
      raw: bytea
      ratio: double precision
    """,
    r"""operation: digits, operation_type: update, update_data: {price: 1}, where_condition: "label ~ '^\\d+$'" """,
    r"""operation: letter, operation_type: update, update_data: {label: 'a\b'}, where_condition: "id = 1" """,
    r"""operation: search, operation_type: update, update_data: {price: 3}, where_condition: "to_tsvector(words) @@ to_tsquery('run')" """,
    """operation: found, operation_type: update, update_data: {price: 4}, where_condition: "words LIKE '%un%'" """,
    'operation: listed, operation_type: select, select_fields: [id, raw, ratio], where_condition: "id > 0"',
    "operation: load, operation_type: insert, data_source: :records, "
    "insert_data: {id: :item.id, label: :item.label, tags: :item.tags, price: :item.price}, "
    r"""validation_rules: ["label !~ '^\\s*$'"]""",
)
SETUP = """
    INSERT INTO public.item (id, label, words, raw, ratio)
    VALUES (1, '12', 'running', decode('5c00ff', 'hex'), 0.1::float8 + 0.2::float8),
           (2, 'd', 'runs', decode('41', 'hex'), 1e-300),
           (3, 'dd', 'walk', NULL, NULL);
"""
HOSTILE = {
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "quote_all_identifiers": "on",
    "xmlbinary": "hex",
    "xmloption": "document",
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kathmandu",
    "search_path": "pg_temp",
    "gin_fuzzy_search_limit": "1",
    "plpgsql.variable_conflict": "use_column",
    "plpgsql.extra_errors": "all",
    "lc_monetary": "C",
    "default_transaction_isolation": "repeatable read",
}


@pytest.fixture(params=["hostile", "usual"])
def lab(request: pytest.FixtureRequest, postgres_server, new_database, tmp_path) -> Iterator[Lab]:
    """A database whose settings were there before anything was deployed, and hold for every session."""
    dsn = new_database(postgres_server)
    if request.param == "hostile":
        with psycopg.connect(dsn, autocommit=True) as connection:
            for name, value in HOSTILE.items():
                connection.execute(
                    sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                        sql.Identifier(connection.info.dbname), sql.SQL(name), sql.Literal(value)
                    )
                )
    build_runtime(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(rendered(SPEC, tmp_path).encode())
        connection.execute(SETUP.encode())
    with opened(dsn) as lab:
        yield lab


ACCOUNT = "(r).operation_id, (r).total_records, (r).processed_records, (r).skipped_records, (r).error_count"


def run(lab: Lab, operation: str, *arguments: Any, how: str) -> Any:
    if how == CALL:
        given = ", ".join(["%s"] * len(arguments))
        query = f"SELECT {ACCOUNT} FROM public.{operation}({given}) AS r"
        return lab.connection.execute(query.encode(), arguments).fetchone()
    operation_id = lab.submit(f"public.{operation}", ", ".join(["%s"] * len(arguments)), arguments)
    lab.do("CALL public.batch_work(%s)", operation_id)
    query = f"SELECT {ACCOUNT} FROM public.batch_status(%s) AS r"
    return lab.connection.execute(query.encode(), [operation_id]).fetchone()


@pytest.mark.parametrize("how", HOW)
def test_what_a_condition_means_no_setting_changes(lab: Lab, how: str) -> None:
    for operation, ids in {"digits": [1], "found": [1, 2], "search": [1, 2]}.items():
        lab.do("UPDATE public.item SET price = NULL")
        result = run(lab, operation, how=how)
        assert counts(result) == (len(ids), len(ids), 0, 0), operation
        assert lab.rows("SELECT id FROM public.item WHERE price IS NOT NULL ORDER BY id") == ids, operation


@pytest.mark.parametrize("how", HOW)
def test_a_text_of_the_spec_is_written_as_it_stands_there(lab: Lab, how: str) -> None:
    run(lab, "letter", how=how)
    assert lab.one("SELECT label, length(label) FROM public.item WHERE id = 1") == (chr(92).join("ab"), 3)


@pytest.mark.parametrize("how", HOW)
def test_what_an_operation_keeps_reads_alike_whatever_the_settings(lab: Lab, how: str) -> None:
    result = run(lab, "listed", how=how)
    assert lab.rows("SELECT public.batch_output(%s)", result.operation_id) == [
        {"id": 1, "raw": "\\x5c00ff", "ratio": 0.1 + 0.2},
        {"id": 2, "raw": "\\x41", "ratio": 1e-300},
        {"id": 3, "raw": None, "ratio": None},
    ]


@pytest.mark.parametrize("how", HOW)
def test_nulls_and_backslashes_in_records_arrive_and_checks_mean_what_the_spec_says(
    lab: Lab, how: str
) -> None:
    items = [
        {"id": 10, "label": "x\\y", "tags": ["a", None, "NULL"]},
        {"id": 11, "label": "no\\dre", "tags": []},
        {"id": 12, "label": "   ", "tags": None},
        {"id": 13, "label": "sss", "tags": None},
    ]
    result = run(lab, "load", records(*items), how=how)
    assert counts(result) == (4, 2, 0, 2)
    assert lab.rows("SELECT sqlstate FROM public.batch_operation_errors ORDER BY record_number") == [
        "23514",
        "P0B08",
    ]
    assert lab.rows("SELECT id, label, tags FROM public.item WHERE id >= 10 ORDER BY id") == [
        (10, "x\\y", ["a", None, "NULL"]),
        (13, "sss", None),
    ]


def test_a_worker_searches_with_the_words_of_who_submitted(lab: Lab) -> None:
    lab.do("SET default_text_search_config = 'pg_catalog.english'")
    operation_id = lab.submit("public.search")
    lab.do("SET default_text_search_config = 'pg_catalog.simple'")
    lab.do("CALL public.batch_work(%s)", operation_id)
    assert lab.rows("SELECT id FROM public.item WHERE price = 3 ORDER BY id") == [1, 2]


def test_a_row_of_an_operation_sets_nothing_else_in_a_workers_session(lab: Lab) -> None:
    operation_id = lab.submit("public.found")
    lab.do(
        "UPDATE public.batch_operations SET session = session || %s::jsonb",
        '{"session_replication_role": "replica", "statement_timeout": "1ms", "role": "nobody"}',
    )
    with lab.connection.transaction():
        for _ in range(3):
            lab.do("SELECT public.batch_step(%s)", operation_id)
        assert lab.one("SELECT current_setting('session_replication_role')") == "origin"
        assert lab.one("SELECT current_setting('statement_timeout')") == "0"
