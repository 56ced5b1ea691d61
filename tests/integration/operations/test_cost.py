"""The cost of a batch does not grow with its table, whatever the statistics say; and the source's own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from .lab import Lab, build_runtime, counts, entity, opened, records

ROOT = Path(__file__).parents[3]
SPEC = (
    entity(
        "name: one\nfields: {id: integer, state: integer, note: text}\nindexes: [state]",
        "operation: one_rows, operation_type: update, batch_size: 50, update_data: {note: x}, where_condition: state = 1",
        "operation: one_dense, operation_type: update, batch_size: 50, update_data: {note: x}, where_condition: state >= 0",
        'operation: one_keys, operation_type: update, batch_size: 50, update_data: {note: x}, where_condition: "id = ANY(:ids)"',
        "operation: one_records, operation_type: update, batch_size: 50, update_data: {note: :item.note}, data_source: :records",
    )
    + "---\n"
    + entity(
        "name: two\nfields: {a: integer, b: integer, state: integer, note: text}\nprimary_key: [a, b]\nindexes: [state]",
        "operation: two_rows, operation_type: update, batch_size: 50, update_data: {note: x}, where_condition: state = 1",
        "operation: two_dense, operation_type: update, batch_size: 50, update_data: {note: x}, where_condition: state >= 0",
        "operation: two_records, operation_type: delete, batch_size: 50, data_source: :records",
    )
)


def fill(rows: int) -> str:
    return f"""
        ALTER TABLE one SET (autovacuum_enabled = false); ALTER TABLE two SET (autovacuum_enabled = false);
        INSERT INTO one SELECT n, (n % 100 = 0)::integer FROM generate_series(1, {rows}) AS n;
        INSERT INTO two SELECT n / 100, n % 100, (n % 100 = 0)::integer FROM generate_series(1, {rows}) AS n;
    """


STATISTICS = {
    "never analyzed": "",
    "analyzed": "ANALYZE",
    "analyzed when empty": "UPDATE pg_class SET reltuples = 0, relpages = 0 WHERE relname IN ('one', 'two')",
}
FIRST_BATCH = {
    "one_rows": [], "one_dense": [], "one_keys": [list(range(100, 5100, 100))],
    "one_records": [records(*({"id": n, "note": "y"} for n in range(100, 5100, 100)))],
    "two_rows": [], "two_dense": [], "two_records": [records(*({"a": n, "b": 0} for n in range(1, 51)))],
}  # fmt: skip


@pytest.mark.parametrize("statistics", STATISTICS)
def test_a_batch_looks_up_its_own_rows_and_no_others(copy_of, statistics: str) -> None:
    lab = copy_of(SPEC, fill(200_000))
    lab.do("SET allow_system_table_mods = on")
    lab.do(STATISTICS[statistics])
    pages = lab.rows("SELECT pg_relation_size(oid) / 8192 FROM pg_class WHERE relname IN ('one', 'two')")

    costs = {name: buffers(lab, name, given) for name, given in FIRST_BATCH.items()}

    a_few_for_each_of_50_records = 800
    assert min(pages) > 850
    assert {name: cost for name, cost in costs.items() if cost > a_few_for_each_of_50_records} == {}


def buffers(lab: Lab, operation: str, given: list[Any]) -> int:
    """The pages of the table and its indexes that one batch looks at."""
    operation_id = lab.submit(operation, ", ".join(["%s"] * len(given)), given)
    lab.do("SELECT batch_step(%s)", operation_id)
    table = operation.partition("_")[0]
    reading = (
        "SELECT sum(pg_stat_get_blocks_fetched(oid)) FROM pg_class WHERE oid = %s::regclass"
        " OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %s::regclass)"
    )
    lab.do("SELECT pg_stat_force_next_flush()")
    before = lab.one(reading, table, table)
    step = lab.rows("SELECT processed_records FROM batch_step(%s)", operation_id)
    lab.do("SELECT pg_stat_force_next_flush()")
    assert step == [50]
    return int(lab.one(reading, table, table) - before)


@pytest.fixture
def samples(postgres_server, new_database, template_of) -> Any:
    from specgen.plan.project import plan_project
    from specgen.render.engine import render_plan
    from specgen.spec.build import load_project

    def build(dsn: str) -> None:
        build_runtime(dsn)
        project = load_project([], root=ROOT).project
        assert project
        plan = plan_project(project).plan
        assert plan
        with psycopg.connect(dsn, autocommit=True) as connection:
            for path in sorted((ROOT / "entities" / "sql").glob("*.sql")):
                connection.execute(path.read_bytes())
            for file in render_plan(plan):
                connection.execute(file.text.encode())

    with opened(
        new_database(postgres_server, template_of(postgres_server, "operations: samples", build))
    ) as lab:
        yield lab


def test_the_manual_tests_of_the_documentation_work(samples: Lab) -> None:
    ids = [f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2, 3)]
    for key in ids:
        samples.do('INSERT INTO "user" (id, email) VALUES (%s, %s)', key, key)

    # Test successful batch operation
    result = samples.connection.execute(
        "SELECT (r).* FROM bulk_update_user_status(ARRAY["
        + ", ".join(f"'{key}'::UUID" for key in ids)
        + "]::UUID[], 'active') AS r"
    ).fetchone()
    samples.check(result)
    assert (result.status, counts(result)) == ("completed", (3, 3, 0, 0))

    # Check results
    rows = samples.rows('SELECT status, updated_at IS NOT NULL FROM "user" WHERE id = ANY(%s::uuid[])', ids)
    assert rows == [("active", True)] * 3

    # Test error handling
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        samples.do("SELECT bulk_update_user_status(ARRAY['invalid-uuid'::UUID]::UUID[], 'active')")
    samples.do("""UPDATE "user" SET status = 'locked', blocked_reason = 'fraud' WHERE id = %s""", ids[1])
    failing = samples.run("bulk_update_user_status", ids, "active")
    assert counts(failing) == (3, 2, 0, 1)

    # Check error logs
    rows = samples.rows(
        "SELECT operation_id, record_key FROM batch_operation_errors ORDER BY occurred_at DESC LIMIT 5"
    )
    assert rows == [(failing.operation_id, {"id": ids[1]})]


FAILING = entity(
    "name: thing\nmanaged: false\nfields: {id: integer, owner: integer, note: string}",
    "operation: put, operation_type: insert, data_source: :records, "
    "insert_data: {id: :item.id, owner: :item.owner, note: :item.note}",
    "operation: change, operation_type: update, data_source: :records, match_on: [id], update_data: {owner: :item.owner}",
    "operation: clear, operation_type: delete, where_condition: id > 0",
)
REFUSING = """
    CREATE TABLE owner (id integer PRIMARY KEY);
    INSERT INTO owner VALUES (0);
    CREATE TABLE thing (id integer PRIMARY KEY, owner integer REFERENCES owner, note text);
    CREATE TABLE child (thing integer REFERENCES thing);
    CREATE INDEX ON child (thing);
    CREATE SEQUENCE attempts; -- counts what is undone, too
    CREATE FUNCTION count_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM nextval('public.attempts');
        RETURN CASE tg_op WHEN 'DELETE' THEN OLD ELSE NEW END;
    END $$;
    CREATE TRIGGER count_attempt BEFORE INSERT OR UPDATE OR DELETE ON thing
        FOR EACH ROW EXECUTE FUNCTION count_attempt();
"""


@pytest.mark.parametrize("operation", ["put", "change", "clear"])
@pytest.mark.parametrize(("every", "times"), [(2, 1.7), (10, 1.7), (100, 2)])
def test_records_beside_failing_ones_are_written_in_vain_a_few_times_only(
    copy_of, operation: str, every: int, times: float
) -> None:
    lab = copy_of(FAILING, "", REFUSING)
    if operation != "put":
        lab.do("INSERT INTO thing SELECT n, 0 FROM generate_series(1, 5000) AS n")
        lab.do(f"INSERT INTO child SELECT n FROM generate_series({every}, 5000, {every}) AS n")
        lab.do("SELECT setval('attempts', 1); ANALYZE")
    given = [records(*({"id": n, "owner": -(n % every == 0)} for n in range(1, 5001)))]

    result = lab.run(operation, *([] if operation == "clear" else given))

    assert counts(result) == (5000, 5000 - 5000 // every, 0, 5000 // every)
    assert lab.one("SELECT last_value FROM attempts") <= 5000 * times


def test_records_that_are_tried_one_by_one_do_not_read_the_whole_table_each(copy_of) -> None:
    lab = copy_of(FAILING, "", REFUSING)
    lab.do("INSERT INTO thing SELECT n, 0 FROM generate_series(1, 5000) AS n")
    lab.do("ANALYZE")
    scans = "SELECT pg_stat_get_numscans('thing'::regclass)"

    lab.run("change", records(*({"id": n, "owner": -(n % 2)} for n in range(1, 2001))))

    lab.do("SELECT pg_stat_force_next_flush()")
    assert lab.one(scans) < 50


@pytest.mark.parametrize("operation", ["put", "change", "clear"])
def test_what_stands_behind_a_written_row_is_not_compiled_for_each(copy_of, operation: str) -> None:
    """Reading a small table whole costs so much while sequential scans are off that JIT would set in."""
    lab = copy_of(
        FAILING,
        "",
        REFUSING
        + """
        CREATE TABLE seen (jit text);
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.seen VALUES (current_setting('jit'));
            RETURN NULL;
        END $$;
        CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON thing FOR EACH ROW EXECUTE FUNCTION see();
        """,
    )
    if operation != "put":
        lab.do(
            "SET session_replication_role = replica; INSERT INTO thing SELECT n FROM generate_series(1, 3) AS n"
        )
        lab.do("SET session_replication_role = origin")
    lab.do("SET jit = on")
    given = [records(*({"id": n, "owner": 0} for n in range(1, 4)))]
    assert counts(lab.run(operation, *([] if operation == "clear" else given)))[:2] == (3, 3)
    assert lab.rows("SELECT DISTINCT jit FROM seen") == ["off"]
    assert lab.one("SHOW jit") == "on"
