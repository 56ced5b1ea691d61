"""Sessions that hold what others need, so that a test acts while somebody certainly waits.

A sleep guesses where another process is; a lock that it waits for says it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 300.0
"""Seconds until something counts as hung. Never waited for unless it is, so there is room for a slow machine."""

GATES = """
    CREATE FUNCTION public.pass_gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
    BEGIN
        PERFORM pg_catalog.pg_advisory_lock_shared(tg_argv[0]::bigint);
        PERFORM pg_catalog.pg_advisory_unlock_shared(tg_argv[0]::bigint);
        RETURN NEW;
    END $$;
"""


def row_gate(number: int, table: str, key: int) -> str:
    """SQL, behind `GATES`: whoever updates the record waits while the gate is closed."""
    return (
        f"CREATE TRIGGER gate_{number} BEFORE UPDATE ON {table} FOR EACH ROW"
        f" WHEN (NEW.id = {key}) EXECUTE FUNCTION public.pass_gate({number});"
    )


def statement_gate(number: int, table: str, nth: int) -> str:
    """SQL, behind `GATES`: the nth update of the table waits while the gate is closed, before it locks a row.

    A sequence counts them, which forgets nothing when an attempt is undone.
    """
    return (
        f"CREATE SEQUENCE passed_{number};"
        f"CREATE TRIGGER gate_{number} BEFORE UPDATE ON {table} FOR EACH STATEMENT"
        f" WHEN (nextval('passed_{number}') = {nth}) EXECUTE FUNCTION public.pass_gate({number});"
    )


@contextmanager
def holding(dsn: str, query: str) -> Iterator[psycopg.Connection[Any]]:
    """A foreign session in a transaction that has run the query; rolled back at the end."""
    with psycopg.connect(dsn) as connection:
        connection.execute(query.encode())
        yield connection
        if not connection.closed:
            connection.rollback()


@contextmanager
def closed(dsn: str, number: int) -> Iterator[psycopg.Connection[Any]]:
    """A foreign session that keeps a gate closed; a rollback opens it, and so does the end."""
    with holding(dsn, f"SELECT pg_advisory_xact_lock({number})") as connection:
        yield connection


def blocked_by(*sessions: psycopg.Connection[Any]) -> list[int]:
    """The backends that wait for something that one of the sessions holds."""
    # Not pg_stat_activity: within a transaction that would show the same for ever.
    waiting = "SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return [row[0] for session in sessions for row in session.execute(waiting).fetchall()]


def is_blocked(asking: psycopg.Connection[Any], session: psycopg.Connection[Any]) -> bool:
    """Whether a session, busy in another thread, waits for anybody's lock."""
    row = asking.execute("SELECT cardinality(pg_blocking_pids(%s))", (session.info.backend_pid,)).fetchone()
    return row is not None and row[0] > 0


def terminate(asking: psycopg.Connection[Any], pid: int) -> None:
    """Terminate a backend and see it end."""
    row = asking.execute("SELECT pg_terminate_backend(%s, %s)", (pid, int(PATIENCE * 1000))).fetchone()
    assert row == (True,)


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
