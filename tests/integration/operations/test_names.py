"""Where others may create: what they make is not taken for what an operation means."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import HOW, counts, entity, records

HEAD = """
    name: thing
    fields:
      id: integer
      name: {type: "varchar(20)", check: "length(name) < 20", unique: true}
      state: {type: "varchar(20)", default: {sql: "upper('new')"}}
      price: integer
    """
OPERATIONS = (
    "operation: raise_all, operation_type: update, batch_size: 2, update_data: {state: {sql: \"lower(state) || '!'\"}}, "
    'where_condition: "lower(name) = name AND price % 2 = 1", preconditions: ["count(*) > 0"]',
    "operation: drop_some, operation_type: delete, where_condition: \"id = ANY(:ids) AND name = 'a'\"",
    "operation: put, operation_type: upsert, upsert_data: {name: {sql: 'lower(:item.name)'}, price: :item.price}, "
    "conflict_target: name, data_source: :records",
    "operation: price, operation_type: update, update_data: {price: :item.price}, data_source: :records, "
    'match_on: [name], validation_rules: ["lower(name) = name"]',
    "operation: copy_all, steps: [{name: read, select_fields: [name], where_condition: \"lower(name) = 'a'\"}]",
)
# Each fits better than PostgreSQL's own, and would write down that it ran, as whoever runs the operation.
ATTACK = """
    CREATE TABLE public.loot (what text, who text);
    GRANT ALL ON public.loot TO PUBLIC;
    CREATE FUNCTION public.lower(varchar) RETURNS varchar LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.loot VALUES ('lower', current_user);
        RETURN 'stolen';
    END $$;
    CREATE FUNCTION public.length(varchar) RETURNS integer LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.loot VALUES ('length', current_user);
        RETURN 0;
    END $$;
    CREATE FUNCTION public.eq(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.loot VALUES ('=', current_user);
        RETURN true;
    END $$;
    CREATE FUNCTION public.eq(text, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT public.eq($1::varchar, $2)';
    CREATE FUNCTION public.eq(varchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.eq($1, $2::varchar)';
    CREATE FUNCTION public.cat(varchar, text) RETURNS varchar LANGUAGE sql AS $$ SELECT public.lower('x'::varchar) $$;
    CREATE OPERATOR public.= (FUNCTION = public.eq, LEFTARG = varchar, RIGHTARG = varchar);
    CREATE OPERATOR public.= (FUNCTION = public.eq, LEFTARG = text, RIGHTARG = varchar);
    CREATE OPERATOR public.= (FUNCTION = public.eq, LEFTARG = varchar, RIGHTARG = text);
    CREATE OPERATOR public.|| (FUNCTION = public.cat, LEFTARG = varchar, RIGHTARG = text);
"""


@pytest.fixture
def attacked(lab_of: Any) -> Any:
    """A database in which a role without rights has made what fits better, before anything ran."""
    lab = lab_of(entity(HEAD, *OPERATIONS), setup="GRANT CREATE ON SCHEMA public TO PUBLIC")
    lab.do("INSERT INTO thing (id, name, price) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)")
    lab.do("CREATE ROLE specgen_attacker")
    try:
        lab.do("SET ROLE specgen_attacker")
        lab.do(ATTACK)
        lab.do("RESET ROLE")
        yield lab
    finally:
        lab.do("RESET ROLE")
        lab.do("DROP OWNED BY specgen_attacker CASCADE; DROP ROLE specgen_attacker")


@pytest.mark.parametrize("how", HOW)
def test_what_somebody_else_made_is_not_called(attacked: Any, how: str) -> None:
    lab = attacked
    assert counts(lab.run("raise_all", how=how)) == (2, 2, 0, 0)
    assert lab.rows("SELECT state FROM thing ORDER BY id") == ["new!", "NEW", "new!"]
    assert counts(lab.run("put", records({"name": "A", "price": 5}, {"name": "D", "price": 6}), how=how)) == (
        2,
        2,
        0,
        0,
    )
    assert counts(
        lab.run("price", records({"name": "b", "price": 7}, {"name": "X", "price": 8}), how=how)
    ) == (2, 1, 1, 0)
    assert counts(lab.run("copy_all", how=how)) == (1, 1, 0, 0)
    assert counts(lab.run("drop_some", [1, 2], how=how)) == (2, 1, 1, 0)
    assert lab.rows("SELECT pg_catalog.format('%s %s', name, price) FROM thing ORDER BY id") == [
        "b 7",
        "c 3",
        "d 6",
    ]
    assert lab.rows("SELECT what, who FROM loot") == []


def test_the_attack_would_work_where_public_is_searched(attacked: Any) -> None:
    attacked.do("SELECT lower(name) FROM thing")
    assert attacked.rows("SELECT DISTINCT what FROM loot") == ["lower"]


def paths(lab: Any) -> dict[str, str]:
    found = lab.rows(
        "SELECT proname::text, array_to_string(proconfig, ' ') FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND proname LIKE '%\\_write' AND proname NOT LIKE 'batch%'"
    )
    return {name.removesuffix("_write"): config for name, config in found}


def test_a_path_is_wide_only_where_a_name_may_be_ones_own(lab_of: Any) -> None:
    def update(name: str, where: str) -> str:
        return f"operation: {name}, operation_type: update, update_data: {{price: 1}}, where_condition: {where!r}"

    conditions = {
        "own_function": "mine(price) = 1",
        "own_schema": "public.mine(price) = 1",
        "own_operator": "name <-> name = 1",
        "own_type": "price::public.code = 1",
        "own_table": "EXISTS (SELECT FROM thing AS t WHERE t.id = 1)",
        "by_name": "id = nextval('numbers')",
        "regclass": "id = 'thing'::regclass::oid::integer",
    }
    plain = {
        "arithmetic": "price % 10 = 3 AND abs(price) > 2",
        "texts": "name LIKE 'a%' AND upper(name) ~ '^A' AND name IN ('a', 'b') AND price BETWEEN 1 AND 3",
        "moments": "now() - interval '1 day' > timestamptz '2024-01-01' AND extract(year FROM now()) > 3",
        "values": "coalesce(price, 1) = greatest(1, price) AND price = ANY(:prices) AND NOT name IS NULL",
        "unnested": "price = (SELECT max(x) FROM unnest(:prices::integer[]) AS x)",
    }
    before = """
        CREATE SEQUENCE numbers;
        CREATE DOMAIN code AS integer;
        CREATE FUNCTION mine(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
        CREATE FUNCTION apart(text, text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
        CREATE OPERATOR <-> (FUNCTION = apart, LEFTARG = text, RIGHTARG = text);
    """
    operations = [update(*item) for item in (conditions | plain).items()]
    found = paths(
        lab_of(
            entity("name: thing\nfields: {id: integer, name: string, price: integer}", *operations),
            before=before,
        )
    )
    wide = {name for name, config in found.items() if "search_path=pg_catalog, public, pg_temp" in config}
    assert wide == set(conditions)
    assert len(found) == len(conditions | plain)


def test_types_of_an_extension_keep_the_path(lab_of: Any) -> None:
    operation = "operation: drop_all, operation_type: delete, where_condition: \"code = 'A'\""
    lab = lab_of(
        entity("name: thing\nfields: {id: integer, code: citext}", operation),
        before="CREATE EXTENSION citext",
    )
    lab.do("INSERT INTO thing VALUES (1, 'a')")
    assert counts(lab.run("drop_all")) == (1, 1, 0, 0)


# Each fits better than PostgreSQL's own what the functions that read values call.
READING = """
    CREATE TABLE public.loot (what text, who text);
    GRANT ALL ON public.loot TO PUBLIC;
    CREATE FUNCTION public.took(what text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.loot VALUES (what, current_user);
        RETURN '';
    END $$;
    CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE sql
        AS $$ SELECT public.took('format') || pg_catalog.format($1, VARIADIC ARRAY[$2]) $$;
    CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE sql
        AS $$ SELECT public.took('format') || pg_catalog.format($1, VARIADIC ARRAY[$2, $3]) $$;
    CREATE FUNCTION public.format(text, text, text, text) RETURNS text LANGUAGE sql
        AS $$ SELECT public.took('format') || pg_catalog.format($1, VARIADIC ARRAY[$2, $3, $4]) $$;
    CREATE FUNCTION public.format(text, text, text, text, text) RETURNS text LANGUAGE sql
        AS $$ SELECT public.took('format') || pg_catalog.format($1, VARIADIC ARRAY[$2, $3, $4, $5]) $$;
    CREATE FUNCTION public.jsonb_build_array(jsonb) RETURNS jsonb LANGUAGE sql
        AS $$ SELECT (public.took('jsonb_build_array') || pg_catalog.jsonb_build_array($1)::text)::jsonb $$;
    CREATE FUNCTION public.array_length(text[], integer) RETURNS integer LANGUAGE sql
        AS $$ SELECT length(public.took('array_length')) + pg_catalog.array_length($1, $2) $$;
    CREATE FUNCTION public.append(boolean[], boolean) RETURNS boolean[] LANGUAGE sql
        AS $$ SELECT pg_catalog.array_append($1, public.took('||') IS NULL) $$;
    CREATE OPERATOR public.|| (FUNCTION = public.append, LEFTARG = boolean[], RIGHTARG = boolean);
    CREATE AGGREGATE public.first_value(bigint[]) (SFUNC = pg_catalog.array_cat, STYPE = bigint[]);
    CREATE FUNCTION public.to_jsonb(text) RETURNS jsonb LANGUAGE sql
        AS $$ SELECT (public.took('to_jsonb') || pg_catalog.to_jsonb($1)::text)::jsonb $$;
    CREATE FUNCTION public.cardinality(integer[]) RETURNS integer LANGUAGE sql
        AS $$ SELECT length(public.took('cardinality')) $$;
    CREATE FUNCTION public.inside(jsonb, text) RETURNS text LANGUAGE sql AS $$ SELECT public.took('#>>') $$;
    CREATE FUNCTION public.inside(jsonb, jsonb) RETURNS text LANGUAGE sql AS $$ SELECT public.took('#>>') $$;
    CREATE OPERATOR public.#>> (FUNCTION = public.inside, LEFTARG = jsonb, RIGHTARG = text);
    CREATE OPERATOR public.#>> (FUNCTION = public.inside, LEFTARG = jsonb, RIGHTARG = jsonb);
"""


@pytest.mark.parametrize("how", HOW)
def test_values_that_cannot_be_read_call_nothing_of_somebody_elses(lab_of: Any, how: str) -> None:
    """Over a table that was there before public is searched, for its triggers may rely on it."""
    reading = "operation_type: upsert, conflict_target: id, data_source: :records, upsert_data: {id: :item.id, n: :item.n}"
    lab = lab_of(
        entity(
            "name: old\nmanaged: false\nfields: {id: integer, n: integer}",
            f"operation: load, {reading}",
            f'operation: load_valid, {reading}, validation_rules: ["n > 0"]',
            "operation: raise_all, operation_type: update, update_data: {n: 1}, where_condition: 'id > 0', batch_size: 1",
            "operation: drop_some, operation_type: delete, where_condition: 'id = ANY(:ids)'",
        ),
        before="CREATE TABLE old (id integer PRIMARY KEY, n integer)",
    )
    lab.do(READING)
    given = [
        {"id": 1, "n": 1},
        {"id": 2, "n": "x"},
        {"id": "y", "n": 3},
        {"id": 1, "n": 4},
        {"id": 4, "n": [1]},
    ]
    for operation in ("load", "load_valid"):
        assert counts(lab.run(operation, records(*given), how=how))[0] == 5
    assert lab.rows("SELECT count(*) FROM old") == [1]
    assert counts(lab.run("raise_all", how=how)) == (1, 1, 0, 0)
    assert counts(lab.run("drop_some", [1, 7], how=how)) == (2, 1, 1, 0)
    assert lab.rows("SELECT what, who FROM loot") == []
