"""Databases are created, cloned and dropped on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from specgen.database import databases
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.database.server import Server


def names(server: Server) -> set[str]:
    with psycopg.connect(server.dsn) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def fill(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE greeting AS SELECT 'Grüße, 世界' AS text")


def test_a_database_is_gone_after_its_block(postgres_server: Server) -> None:
    before = names(postgres_server)
    with databases.database(postgres_server) as dsn:
        assert names(postgres_server) == before | {databases.name_of(dsn)}
    assert names(postgres_server) == before


def test_a_database_is_dropped_although_somebody_is_connected(postgres_server: Server) -> None:
    with databases.database(postgres_server) as dsn:
        connection = psycopg.connect(dsn)
    with pytest.raises(psycopg.OperationalError), connection:
        connection.execute("SELECT 1")


def test_a_database_is_gone_after_an_exception(postgres_server: Server) -> None:
    before = names(postgres_server)
    with pytest.raises(ZeroDivisionError), databases.database(postgres_server):
        raise ZeroDivisionError
    assert names(postgres_server) == before


def test_a_clone_has_what_its_template_has_and_changes_alone(postgres_server: Server) -> None:
    with (
        databases.template(postgres_server, fill) as template,
        databases.clone(postgres_server, template) as one,
        databases.clone(postgres_server, template) as two,
    ):
        with psycopg.connect(one) as connection:
            assert connection.execute("SELECT text FROM greeting").fetchone() == ("Grüße, 世界",)
            connection.execute("TRUNCATE greeting")
        with psycopg.connect(two) as connection:
            assert connection.execute("SELECT count(*) FROM greeting").fetchone() == (1,)


def test_only_databases_of_its_own_are_dropped(postgres_server: Server) -> None:
    with pytest.raises(ValueError, match="postgres"):
        databases.drop_database(postgres_server, postgres_server.dsn)


def test_a_missing_template_is_named(postgres_server: Server) -> None:
    with pytest.raises(DatabaseUnavailable, match='"nowhere" does not exist'):
        databases.create_database(postgres_server, template="nowhere")


def test_a_template_is_built_once(
    postgres_server: Server, template_of: Callable[[Server, str, Callable[[str], None]], str]
) -> None:
    built: list[str] = []
    first = template_of(postgres_server, "once", built.append)
    assert template_of(postgres_server, "once", built.append) == first
    assert len(built) == 1


def test_the_fixture_gives_an_empty_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(query).fetchone() == (0,)
