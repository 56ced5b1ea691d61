"""An index that a batch needs and that is not there is told, and one that serves it is no reason for a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
name: customer
managed: false
fields: {id: bigint, region: integer, email: text, active: boolean, seen: timestamptz}
patterns:
  - name: batch_operations
    operation: close_customers
    operation_type: delete
    where_condition: "id = ANY(:ids)"
  - name: batch_operations
    operation: mark_customers
    operation_type: update
    update_data: {active: true}
    data_source: :records
    match_on: [email]
  - name: batch_operations
    operation: forget_customers
    operation_type: update
    update_data: {active: false}
    where_condition: "seen < :before AND region = :region"
"""
TABLES = """
CREATE TABLE customer (id bigint PRIMARY KEY, region integer, email text, active boolean, seen timestamptz);
CREATE TABLE bill (id bigint PRIMARY KEY, customer_id bigint CONSTRAINT bill_of REFERENCES customer ON DELETE CASCADE);
CREATE TABLE bill_line (id bigint PRIMARY KEY, bill_id bigint REFERENCES bill);
"""
SERVING = """
CREATE INDEX ON bill (customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX ON bill_line USING hash (bill_id);
CREATE INDEX ON customer (email, region);
"""
USELESS = """
CREATE INDEX ON bill (id, customer_id);
CREATE INDEX ON bill (customer_id) WHERE id > 10;
CREATE INDEX ON bill_line ((bill_id + 0));
CREATE INDEX ON customer (lower(email));
"""
LARGE = """
INSERT INTO customer SELECT n, n % 1000, 'a' || n, true, now() FROM generate_series(1, 20000) AS n;
INSERT INTO bill SELECT n, n % 20000 + 1 FROM generate_series(1, 40000) AS n;
"""


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """A project over tables that somebody else has made."""
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "customer.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def validate(dsn: str, project: Path) -> str:
    code, _, err = counting.run(dsn, "validate", "--project", str(project), "--database-url", dsn)
    assert code == 0, err
    return err


def test_what_each_row_or_batch_looks_up_without_an_index_is_told(database: str, customers: Path) -> None:
    execute(database, TABLES, USELESS)
    err = validate(database, customers)
    assert "customer.yaml:7:" in err
    assert (
        "no index of public.bill begins with customer_id: its foreign key bill_of reads it whole for each row"
        in err
    )
    assert "help: CREATE INDEX CONCURRENTLY ON public.bill (customer_id)" in err
    assert "no index of public.bill_line begins with bill_id" in err, "a delete cascades to bills"
    assert "no index of public.customer begins with email" in err
    assert err.count("warning[no-index]") == 3
    code, _, err = counting.run(database, "deploy", "--project", str(customers))
    assert code == 0, err
    assert err.count("warning[no-index]") == 3


def test_an_index_that_serves_is_no_reason_for_a_word(database: str, customers: Path) -> None:
    execute(database, TABLES, USELESS, SERVING)
    assert validate(database, customers) == ""


@pytest.mark.parametrize("rule", ["NO ACTION", "SET NULL", "SET DEFAULT"])
def test_what_refers_to_rows_that_a_delete_leaves_is_not_looked_for(
    database: str, customers: Path, rule: str
) -> None:
    execute(
        database,
        TABLES.replace("CASCADE", rule),
        "CREATE INDEX ON bill (customer_id)",
        "CREATE INDEX ON customer (email)",
    )
    assert validate(database, customers) == "", "no bill is deleted, so nothing is looked for by bill_id"


def test_only_a_btree_needs_the_first_of_its_columns(database: str, customers: Path) -> None:
    execute(
        database,
        TABLES.partition("CREATE TABLE bill_line")[0],
        "CREATE EXTENSION btree_gin",
        "CREATE INDEX ON bill USING gin (id, customer_id)",
        "CREATE INDEX ON customer USING gin (region, email)",
    )
    assert validate(database, customers) == ""


def test_an_index_that_is_not_valid_serves_nobody(database: str, customers: Path) -> None:
    execute(database, TABLES, SERVING, "INSERT INTO customer (id, email) VALUES (1, 'a'), (2, 'a')")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP INDEX customer_email_region_idx")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY ON customer (email)")
    err = validate(database, customers)
    assert "no index of public.customer begins with email" in err


def test_an_index_that_finds_no_single_value_serves_nobody(database: str, customers: Path) -> None:
    execute(
        database,
        TABLES,
        "CREATE INDEX ON bill USING brin (customer_id)",
        "CREATE INDEX ON bill_line USING brin (bill_id, id)",
        'CREATE INDEX ON customer (email COLLATE "C")',
        "CREATE INDEX ON customer USING gin (to_tsvector('simple', email))",
    )
    err = validate(database, customers)
    assert "no index of public.bill begins with customer_id" in err
    assert "no index of public.bill_line begins with bill_id" in err
    assert "no index of public.customer begins with email" in err
    execute(
        database,
        "CREATE INDEX ON bill (customer_id)",
        "CREATE INDEX ON bill_line USING hash (bill_id)",
        "CREATE INDEX ON customer USING spgist (email)",
    )
    assert validate(database, customers) == "", "what knows = serves, whatever its method"


def test_a_unique_index_in_another_collation_does_not_find_rows(database: str, customers: Path) -> None:
    spec = SPEC.partition("patterns:")[0] + (
        "primary_key: email\npatterns:\n"
        "  - {name: batch_operations, operation: close_each, operation_type: delete, "
        'where_condition: "email = ANY(:emails)"}\n'
        "  - {name: batch_operations, operation: close_all, operation_type: delete, where_condition: active}\n"
        "  - {name: batch_operations, operation: enter, operation_type: upsert, conflict_target: email, "
        "data_source: :records, upsert_data: {id: :item.id, email: :item.email}}\n"
    )
    (customers / "entities" / "customer.yaml").write_text(spec, encoding="utf-8")
    execute(
        database,
        TABLES.splitlines()[1]
        .replace("PRIMARY KEY", "NOT NULL")
        .replace("email text", "email text NOT NULL"),
        'CREATE UNIQUE INDEX ON customer (email COLLATE "C")',
    )
    err = validate(database, customers)
    assert "each batch reads the whole table to find its records' rows" in err
    assert "each batch reads the whole table to find where the key goes on" in err
    assert err.count("warning[no-index]") == 2, "an upsert goes by the unique index itself"
    execute(database, "CREATE INDEX ON customer (email)")
    assert validate(database, customers) == ""


def test_a_view_has_the_indexes_of_its_table(database: str, customers: Path) -> None:
    execute(
        database,
        TABLES.replace("TABLE customer (", "TABLE held (")
        .replace("email text", "mail text")
        .replace("REFERENCES customer", "REFERENCES held"),
        "CREATE VIEW customer AS SELECT region, mail AS email, id, active, seen, region + 1 AS next FROM held",
    )
    err = validate(database, customers)
    assert "no index of public.held begins with mail: each batch reads the whole table" in err
    assert "help: CREATE INDEX CONCURRENTLY ON public.held (mail)" in err
    assert "no index of public.bill begins with customer_id" in err
    execute(
        database,
        "CREATE INDEX ON held (mail)",
        "CREATE INDEX ON bill (customer_id)",
        "CREATE INDEX ON bill_line (bill_id)",
    )
    assert validate(database, customers) == ""


def test_each_partition_may_have_an_index_of_its_own(database: str, customers: Path) -> None:
    execute(
        database,
        TABLES.replace("bill_id bigint REFERENCES bill)", "bill_id bigint)"),
        SERVING.partition("CREATE INDEX ON bill_line")[0],
        "CREATE INDEX ON customer (email)",
        "CREATE TABLE visit (customer_id bigint REFERENCES customer, day date) PARTITION BY RANGE (day)",
        "CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM (MINVALUE) TO ('2026-01-01')",
        "CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)",
        "CREATE INDEX ON visit_old (customer_id)",
    )
    err = validate(database, customers)
    assert err.count("warning[no-index]") == 1
    assert "help: CREATE INDEX ON public.visit (customer_id)" in err, "CONCURRENTLY is refused there"
    execute(database, "CREATE INDEX ON visit_new (customer_id)")
    assert validate(database, customers) == ""


def test_an_index_that_the_spec_declares_counts(database: str, customers: Path) -> None:
    bill = "name: bill\nfields: {id: bigint, customer_id: {type: bigint, references: customer}}\n"
    (customers / "entities" / "bill.yaml").write_text(bill, encoding="utf-8")
    execute(database, TABLES.partition("CREATE TABLE bill_line")[0], "CREATE INDEX ON customer (email)")
    assert "or indexes: [customer_id] in entities/bill.yaml" in validate(database, customers)
    (customers / "entities" / "bill.yaml").write_text(bill + "indexes: [customer_id]\n", encoding="utf-8")
    assert validate(database, customers) == ""
    code, _, err = counting.run(database, "deploy", "--project", str(customers))
    assert (code, "warning" in err) == (0, False), err


@pytest.mark.parametrize(
    "where",
    [
        "email IS NOT NULL",
        "(email IS NOT NULL)",
        "Email is  not null",
        "customer.email NOTNULL /* most have one */",
    ],
)
def test_a_declared_index_of_all_that_is_not_null_counts_however_that_is_written(
    database: str, tmp_path: Path, where: str
) -> None:
    spec = SPEC.replace("managed: false\n", f"indexes: [{{columns: [email], where: '{where}'}}]\n")
    spec = spec.replace("{id: bigint", "{id: {type: bigint, nullable: false}")
    (tmp_path / "entities").mkdir()
    file = tmp_path / "entities" / "customer.yaml"
    file.write_text(spec.replace(f"where: '{where}'", "where: 'region > 1'"), encoding="utf-8")
    execute(database, TABLES, SERVING, "DROP INDEX customer_email_region_idx")
    assert "no index of public.customer begins with email" in validate(database, tmp_path)
    file.write_text(spec, encoding="utf-8")
    assert "begins with email" not in validate(database, tmp_path)


def test_a_changed_column_that_others_refer_to_needs_an_index_there(database: str, customers: Path) -> None:
    spec = SPEC.replace("match_on: [email]", "match_on: [id]").replace(
        "{active: true}", "{region: :item.region}"
    )
    (customers / "entities" / "customer.yaml").write_text(spec, encoding="utf-8")
    execute(
        database,
        TABLES.partition("CREATE TABLE bill")[0],
        "CREATE UNIQUE INDEX ON customer (region)",
        "CREATE TABLE office (region integer REFERENCES customer (region))",
    )
    err = validate(database, customers)
    assert "for each row that is changed" in err
    assert err.count("public.office begins with region") == 2, "one of the delete, one of the update"


def test_what_refers_to_a_referring_table_is_not_looked_for_when_a_row_changes(
    database: str, customers: Path
) -> None:
    spec = SPEC.replace("operation_type: delete", "operation_type: update\n    update_data: {active: true}")
    (customers / "entities" / "customer.yaml").write_text(spec, encoding="utf-8")
    execute(
        database,
        TABLES.partition("CREATE TABLE bill")[0],
        "CREATE INDEX ON customer (email)",
        "CREATE TABLE bill (id bigint PRIMARY KEY REFERENCES customer ON DELETE CASCADE, active boolean UNIQUE)",
        "CREATE TABLE bill_line (bill_active boolean REFERENCES bill (active))",
    )
    assert validate(database, customers) == "", "no bill's column active is written"


def test_a_condition_is_worth_a_word_where_its_table_is_large(database: str, customers: Path) -> None:
    execute(
        database,
        TABLES,
        SERVING,
        "ALTER TABLE customer ALTER email SET STORAGE PLAIN",
        "DROP INDEX customer_email_region_idx",
        "CREATE INDEX ON customer USING hash (email)",
        "INSERT INTO customer SELECT n, n % 100, n || repeat('x', 1000), true, now() FROM generate_series(1, 70000) AS n",
        "ANALYZE customer",
    )
    err = validate(database, customers)
    assert "customer.yaml:17:" in err
    assert "no index of public.customer begins with region: the whole table is read to find what meets" in err
    assert "help: CREATE INDEX CONCURRENTLY ON public.customer (region)" in err
    assert err.count("warning[no-index]") == 1
    execute(database, "CREATE INDEX ON customer (id) WHERE active")
    assert validate(database, customers) == err, "the condition says nothing of active"
    execute(
        database,
        "DROP INDEX customer_id_idx",
        "CREATE INDEX ON customer (date_trunc('day', seen AT TIME ZONE 'UTC'))",
    )
    assert validate(database, customers) == "", "what an expression is good for is taken on trust"
    execute(database, "DROP INDEX customer_date_trunc_idx")
    execute(database, "CREATE INDEX ON customer (id) WHERE seen IS NOT NULL")
    assert validate(database, customers) == "", "whether a predicate follows is taken on trust"
    execute(database, "DROP INDEX customer_id_idx", "CREATE INDEX ON customer (seen)")
    assert validate(database, customers) == ""
    execute(database, "DROP INDEX customer_seen_idx", "UPDATE customer SET region = 1", "ANALYZE customer")
    spec = SPEC.replace("seen < :before AND region", "active = true AND region")
    (customers / "entities" / "customer.yaml").write_text(spec, encoding="utf-8")
    assert validate(database, customers) == "", "of few values each, so the table is read in any case"
    execute(database, "DROP INDEX customer_email_idx")
    spec = SPEC.replace("seen < :before AND region = :region", "email = :email")
    (customers / "entities" / "customer.yaml").write_text(spec, encoding="utf-8")
    err = validate(database, customers)
    assert "begins with email: the whole table is read" in err, "each row has a value of its own"


def test_an_index_that_several_operations_lack_is_told_once(database: str, customers: Path) -> None:
    another = SPEC.partition("  - name: batch_operations\n    operation: mark")[0].partition("patterns:\n")[2]
    spec = SPEC + another.replace("close_customers", "drop_customers")
    (customers / "entities" / "customer.yaml").write_text(spec, encoding="utf-8")
    execute(database, TABLES)
    err = validate(database, customers)
    assert err.count("no index of public.bill begins with customer_id") == 1
    assert "for each row that is deleted, in 2 operations or steps" in err


RUN = ("run", "close_customers", "-p", "ids=1")


def test_a_run_tells_only_what_it_will_feel(database: str, customers: Path) -> None:
    execute(database, TABLES)
    deploy = ("deploy", "--project", str(customers))
    assert counting.run(database, *deploy)[0] == 0
    code, _, err = counting.run(database, *RUN, "--project", str(customers))
    assert code == 0, err
    assert "warning" not in err, "a small table is read in no time"
    execute(database, LARGE)
    code, _, err = counting.run(database, *RUN, "--project", str(customers))
    assert code == 0, err
    assert err.count("warning: no index of public.bill begins with customer_id") == 1
    assert "help: CREATE INDEX CONCURRENTLY ON public.bill (customer_id)" in err
    assert "bill_line" not in err
    execute(database, SERVING)
    assert "warning" not in counting.run(database, *RUN, "--project", str(customers))[2]
