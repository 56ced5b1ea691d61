"""``returning``: what was written is kept and counted, whatever triggers and conversions made of its keys."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import HOW, Lab, audited, counts, entity, records

BEFORE = f"""
    CREATE TABLE always (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code text UNIQUE, amount integer);
    CREATE TABLE own_key (id bigint PRIMARY KEY, code text);
    CREATE FUNCTION own_key() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.id := length(NEW.code); NEW.code := upper(NEW.code); RETURN NEW; END';
    CREATE TRIGGER own_key BEFORE INSERT ON own_key FOR EACH ROW EXECUTE FUNCTION own_key();
    CREATE TABLE coded (id serial PRIMARY KEY, code text UNIQUE, size numeric(6, 1) UNIQUE, n integer);
    CREATE FUNCTION lower_code() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.code := lower(NEW.code); RETURN NEW; END';
    CREATE TRIGGER lower_code BEFORE INSERT ON coded FOR EACH ROW EXECUTE FUNCTION lower_code();
    {audited("coded")}
"""
SPEC = (
    entity(
        "name: always\nmanaged: false\nfields: {id: integer, code: string, amount: integer}",
        "operation: add_always, operation_type: insert, insert_data: {code: :item.code}, data_source: :records, "
        "returning: true",
        "operation: walk, operation_type: update, update_data: {amount: {sql: 100 / amount}}, where_condition: id > 0, "
        "returning: [amount], batch_size: 5",
        "operation: pick, operation_type: update, update_data: {amount: {sql: 100 / amount}}, "
        'where_condition: "id = ANY(:ids)", returning: [amount], batch_size: 5',
        "operation: drop_some, operation_type: delete, data_source: :records, returning: [code]",
    )
    + "---\n"
    + entity(
        "name: own_key\nmanaged: false\nfields: {id: bigint, code: string}",
        "operation: add_own, operation_type: insert, insert_data: {id: 0, code: :item.code}, data_source: :records, "
        "returning: [code]",
    )
    + "---\n"
    + entity(
        "name: coded\nmanaged: false\nfields: {id: integer, code: string, size: 'decimal(6,1)', n: integer}",
        "operation: put_code, operation_type: upsert, upsert_data: {code: :item.code, n: :item.n}, "
        "conflict_target: code, data_source: :records, returning: [code, n]",
        "operation: put_size, operation_type: upsert, upsert_data: {size: {sql: ':item.size::numeric'}, n: :item.n}, "
        "conflict_target: size, data_source: :records, returning: [size, n]",
        "operation: new_code, operation_type: upsert, upsert_data: {code: :item.code}, "
        "conflict_target: code, data_source: :records, returning: [code]",
        "operation: one_code, operation_type: insert, insert_data: {code: :code}, returning: [code]",
    )
)


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, "", BEFORE)


@pytest.mark.parametrize("how", HOW)
def test_keys_are_drawn_for_identities_that_are_always_generated(lab: Lab, how: str) -> None:
    result = lab.run(
        "add_always", records({"code": "b"}, {"code": "a"}, {"code": "b"}, {"code": "c"}), how=how
    )
    assert counts(result) == (4, 3, 0, 1)
    ids = [row["id"] for row in lab.outputs(result)]
    assert [lab.one("SELECT code FROM always WHERE id = %s", key) for key in ids] == ["b", "a", "c"]
    numbers = "SELECT record_number FROM batch_outputs WHERE operation_id = %s ORDER BY record_number"
    assert lab.rows(numbers, result.operation_id) == [1, 2, 4]


@pytest.mark.parametrize("how", HOW)
def test_rows_whose_keys_a_trigger_chose_are_counted(lab: Lab, how: str) -> None:
    result = lab.run("add_own", records({"code": "abc"}, {"code": "b"}), how=how)
    assert counts(result) == (2, 2, 0, 0)
    assert sorted(row["id"] for row in lab.outputs(result)) == [1, 3]


@pytest.mark.parametrize("how", HOW)
def test_rows_whose_unique_value_a_trigger_changed_are_counted(lab: Lab, how: str) -> None:
    result = lab.run("put_code", records({"code": "ABC", "n": 1}, {"code": "d", "n": 2}), how=how)
    assert counts(result) == (2, 2, 0, 0)
    assert sorted(row["code"] for row in lab.outputs(result)) == ["abc", "d"]


@pytest.mark.parametrize("how", HOW)
def test_rows_whose_unique_value_was_rounded_are_counted(lab: Lab, how: str) -> None:
    result = lab.run(
        "put_size", records({"size": 1.26, "n": 1}, {"size": 2, "n": 2}, {"size": None, "n": 3}), how=how
    )
    assert counts(result) == (3, 3, 0, 0)
    assert len(lab.outputs(result)) == 3


@pytest.mark.parametrize("how", HOW)
def test_rows_that_were_there_are_skipped_when_nothing_is_to_be_updated(lab: Lab, how: str) -> None:
    lab.do("INSERT INTO coded (code) VALUES ('a')")
    result = lab.run("new_code", records({"code": "b"}, {"code": "a"}, {"code": "c"}), how=how)
    assert counts(result) == (3, 2, 1, 0)
    assert [row["code"] for row in lab.outputs(result)] == ["b", "c"]


@pytest.mark.parametrize("how", HOW)
def test_a_single_record_is_kept(lab: Lab, how: str) -> None:
    result = lab.run("one_code", "x", how=how)
    assert counts(result) == (1, 1, 0, 0)
    assert lab.outputs(result) == [{"id": 1, "code": "x"}]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["walk", "pick"])
def test_order_survives_the_search_for_a_failing_record(lab: Lab, operation: str, how: str) -> None:
    lab.do("INSERT INTO always (code, amount) SELECT n, n - 13 FROM generate_series(1, 23) AS n")
    ids = [*range(23, 0, -1)]
    result = lab.run(operation, *([ids] if operation == "pick" else []), how=how)
    assert counts(result) == (23, 22, 0, 1)
    assert lab.errors(result) == [({"id": 13}, "22012")]
    expected = sorted(ids) if operation == "walk" else ids
    assert [row["id"] for row in lab.outputs(result)] == [key for key in expected if key != 13]


@pytest.mark.parametrize("how", HOW)
def test_deleted_rows_are_kept_in_the_order_of_the_records(lab: Lab, how: str) -> None:
    lab.do("INSERT INTO always (code) SELECT 'c' || n FROM generate_series(1, 5) AS n")
    result = lab.run("drop_some", records({"id": 4}, {"id": 9}, {"id": 2}), how=how)
    assert counts(result) == (3, 2, 1, 0)
    assert lab.outputs(result) == [{"id": 4, "code": "c4"}, {"id": 2, "code": "c2"}]


CHANGED_KEYS = entity(
    "name: post\nmanaged: false\nprimary_key: [slug]\nfields: {slug: text, title: text}",
    "operation: put, operation_type: insert, data_source: :records, returning: [slug, title], "
    "insert_data: {slug: :item.slug, title: :item.title}",
    "operation: put_stop, operation_type: insert, data_source: :records, returning: [slug], "
    "error_handling: stop_on_error, insert_data: {slug: :item.slug, title: :item.title}",
)
KEYS_OF_A_TRIGGER = """
    CREATE TABLE post (slug text PRIMARY KEY, title text CHECK (title <> 'bad'));
    CREATE FUNCTION name_post() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.slug = 'skip' THEN
            RETURN NULL;
        ELSIF NEW.slug ~ '^[0-9]+$' THEN
            NEW.slug := NEW.slug::integer + 1;
        END IF;
        WHILE EXISTS (SELECT FROM public.post WHERE slug = NEW.slug) LOOP
            NEW.slug := NEW.slug || '-2';
        END LOOP;
        RETURN NEW;
    END $$;
    CREATE TRIGGER name_post BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION name_post();
"""


def posts(*slugs: str, bad: int = 0) -> Any:
    return records(
        *({"slug": slug, "title": "bad" if n == bad else str(n)} for n, slug in enumerate(slugs, 1))
    )


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("slugs", "kept"),
    [
        (("a", "a", "b"), [(1, "a"), (2, "a-2"), (3, "b")]),
        (("a", "a", "b", "skip"), [(1, "a"), (2, "a-2"), (3, "b")]),
        (("1", "2", "5"), [(1, "2"), (2, "3"), (3, "6")]),
        (("7", "7", "7"), [(1, "8"), (2, "8-2"), (3, "8-2-2")]),
    ],
)
def test_rows_whose_key_a_trigger_changes_are_counted_once_and_told_by_their_record(
    copy_of, how: str, slugs: tuple[str, ...], kept: list[tuple[int, str]]
) -> None:
    lab = copy_of(CHANGED_KEYS, "", KEYS_OF_A_TRIGGER)
    result = lab.run("put", posts(*slugs), how=how)
    assert counts(result) == (len(slugs), len(kept), len(slugs) - len(kept), 0)
    query = "SELECT record_number, record ->> 'slug' FROM batch_outputs WHERE operation_id = %s ORDER BY 1, 2"
    assert lab.rows(query, result.operation_id) == kept


@pytest.mark.parametrize("how", HOW)
def test_a_record_among_rows_whose_key_a_trigger_changes_fails_alone(copy_of, how: str) -> None:
    lab = copy_of(CHANGED_KEYS, "", KEYS_OF_A_TRIGGER)
    result = lab.run("put", posts("a", "a", "b", "1", "a", bad=3), how=how)
    assert counts(result) == (5, 4, 0, 1)
    assert lab.errors(result, "record_number, sqlstate") == [(3, "23514")]
    query = "SELECT record_number, record ->> 'slug' FROM batch_outputs ORDER BY 1"
    assert lab.rows(query) == [(1, "a"), (2, "a-2"), (4, "2"), (5, "a-2-2")]


@pytest.mark.parametrize("how", HOW)
def test_where_the_first_failure_ends_it_rows_are_counted_once_too(copy_of, how: str) -> None:
    lab = copy_of(CHANGED_KEYS, "", KEYS_OF_A_TRIGGER)
    assert counts(lab.run("put_stop", posts("a", "a", "b"), how=how)) == (3, 3, 0, 0)
