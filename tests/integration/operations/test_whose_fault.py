"""Whether a record failed or the system did: no SQLSTATE tells, so it is found out by trying others."""

from __future__ import annotations

import psycopg
import pytest

from .lab import HOW, SUBMIT, Lab, audited, counts, entity, records

STATES = (
    *("08006", "25P02", "40001", "42601", "42P01", "42883", "42501"),
    *("53100", "53200", "57014", "57P01", "58030", "F0000", "XX000", "XX001"),
)
"""Classes that say something of the system, unless somebody's code raises them for a record."""

BEFORE = f"""
    CREATE EXTENSION ltree;
    CREATE EXTENSION hstore;
    CREATE TABLE thing (
        id integer PRIMARY KEY, label text, q tsquery, path ltree, rel regclass, attrs hstore
    );
    INSERT INTO thing (id, label) SELECT n, 'old' FROM generate_series(1, 40) AS n;
    CREATE TABLE needed (id integer PRIMARY KEY);
    CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.label ~ '^[0-9A-Z]{{5}}$' THEN
            RAISE EXCEPTION 'not this one' USING ERRCODE = NEW.label;
        ELSIF NEW.label LIKE 'table %' THEN
            EXECUTE 'SELECT FROM ' || substr(NEW.label, 7);
        ELSIF NEW.label = 'needed' THEN
            PERFORM FROM public.needed;
        END IF;
        RETURN NEW;
    END $$;
    CREATE FUNCTION known(text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
        RETURN EXISTS (SELECT FROM public.needed);
    END $$;
    CREATE TRIGGER look BEFORE INSERT OR UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION look();
    {audited("thing")}
"""
FIELDS = "id: integer, label: string, q: tsquery, path: public.ltree, rel: regclass, attrs: public.hstore"
SPEC = entity(
    f"name: thing\nmanaged: false\nfields: {{{FIELDS}}}",
    "operation: put, operation_type: insert, data_source: :records, batch_size: 20, insert_data: "
    "{id: :item.id, label: :item.label, q: :item.q, path: :item.path, rel: :item.rel, attrs: :item.attrs}",
    "operation: put_search, operation_type: insert, data_source: :records, batch_size: 20, "
    "insert_data: {id: :item.id, q: {sql: \"to_tsquery('simple', :item.label)\"}}",
    "operation: put_valid, operation_type: insert, data_source: :records, batch_size: 20, "
    'insert_data: {id: :item.id, q: :item.q}, validation_rules: ["numnode(q) > 0"]',
    "operation: put_known, operation_type: insert, data_source: :records, batch_size: 20, "
    'insert_data: {id: :item.id, label: :item.label}, validation_rules: ["public.known(label)"]',
    "operation: label_rows, operation_type: update, update_data: {label: :label}, batch_size: 10, "
    "where_condition: \"id > 0 AND label = 'old'\"",
    "operation: label_keys, operation_type: update, update_data: {label: :label}, batch_size: 10, "
    'where_condition: "id = ANY(:ids)"',
    'operation: find, operation_type: update, update_data: {label: found}, batch_size: 10, where_condition: "id <= 30 '
    "AND to_tsvector('simple', 'a') @@ to_tsquery('simple', CASE WHEN id = 7 THEN 'a b' ELSE 'a' END) IS NOT NULL\"",
    "operation: put_one, operation_type: insert, parameters: {words: text}, insert_data: {id: 1000, q: {sql: \"to_tsquery('simple', :words)\"}}",
)

BAD_VALUES = {
    "tsquery": ("put", {"q": "a b"}, "42601"),
    "ltree": ("put", {"path": "a..b"}, "42601"),
    "regclass": ("put", {"rel": "no_such_table"}, "42P01"),
    "hstore": ("put", {"attrs": "a=>"}, "42601"),  # XX000 before PostgreSQL 16
    "to_tsquery": ("put_search", {"label": "a b"}, "42601"),
    "tsquery behind a rule": ("put_valid", {"q": "a b"}, "42601"),
}


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, "", BEFORE)


def good(n: int) -> dict[str, object]:
    return {"id": n, "label": "fine", "q": "a & b"}


def fitting(operation: str, item: dict[str, object]) -> dict[str, object]:
    """A record without fields that the operation does not read."""
    unread = {"put_search": ("q",), "put_valid": ("label",)}.get(operation, ())
    return {name: value for name, value in item.items() if name not in unread}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", BAD_VALUES)
def test_a_value_that_its_type_refuses_as_bad_syntax_costs_its_record_alone(
    lab: Lab, kind: str, how: str
) -> None:
    operation, bad, state = BAD_VALUES[kind]
    items = [fitting(operation, good(100 + n) | (bad if n in (3, 4, 17) else {})) for n in range(50)]
    result = lab.run(operation, records(*items), how=how)
    assert result.status == "completed_with_errors"
    assert counts(result) == (50, 47, 0, 3)
    if kind == "hstore" and lab.connection.info.server_version < 160000:
        state = "XX000"
    assert lab.errors(result) == [({"id": n}, state) for n in (103, 104, 117)]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", ["continue_on_error", "stop_on_error"])
def test_where_all_records_are_bad_each_is_named_and_the_operation_ends(
    lab: Lab, mode: str, how: str
) -> None:
    items = [good(100 + n) | {"path": "a..b"} for n in range(5)]
    result = lab.run("put", records(*items), how=how, error_handling=mode)
    failed = 5 if mode == "continue_on_error" else 1
    assert counts(result) == (5, 0, 5 - failed, failed)
    assert lab.errors(result) == [({"id": 100 + n}, "42601") for n in range(failed)]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("state", STATES)
def test_whatever_class_a_trigger_raises_its_record_is_named_and_the_others_are_written(
    lab: Lab, state: str, how: str
) -> None:
    items = [good(100 + n) | ({"label": state} if n in (3, 4, 30) else {}) for n in range(41)]
    result = lab.run("put", records(*items), how=how)
    assert counts(result) == (41, 38, 0, 3)
    assert lab.errors(result) == [({"id": n}, state) for n in (103, 104, 130)]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("state", ["42P01", "53100", "57014"])
@pytest.mark.parametrize("operation", ["label_rows", "label_keys"])
def test_what_a_trigger_raises_for_every_row_is_each_rows_own(
    lab: Lab, operation: str, state: str, how: str
) -> None:
    arguments = (list(range(1, 41)), state) if operation == "label_keys" else (state,)
    result = lab.run(operation, *arguments, how=how)
    assert counts(result) == (40, 0, 0, 40)
    assert lab.errors(result) == [({"id": n}, state) for n in range(1, 41)]


@pytest.mark.parametrize("how", HOW)
def test_a_condition_that_cannot_be_computed_for_a_row_ends_the_operation_before_anything_is_written(
    lab: Lab, how: str
) -> None:
    """Counting meets the row first; that ends the call before anything is written."""
    with pytest.raises(psycopg.errors.SyntaxError):
        lab.call("find", how=how)
    assert lab.written() == []


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", ["continue_on_error", "stop_on_error"])
def test_a_table_missing_in_a_trigger_for_one_record_is_that_records_fault(
    lab: Lab, mode: str, how: str
) -> None:
    items = [good(100 + n) | ({"label": "table nowhere"} if n == 13 else {}) for n in range(15)]
    result = lab.run("put", records(*items), how=how, error_handling=mode)
    assert counts(result) == ((15, 14, 0, 1) if mode == "continue_on_error" else (15, 0, 14, 1))
    assert lab.errors(result) == [({"id": 113}, "42P01")]


@pytest.mark.parametrize("isolation", ["record", "batch"])
@pytest.mark.parametrize("mode", ["continue_on_error", "stop_on_error"])
def test_a_table_missing_for_all_records_is_blamed_on_none_and_the_operation_goes_on_when_it_is_there(
    copy_of, mode: str, isolation: str
) -> None:
    lab = copy_of(
        SPEC.replace("operation: put,", f"operation: put, error_isolation: {isolation},"), "", BEFORE
    )
    lab.do("ALTER TABLE needed RENAME TO mislaid")
    operation_id = lab.submit(
        "put",
        "%s, options => %s",
        [
            records(*(good(100 + n) | {"label": "needed"} for n in range(41))),
            f'{{"error_handling": "{mode}"}}',
        ],
    )
    with pytest.raises(psycopg.errors.UndefinedTable, match="needed"):
        lab.work(operation_id)
    assert lab.status(operation_id).status == "running"
    assert lab.rows("SELECT * FROM batch_operation_errors") == []
    lab.do("ALTER TABLE mislaid RENAME TO needed")
    lab.work(operation_id)
    assert counts(lab.status(operation_id)) == (41, 41, 0, 0)
    assert len(lab.written()) == 41


def test_a_right_that_a_trigger_misses_is_blamed_on_no_row_though_many_keys_have_none(lab: Lab) -> None:
    lab.do(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.needed VALUES (NEW.id);"
        " RETURN NEW; END $$; CREATE TRIGGER note BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION note();"
        " DO $$ BEGIN CREATE ROLE specgen_clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        " GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_clerk; REVOKE ALL ON needed FROM specgen_clerk"
    )
    keys = [key for row in range(1, 11) for key in (row, row + 1000, row + 2000, row + 3000)]
    lab.do("SET ROLE specgen_clerk")
    try:
        for mode in ("continue_on_error", "stop_on_error"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="needed"):
                lab.call("label_keys", keys, "new", error_handling=mode)
    finally:
        lab.do("RESET ROLE; DROP OWNED BY specgen_clerk")


def test_what_is_raised_is_what_failed_whatever_was_tried_last(lab: Lab) -> None:
    lab.do(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.needed VALUES (NEW.id);"
        " RETURN NEW; END $$; CREATE TRIGGER note BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION note();"
        " DO $$ BEGIN CREATE ROLE specgen_clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        " GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_clerk; REVOKE ALL ON needed FROM specgen_clerk"
    )
    lab.do("SET ROLE specgen_clerk")
    try:
        # The first key has no row: tried last, it passes and tells nothing.
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="needed"):
            lab.call("label_keys", [-1, 1, 2, 3], "new")
    finally:
        lab.do("RESET ROLE; DROP OWNED BY specgen_clerk")


@pytest.mark.parametrize("how", HOW)
def test_rows_that_a_policy_refuses_are_named_though_no_other_of_their_batch_may_be_written(
    lab: Lab, how: str
) -> None:
    lab.do(
        "ALTER TABLE thing ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY seen ON thing FOR SELECT USING (true);"
        " CREATE POLICY own ON thing FOR UPDATE USING (id > 4) WITH CHECK (id > 8);"
        " DO $$ BEGIN CREATE ROLE specgen_clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        " GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_clerk"
    )
    lab.do("SET ROLE specgen_clerk")
    try:
        result = lab.run("label_keys", [*range(1, 11)], "new", batch_size=8, how=how)
        assert counts(result) == (10, 2, 4, 4)
        assert set(lab.errors(result, "sqlstate, error_message")) == {
            ("42501", 'new row violates row-level security policy for table "thing"')
        }
        lab.do("RESET ROLE; REVOKE UPDATE ON thing FROM specgen_clerk; SET ROLE specgen_clerk")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for table thing"):
            lab.call("label_keys", [9, 10], "new", how=how)
    finally:
        lab.do("RESET ROLE; DROP OWNED BY specgen_clerk")


IN_SQL = {
    "a right": ("42501", "REVOKE ALL ON prices FROM specgen_clerk", "GRANT ALL ON prices TO specgen_clerk"),
    "a table": ("42P01", "ALTER TABLE prices RENAME TO mislaid", "ALTER TABLE mislaid RENAME TO prices"),
    "a function": ("42883", "ALTER FUNCTION rate RENAME TO mislaid", "ALTER FUNCTION mislaid RENAME TO rate"),
    "a trigger's return": (
        "2F005",
        "CREATE FUNCTION mute() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
        " CREATE TRIGGER mute BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION mute()",
        "DROP TRIGGER mute ON thing",
    ),
}


@pytest.mark.parametrize("missing", IN_SQL)
def test_what_a_function_in_sql_misses_is_blamed_on_no_row_and_the_operation_goes_on_with_it(
    copy_of, missing: str
) -> None:
    state, take, give = IN_SQL[missing]
    spec = entity(
        "name: thing\nmanaged: false\nfields: {id: integer, label: string}",
        "operation: price_all, operation_type: update, batch_size: 15, where_condition: \"label = 'old'\", "
        'update_data: {label: {sql: "public.price_of(id)"}}',
    )
    lab = copy_of(
        spec,
        "",
        BEFORE
        + """
        CREATE TABLE prices (id integer, price text);
        CREATE FUNCTION rate(integer) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
        CREATE FUNCTION price_of(integer) RETURNS text LANGUAGE sql SET search_path = public
            AS 'SELECT coalesce((SELECT p.price FROM prices AS p WHERE p.id = $1), rate($1))';
        DO $$ BEGIN CREATE ROLE specgen_clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        """,
    )
    lab.do("GRANT ALL ON ALL TABLES IN SCHEMA public TO specgen_clerk; SET ROLE specgen_clerk")
    operation_id = lab.submit("price_all")
    lab.do(f"RESET ROLE; {take}; SET ROLE specgen_clerk")
    with pytest.raises(psycopg.Error) as caught:
        lab.work(operation_id)
    assert caught.value.sqlstate == state
    assert lab.rows("SELECT * FROM batch_operation_errors") == []
    lab.do(f"RESET ROLE; {give}")
    lab.work(operation_id)
    assert counts(lab.status(operation_id)) == (40, 40, 0, 0)
    lab.do("DROP OWNED BY specgen_clerk")


@pytest.mark.parametrize("how", HOW)
def test_many_records_in_a_row_that_fail_alike_do_not_keep_the_others_from_being_written(
    lab: Lab, how: str
) -> None:
    lab.do("ALTER TABLE needed ADD COLUMN kind text")
    lab.do(
        "CREATE FUNCTION strict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id < 113 THEN"
        " PERFORM FROM public.nowhere; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER strict BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION strict()"
    )
    result = lab.run("put", records(*(good(n) for n in range(100, 120))), how=how)
    assert counts(result) == (20, 7, 0, 13)
    assert lab.errors(result) == [({"id": n}, "42P01") for n in range(100, 113)]


def test_a_statement_trigger_that_minds_an_empty_statement_is_not_in_the_way(lab: Lab) -> None:
    lab.do(
        "CREATE FUNCTION minds() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT EXISTS (SELECT FROM new_rows) THEN"
        " RAISE 'empty'; END IF; RETURN NULL; END $$;"
        " CREATE TRIGGER minds AFTER INSERT ON thing REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION minds()"
    )
    result = lab.run("put", records(*(good(n) | ({"q": "a b"} if n == 105 else {}) for n in range(100, 110))))
    assert counts(result) == (10, 9, 0, 1)


@pytest.mark.parametrize("column", ["label", "id"])
def test_a_column_that_is_gone_is_blamed_on_no_record(lab: Lab, column: str) -> None:
    lab.do(f"ALTER TABLE thing RENAME {column} TO elsewhere")
    for operation, arguments in (("put", [records(good(100))]), ("label_keys", [[1, 2], "new"])):
        with pytest.raises(psycopg.errors.UndefinedColumn):
            lab.call(operation, *arguments)
    assert lab.rows("SELECT * FROM batch_operation_errors") == []


@pytest.mark.parametrize("how", HOW)
def test_an_operation_of_one_record_names_it_and_ends(lab: Lab, how: str) -> None:
    result = lab.run("put_one", "a b", how=how)
    assert counts(result) == (1, 0, 0, 1)
    assert lab.errors(result, "sqlstate") == ["42601"]


def test_a_cancel_that_comes_while_a_neighbour_is_tried_blames_nobody(lab: Lab) -> None:
    lab.do(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 3 THEN"
        " PERFORM pg_sleep(60); ELSE PERFORM FROM public.nowhere; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER slow BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION slow();"
        " SET statement_timeout = '1s'"
    )
    with pytest.raises(psycopg.errors.QueryCanceled):
        lab.call("label_keys", [1, 2, 3], "new", how=SUBMIT)
    lab.do("RESET statement_timeout")
    assert lab.rows("SELECT * FROM batch_operation_errors") == []


def test_a_batch_that_is_cancelled_blames_nobody(lab: Lab) -> None:
    lab.do(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;"
        " CREATE TRIGGER slow BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION slow();"
        " SET statement_timeout = '300ms'"
    )
    with pytest.raises(psycopg.errors.QueryCanceled):
        lab.call("label_keys", [1, 2, 3], "new", how=SUBMIT)
    lab.do("RESET statement_timeout")
    assert lab.rows("SELECT * FROM batch_operation_errors") == []
    assert lab.rows("SELECT status FROM batch_operations") == ["running"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("state", ["P0B90", "P0B91", "P0B92"])
@pytest.mark.parametrize("mode", ["", "error_handling: stop_on_error", "error_isolation: batch"])
def test_an_error_that_is_called_as_one_of_ours_is_a_records_like_any_other(
    copy_of, how: str, state: str, mode: str
) -> None:
    more = f", {mode}" if mode else ""
    spec = entity(
        f"name: thing\nmanaged: false\nfields: {{{FIELDS}}}",
        "operation: label_them, operation_type: update, parameters: {state: string}, "
        "update_data: {label: {sql: \"CASE id WHEN 3 THEN :state ELSE 'new' END\"}}, "
        f'where_condition: "id = ANY(:ids)"{more}',
    )
    lab = copy_of(spec, "", BEFORE)
    result = lab.run("label_them", state, [1, 2, 3, 4, 5], how=how)
    failed = {"": (5, 4, 0, 1), "error_handling: stop_on_error": (5, 0, 4, 1)}.get(mode, (5, 0, 0, 5))
    assert counts(result) == failed
    assert lab.errors(result, "sqlstate") == [state]


def test_a_timeout_in_a_function_that_is_called_raise_is_no_records_fault(lab: Lab) -> None:
    lab.do(
        'CREATE FUNCTION "slow RAISE"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60);'
        ' RETURN NEW; END $$; CREATE TRIGGER slow BEFORE UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION "slow RAISE"();'
        " SET statement_timeout = '300ms'"
    )
    with pytest.raises(psycopg.errors.QueryCanceled):
        lab.call("label_keys", [1, 2, 3], "new", how=SUBMIT)
    lab.do("RESET statement_timeout")
    assert lab.rows("SELECT * FROM batch_operation_errors") == []


@pytest.mark.parametrize("how", HOW)
def test_records_that_miss_a_table_each_of_its_own_are_each_to_blame(lab: Lab, how: str) -> None:
    given = [{"id": 100 + n, "label": f"table gone_{n}"} for n in range(5)]
    result = lab.run("put", records(*given), how=how)
    assert counts(result) == (5, 0, 0, 5)
    assert lab.errors(result, "sqlstate, error_message") == [
        ("42P01", f'relation "gone_{n}" does not exist') for n in range(5)
    ]


@pytest.mark.parametrize("how", HOW)
def test_a_table_missing_for_a_rule_of_all_records_makes_none_of_them_invalid(lab: Lab, how: str) -> None:
    lab.do("ALTER TABLE needed RENAME TO gone")
    with pytest.raises(psycopg.errors.UndefinedTable):
        lab.run("put_known", records(*({"id": 100 + n, "label": "fine"} for n in range(3))), how=how)
    assert lab.rows("SELECT count(*) FROM batch_operation_errors") == [0]
