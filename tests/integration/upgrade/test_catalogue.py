"""A runtime that was upgraded is the same as a new one: nothing is missing, and nothing old is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import counting
import psycopg

from specgen.versions import CALLED

from .catalogue import catalogue, differences
from .earlier import VERSION_1, rendered

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
    assert differences(catalogue(version_1), catalogue(fresh)) == {}


def test_what_people_were_granted_before_they_have_after_the_upgrade(version_1: str) -> None:
    """A role that could call an operation can call it, though there are tables that it knew nothing of."""
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.execute("GRANT USAGE ON SCHEMA batch TO teller")
        connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA batch TO teller")
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
    assert differences(catalogue(version_1), catalogue(fresh)) == {}


def test_what_generated_code_of_an_earlier_version_calls_is_what_it_was(version_1: str) -> None:
    """Or it is gone, and says so: the same name and arguments never mean something else."""
    before = signatures(version_1)
    assert before.keys() >= {"batch_prepare", "batch_list"}
    code, _, err = counting.run(version_1, "deploy", "--project", str(VERSION_1))
    assert code == 0, err
    after = signatures(version_1)
    assert {name: after[name] for name in before.keys() & after.keys()} == {
        name: before[name] for name in before.keys() & after.keys()
    }


def signatures(dsn: str) -> dict[str, str]:
    """Arguments with their names and defaults, and results, of the functions that generated code calls."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT p.proname, pg_get_function_arguments(p.oid) || ' -> ' || coalesce(pg_get_function_result(p.oid), '')"
            "  FROM pg_proc AS p"
            " WHERE p.pronamespace = 'batch'::regnamespace AND p.proname = ANY (%s)",
            (sorted(CALLED),),
        )
        return dict(rows.fetchall())
