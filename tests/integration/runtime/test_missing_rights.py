"""Who lacks a right is told which, and what grants it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import counting
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from specgen.database.rights import advice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clerk(tallies: str) -> Iterator[str]:
    """A role that may log in, and no more."""
    name = f"clerk_{uuid4().hex[:12]}"
    with psycopg.connect(tallies, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(name)))
        yield name
        for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def test_each_right_that_a_run_lacks_is_named_until_it_runs(tallies: str, project: Path, clerk: str) -> None:
    as_clerk = make_conninfo(tallies, user=clerk, password="x")
    run = ("run", "count_items", "-p", "ids=1", "--once", "--project", str(project))
    steps = [
        (
            "SELECT ON public.batch_definitions, public.batch_step_definitions",
            "public.batch_definitions, public.batch_step_definitions",
        ),
        ("SELECT, INSERT, UPDATE ON public.batch_operations", "ALL TABLES IN SCHEMA public"),
        ("SELECT, UPDATE ON public.tally", "public.tally"),
    ]
    with psycopg.connect(tallies, autocommit=True) as connection:

        def do(statement: str) -> None:
            connection.execute(sql.SQL(statement).format(sql.Identifier(clerk)))  # type: ignore[arg-type]

        for told, granted in steps:
            code, _, err = counting.run(as_clerk, *run)
            assert code == 1, err
            # Before 16 the context of a variable that is computed first names no schema.
            assert f"help: the owner has to GRANT {told} TO the role that connects".replace(
                "public.", ""
            ) in err.replace("public.", "")
            do(f"GRANT SELECT, INSERT, UPDATE ON {granted} TO {{}}")
            if granted.startswith("ALL"):
                do("REVOKE ALL ON public.tally FROM {}")
        code, _, err = counting.run(as_clerk, *run)
        assert code == 0, err
        connection.execute("REVOKE EXECUTE ON FUNCTION public.count_items FROM public")
    _, _, err = counting.run(as_clerk, *run)
    assert (
        "help: the owner has to GRANT EXECUTE ON FUNCTION count_items TO the role that connects, as grants:"
        in err
    )
    _, _, err = counting.run(as_clerk, "deploy", "--project", str(project))
    assert "owner" in err


@pytest.mark.parametrize(
    ("message", "context", "told"),
    [
        (
            "permission denied for table a b",
            'SQL statement "DELETE FROM s."a b" WHERE x"',
            'SELECT, DELETE ON s."a b" TO',
        ),
        (
            "permission denied for table t",
            "INSERT INTO s.t SELECT * FROM s.u ON CONFLICT",
            "SELECT, INSERT, UPDATE ON s.t",
        ),
        ("permission denied for table u", "INSERT INTO s.t SELECT * FROM s.u", "GRANT SELECT ON s.u TO"),
        ("permission denied for table t", None, "GRANT SELECT ON t TO"),
        (
            "permission denied for schema s",
            None,
            "USAGE ON SCHEMA s TO the role that connects; who deploys needs CREATE",
        ),
        ("permission denied for sequence t_id_seq", None, "USAGE ON SEQUENCE t_id_seq"),
        ("must be owner of table t", None, "connect as the owner of t"),
        ("keine Berechtigung für Tabelle t", None, None),
    ],
)
def test_what_is_to_be_granted(message: str, context: str | None, told: str | None) -> None:
    found = advice(message, context)
    assert (told is None and found is None) or (told is not None and told in str(found))
