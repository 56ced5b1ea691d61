"""total = processed + skipped + failed, and each record accounted for once: whatever the input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from uuid import UUID

FORMS = ("once", "submitted", "two workers")


@dataclass(frozen=True, slots=True)
class Example:
    rows: list[bool]  # blocked, for the ids 1, 2, 3 ...
    ids: list[int | None]
    options: dict[str, Any]
    form: str
    by_condition: bool


@st.composite
def examples(draw: st.DrawFn) -> Example:
    rows = draw(st.lists(st.sampled_from([False, False, False, True]), max_size=40))
    known = st.integers(1, max(len(rows), 1))
    ids = draw(st.lists(st.one_of(known, known, known, st.integers(41, 45), st.none()), max_size=50))
    options: dict[str, Any] = {"batch_size": draw(st.integers(1, 20))}
    options["error_handling"] = draw(
        st.sampled_from(["continue_on_error", "stop_on_error", "collect_errors"])
    )
    if draw(st.booleans()):
        options["max_errors"] = draw(st.sampled_from([0, 1, 3, "0%", "10%"]))
    if draw(st.booleans()):
        options["max_records"] = draw(st.integers(1, 30))
    return Example(rows, ids, options, draw(st.sampled_from(FORMS)), draw(st.booleans()))


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(example=examples())
def test_the_account_holds(tallies: str, example: Example) -> None:
    with psycopg.connect(tallies, autocommit=True) as connection:
        connection.execute("TRUNCATE tally, batch_operations, batch_operation_errors CASCADE")
        connection.execute(
            "INSERT INTO tally (id, blocked) OVERRIDING SYSTEM VALUE "
            "SELECT n, b FROM unnest(%s::boolean[]) WITH ORDINALITY AS t (b, n)",
            (example.rows,),
        )
        operation_id = perform(connection, tallies, example)
        check(connection, operation_id, example)


def perform(connection: psycopg.Connection[Any], dsn: str, example: Example) -> UUID:
    """Run it, in its form; its id."""
    name, argument = ("count_rows", "0") if example.by_condition else ("count_items", "%(ids)s::bigint[]")
    values = {"ids": example.ids, "options": json.dumps(example.options)}
    if example.form == "once":
        query = f"SELECT (r).operation_id FROM {name}({argument}, options => %(options)s::jsonb) AS r"
        row = connection.execute(query, values).fetchone()
        assert row is not None
        return row[0]  # type: ignore[no-any-return]
    row = connection.execute(
        f"SELECT {name}_submit({argument}, options => %(options)s::jsonb)", values
    ).fetchone()
    assert row is not None
    operation_id: UUID = row[0]
    if example.form == "two workers":
        with psycopg.connect(dsn, autocommit=True) as other:
            work(operation_id, connection, other)
    else:
        work(operation_id, connection)
    return operation_id


def work(operation_id: UUID, *sessions: psycopg.Connection[Any]) -> None:
    """Take steps in turn until all sessions are told that it is finished."""
    for _ in range(1000):
        states = {
            session.execute("SELECT (batch_step(%s)).state", (operation_id,)).fetchone()
            for session in sessions
        }
        if states == {("finished",)}:
            return
    raise AssertionError("it does not end")


def check(connection: psycopg.Connection[Any], operation_id: UUID, example: Example) -> None:
    row = connection.execute(
        "SELECT status, total_records, processed_records, skipped_records, error_count, limit_reached "
        "FROM batch_operations WHERE operation_id = %s",
        (operation_id,),
    ).fetchone()
    assert row is not None
    status, total, processed, skipped, failed, limited = row
    written = {key for (key,) in connection.execute("SELECT id FROM tally WHERE n = 1").fetchall()}
    unwritten = {key for (key,) in connection.execute("SELECT id FROM tally WHERE n = 0").fetchall()}
    named = [
        int(key["id"])
        for (key,) in connection.execute("SELECT record_key FROM batch_operation_errors").fetchall()
    ]
    given = list(range(1, len(example.rows) + 1)) if example.by_condition else example.ids
    limit = example.options.get("max_records")
    blocked = {n for n, flag in enumerate(example.rows, 1) if flag}

    assert total == processed + skipped + failed
    assert len(written) + len(unwritten) == len(example.rows), "a record was written twice"
    assert processed == len(written)
    assert failed == len(named) == len(set(named))
    assert set(named) <= blocked
    assert not written & blocked
    assert total == (min(len(given), limit) if limit else len(given))
    assert limited == (limit is not None and len(given) > limit)
    if status in ("completed", "completed_with_errors"):
        assert (status == "completed_with_errors") == bool(named)
        tried = set(given if limit is None else given[:limit]) & set(range(1, len(example.rows) + 1))
        assert tried == written | set(named), "each is written or named"
    else:
        assert status == "failed"
        assert named, "nothing else can end it"
        strict = example.options["error_handling"] == "stop_on_error" or "max_errors" in example.options
        assert strict


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    records=st.lists(st.sampled_from(["good", "good", "good", "blocked", "unreadable"]), max_size=40),
    batch_size=st.integers(1, 15),
    handling=st.sampled_from(["continue_on_error", "collect_errors"]),
    form=st.sampled_from(FORMS),
)
def test_each_record_is_inserted_or_named(
    tallies: str, records: list[str], batch_size: int, handling: str, form: str
) -> None:
    parts = [f"x{place}" if kind == "unreadable" else place for place, kind in enumerate(records, 1)]
    given = [{"part": part, "blocked": kind == "blocked"} for part, kind in zip(parts, records, strict=True)]
    values = [json.dumps(given)]
    values.append(json.dumps({"batch_size": batch_size, "error_handling": handling}))
    with psycopg.connect(tallies, autocommit=True) as connection:
        connection.execute("TRUNCATE tally, batch_operations, batch_operation_errors CASCADE")
        if form == "once":
            connection.execute("SELECT add_records(%s::jsonb, options => %s::jsonb)", values)
        else:
            row = connection.execute(
                "SELECT add_records_submit(%s::jsonb, options => %s::jsonb)", values
            ).fetchone()
            assert row is not None
            with psycopg.connect(tallies, autocommit=True) as other:
                work(row[0], connection, *([other] if form == "two workers" else []))
        account = connection.execute(
            "SELECT total_records, processed_records, skipped_records, error_count FROM batch_operations"
        ).fetchone()
        errors = connection.execute(
            "SELECT record_number, failed_records -> 0 ->> 'part', sqlstate "
            "FROM batch_operation_errors ORDER BY 1"
        ).fetchall()
        rows = connection.execute("SELECT count(*) FROM tally").fetchone()
    good = records.count("good")
    assert account == (len(records), good, 0, len(records) - good)
    assert rows == (good,)
    codes = {"blocked": "23514", "unreadable": "22P02"}
    expected = [
        (place, str(parts[place - 1]), codes[kind]) for place, kind in enumerate(records, 1) if kind != "good"
    ]
    assert errors == expected
