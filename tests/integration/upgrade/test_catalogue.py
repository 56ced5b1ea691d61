"""A runtime that was upgraded is the same as a new one: nothing is missing, and nothing old is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

from specgen.database.version import outdated

from .catalogue import catalogue, differences
from .earlier import SCHEMA, VERSION_1, rendered

GONE = {
    "batch.batch_drop_changed(text,text,text)",
    "batch.batch_prepare(jsonb,jsonb,jsonb,boolean)",
    "batch.batch_write(batch.batch_operations,batch.batch_ranges)",
}
"""What stays in place of functions of version 1, and says to whoever calls it what to do."""

if TYPE_CHECKING:
    from conftest import NewDatabase

    from specgen.database.server import Server


def new_database_of_today(server: Server, new_database: NewDatabase) -> str:
    dsn = new_database(server)
    code, _, err = counting.run(dsn, "deploy", "--setup", "--project", str(VERSION_1))
    assert code == 0, err
    return dsn


def test_after_the_upgrade_the_catalog_is_that_of_a_new_database(
    postgres_server: Server, new_database: NewDatabase, version_1: str
) -> None:
    code, _, err = counting.run(version_1, "deploy", "--project", str(VERSION_1))
    assert code == 0, err
    fresh = new_database_of_today(postgres_server, new_database)
    assert without_gone(differences(catalogue(version_1), catalogue(fresh))) == {}


def without_gone(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Differences but for functions that are to stay in place of others."""
    rest = [
        line
        for line in found.pop("functions")
        if not any(line.startswith((f"({name},", f'("{name}",')) for name in GONE)
        or "Gone since version 2 of the runtime" not in line
    ]
    return found | ({"functions": rest} if rest else {})


def test_what_people_were_granted_before_they_have_after_the_upgrade(version_1: str) -> None:
    """A role that could call an operation can call it, though there are tables that it knew nothing of."""
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute("GRANT USAGE ON SCHEMA batch TO teller")
        connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA batch TO teller")
        connection.execute("REVOKE ALL ON batch.batch_steps FROM teller")
        connection.execute("GRANT SELECT, UPDATE ON account TO teller")
    code, _, err = counting.run(version_1, "deploy", "--project", str(VERSION_1))
    assert code == 0, err
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute("SET ROLE teller")
        row = connection.execute("SELECT status FROM touch_accounts(ARRAY[1, 2])").fetchone()
        assert row == ("completed",)
        submitted = connection.execute("SELECT touch_accounts_submit(ARRAY[1, 2])").fetchone()
        connection.execute("CALL batch.batch_work(%s)", submitted)


def test_the_file_alone_upgrades_statement_by_statement_as_psql_sends_it(
    postgres_server: Server, new_database: NewDatabase, version_1: str
) -> None:
    """Without a transaction around it, too; and what it leaves is what the program leaves."""
    import pglast

    with psycopg.connect(version_1, autocommit=True) as connection:
        for file in rendered():
            for statement in pglast.split(file.text):
                connection.execute(statement.encode())
    fresh = new_database_of_today(postgres_server, new_database)
    assert without_gone(differences(catalogue(version_1), catalogue(fresh))) == {}


def test_what_generated_code_of_version_1_calls_first_says_what_to_do(version_1: str) -> None:
    """Of a project that was not deployed with the upgrade nothing is half done."""
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute(rendered()[0].text.encode())
        before = account_of(version_1)
        with pytest.raises(psycopg.Error) as refused:
            connection.execute("SELECT touch_accounts(ARRAY[1])")
        assert refused.value.sqlstate == "P0B15"
        assert refused.value.diag.message_primary == (
            "public.touch_accounts_plan(integer[],jsonb,boolean) was generated for an earlier version of the runtime:"
            " since version 2 there is no batch_prepare"
        )
        assert len(outdated(connection, SCHEMA)) == 11, "one for each operation"
        for name in ("10_account.sql", "10_stock.sql"):
            with pytest.raises(psycopg.Error, match="since version 2 there is no batch_drop_changed"):
                connection.execute((VERSION_1 / name).read_bytes())
        assert account_of(version_1) == before


def test_what_was_generated_of_an_operation_goes_with_it_and_nothing_else(version_1: str) -> None:
    """Where an operation is wanted no more, and where only one of several projects is deployed again."""
    generated = """
        SELECT p.proname FROM pg_proc AS p
         WHERE p.pronamespace = 'public'::regnamespace AND obj_description(p.oid, 'pg_proc') LIKE '%generated by%'
    """
    with psycopg.connect(version_1, autocommit=True) as connection:
        before = {row[0] for row in connection.execute(generated.encode())}
        connection.execute(rendered()[0].text.encode())
        connection.execute("CALL batch.batch_forget('public', 'charge_fee')")
        left = {row[0] for row in connection.execute(generated.encode())}
        assert before - left == {name for name in before if name.startswith("charge_fee")}
        connection.execute(
            "CALL batch.batch_replace('public', 'put_accounts', '{\"put_accounts\": \"9b9ffda1\"}', '{}', '')"
        )
        after = {row[0] for row in connection.execute(generated.encode())}
        assert left - after == {name for name in before if name.startswith("put_accounts_")}


def test_rights_to_call_an_operation_are_neither_lost_nor_won(version_1: str) -> None:
    query = """
        SELECT p.proname, p.proacl::text FROM pg_proc AS p
         WHERE p.oid IN ('touch_accounts'::regproc, 'touch_accounts_submit'::regproc, 'charge_fee'::regproc)
         ORDER BY 1
    """
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute(
            "REVOKE ALL ON FUNCTION touch_accounts, touch_accounts_submit, charge_fee FROM PUBLIC"
        )
        before = connection.execute(query.encode()).fetchall()
        code, _, err = counting.run(version_1, "deploy", "--project", str(VERSION_1))
        assert code == 0, err
        assert connection.execute(query.encode()).fetchall() == before


def account_of(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute("SELECT id, state, touched FROM account ORDER BY id").fetchall()
