"""What ``deploy`` and ``run`` make of a database that is not what the spec says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
name: bill
fields: {id: integer, amount: "decimal(10,2)"}
patterns:
  - name: batch_operations
    operation: raise_bills
    operation_type: update
    update_data: {amount: {sql: "raised(amount)"}}
    where_condition: "amount < 10"
"""
FUNCTION = "CREATE FUNCTION raised(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1 + 1'"


@pytest.fixture
def bills(tmp_path: Path) -> Path:
    """A project whose operation calls a function of the user's."""
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "bill.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def there(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT to_regclass('bill') IS NOT NULL").fetchone()
    return row == (True,)


def test_deploy_applies_nothing_where_a_function_is_missing(database: str, bills: Path) -> None:
    code, _, err = counting.run(database, "deploy", "--project", str(bills))
    assert code == 1
    assert "entities/bill.yaml:8:34: error[unknown-function]" in err
    assert "nothing was applied" in err
    assert not there(database)


def test_a_missing_function_is_not_mistaken_for_one_that_specgen_made(database: str, bills: Path) -> None:
    spec = SPEC.replace("raised(amount)", "raise_bill_plan(amount)")
    (bills / "entities" / "bill.yaml").write_text(spec, encoding="utf-8")
    assert counting.run(database, "deploy", "--project", str(bills), "--force")[0] == 0
    _, _, err = counting.run(database, "validate", "--project", str(bills), "--database-url", database)
    assert "error[unknown-function]" in err
    assert "did you mean" not in err


def test_deploy_goes_on_when_forced(database: str, bills: Path) -> None:
    code, _, err = counting.run(database, "deploy", "--project", str(bills), "--force")
    assert code == 0, err
    assert "error[unknown-function]" in err
    assert there(database)


def test_setup_may_bring_the_function(database: str, bills: Path) -> None:
    (bills / "specgen.yaml").write_text("setup_sql: [functions.sql]\n", encoding="utf-8")
    (bills / "functions.sql").write_text(FUNCTION, encoding="utf-8")
    validate = ["validate", "--project", str(bills), "--database-url", database]
    assert counting.run(database, *validate)[0] == 1
    assert counting.run(database, *validate, "--setup")[0] == 0
    assert counting.run(database, *validate)[0] == 1, "the checks left the function behind"
    assert counting.run(database, "deploy", "--project", str(bills), "--setup")[0] == 0


def test_setup_that_commits_is_not_tried(database: str, bills: Path) -> None:
    (bills / "specgen.yaml").write_text("setup_sql: [functions.sql]\n", encoding="utf-8")
    (bills / "functions.sql").write_text(f"BEGIN; {FUNCTION}; COMMIT;", encoding="utf-8")
    code, _, err = counting.run(
        database, "validate", "--project", str(bills), "--database-url", database, "--setup"
    )
    assert code == 2
    assert "functions.sql begins or ends a transaction" in err


def test_deploy_tells_of_a_table_that_differs(database: str, bills: Path) -> None:
    execute(database, FUNCTION, "CREATE TABLE bill (id integer PRIMARY KEY, amount numeric)")
    code, out, err = counting.run(database, "deploy", "--project", str(bills))
    assert code == 0, err
    assert "warning[table-differs]: amount is numeric in public.bill, and numeric(10,2) here" in err
    assert "applied" in out


def test_the_environment_does_not_make_validate_connect(database: str, bills: Path) -> None:
    code, _, err = counting.run(database, "validate", "--project", str(bills))
    assert (code, err) == (0, "")


def test_validate_waits_for_no_lock(database: str, bills: Path) -> None:
    execute(database, FUNCTION, "CREATE TABLE bill (id integer PRIMARY KEY, amount numeric(10,2))")
    with psycopg.connect(database) as busy:
        busy.execute("LOCK TABLE bill IN ROW EXCLUSIVE MODE")
        command = ["validate", "--project", str(bills), "--database-url", database]
        code, _, err = counting.run(database, *command)
    assert code == 0, err


def test_run_warns_of_another_spec(database: str, bills: Path) -> None:
    execute(database, FUNCTION)
    assert counting.run(database, "deploy", "--project", str(bills))[0] == 0
    run = ["run", "raise_bills", "--once", "--project", str(bills)]
    code, _, err = counting.run(database, *run)
    assert code == 0, err
    assert "warning" not in err
    spec = bills / "entities" / "bill.yaml"
    spec.write_text("# moved\n\n" + SPEC, encoding="utf-8")
    assert "warning" not in counting.run(database, *run)[2]
    spec.write_text(SPEC.replace("< 10", "< 5"), encoding="utf-8")
    code, _, err = counting.run(database, *run)
    assert code == 0, err
    assert "raise_bills was deployed from another spec" in err


PRICES = """
name: price
fields: {id: integer, amount: {type: integer, nullable: false}}
patterns:
  - {name: batch_operations, operation: take_prices, data_source: csv_file, %s, batch_size: %d}
"""
UPDATE = "operation_type: update, update_data: {amount: :item.amount}"
INSERT = "operation_type: insert, insert_data: {id: :item.id, amount: :item.amount}"


def test_a_file_is_not_read_by_one_spec_and_written_by_another(database: str, tmp_path: Path) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "specgen.yaml").write_text("schema: public\n")
    spec, lines = tmp_path / "entities" / "price.yaml", tmp_path / "prices.csv"
    lines.write_text("id,amount\n1,5\n")
    spec.write_text(PRICES % (UPDATE, 10))
    assert counting.run(database, "deploy", "--project", str(tmp_path))[0] == 0
    run = ["run", "take_prices", "--input", str(lines), "--project", str(tmp_path)]
    spec.write_text(PRICES % (INSERT, 10))
    code, _, err = counting.run(database, *run)
    assert code == 4, err
    assert "take_prices was deployed from another spec, which does something else with its records" in err
    spec.write_text(PRICES % (UPDATE, 20))
    code, _, err = counting.run(database, *run)
    assert code == 0, err
    assert "warning: take_prices was deployed from another spec" in err


def test_a_bad_file_beside_it_blocks_no_deployed_operation(database: str, bills: Path) -> None:
    execute(database, FUNCTION)
    assert counting.run(database, "deploy", "--project", str(bills))[0] == 0
    bad = bills / "entities" / "draft.yaml"
    bad.write_text("name: draft\nfields: [\n", encoding="utf-8")
    for run in (["run", "raise_bills", "--project", str(bills)], ["status", "--project", str(bills)]):
        code, _, err = counting.run(database, *run)
        assert code == 0, err
        assert "error[" not in err
    code, _, err = counting.run(database, "deploy", "--project", str(bills))
    assert code == 1
    assert "entities/draft.yaml" in err
