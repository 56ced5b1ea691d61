"""plpgsql_check finds nothing in any generated function: no error, no warning, no lost performance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from corpus import PROJECTS, case_name, generate, load, set_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from specgen.database.server import Server

MAJOR = 15
"""The version whose Debian package of the extension CI installs."""

FINDINGS = """
    SELECT p.oid::regprocedure::text, found.level, found.lineno, found.statement, found.message, found.detail,
           p.prosrc
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
      LEFT JOIN pg_catalog.pg_trigger AS t ON t.tgfoid = p.oid
     CROSS JOIN LATERAL plpgsql_check_function_tb(
               p.oid,
               coalesce(t.tgrelid, 0),
               fatal_errors := false,
               other_warnings := true,
               extra_warnings := true,
               performance_warnings := true
           ) AS found
     WHERE l.lanname = 'plpgsql'
       AND p.oid >= 16384
       AND p.proname NOT LIKE 'plpgsql\\_%'
     ORDER BY 1, 3
"""

CHECKED = """
    SELECT count(*)
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
     WHERE l.lanname = 'plpgsql' AND p.oid >= 16384
"""


@pytest.fixture(scope="module")
def checking_server(server_of: Callable[[int], Server]) -> Server:
    """A server that has the extension."""
    server = server_of(MAJOR)
    query = "SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'plpgsql_check'"
    with psycopg.connect(server.dsn) as connection:
        if connection.execute(query).fetchone() is None:
            pytest.skip(f"the extension plpgsql_check is not installed for PostgreSQL {MAJOR}")
    return server


@pytest.mark.parametrize("project", PROJECTS, ids=case_name)
def test_no_generated_function_has_a_finding(
    project: Path, tmp_path: Path, checking_server: Server, new_database: Callable[[Server], str]
) -> None:
    dsn = new_database(checking_server)
    generate(project, tmp_path)
    set_up(project, dsn)
    load(tmp_path, dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE EXTENSION plpgsql_check")
        found = connection.execute(FINDINGS).fetchall()
        assert [finding for finding in found if not excused(finding)] == []
        checked = connection.execute(CHECKED).fetchone()
        assert checked is not None
        assert checked[0] > 20


def excused(finding: tuple[object, ...]) -> bool:
    """Whether it is about what the spec says, or about nothing that can be known."""
    return named_by_the_spec(finding) or called_by_the_spec(finding) or unknowable(finding)


def named_by_the_spec(finding: tuple[object, ...]) -> bool:
    """Whether it is about a parameter's name, which the spec chose: the case of hostile names does."""
    return "reserved keyword" in str(finding[4])


def called_by_the_spec(finding: tuple[object, ...]) -> bool:
    """Whether it is about how volatile a function or a condition of the spec's is, which the spec does not say."""
    return "routine is marked as" in str(finding[4]) and any(
        f"-- {key}, " in str(finding[6]) for key in ("function", "preconditions")
    )


def unknowable(finding: tuple[object, ...]) -> bool:
    """Whether the extension says itself that it cannot tell, because a statement is made while it runs."""
    return "cannot to determine" in str(finding[5])
