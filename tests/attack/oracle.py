"""What should have happened, record by record, and how it differs from what did.

The oracle works on a copy of the database: it executes each record's statement alone, in a subtransaction,
settles the constraints that wait, and notes what came of it. It shares nothing with specgen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from tests.attack.settings import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from tests.attack.operations import Operation
    from tests.attack.tables import Table

JUDGE = """
CREATE TABLE attack.verdicts (n bigint, label text, rid bigint, record jsonb, verdict text);
CREATE FUNCTION attack.judge(p_statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_unit  record;
    v_count bigint;
    v_verdict text;
BEGIN
    FOR v_unit IN SELECT * FROM attack.units ORDER BY n LOOP
        v_verdict := v_unit.fate;
        IF v_unit.fate = 'run' THEN
            BEGIN
                EXECUTE p_statement USING v_unit.rid, v_unit.record;
                GET DIAGNOSTICS v_count = ROW_COUNT;
                SET CONSTRAINTS ALL IMMEDIATE;
                v_verdict := CASE v_count WHEN 0 THEN 'skipped' WHEN 1 THEN 'processed' ELSE 'several' END;
            EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
                v_verdict := SQLSTATE;
            END;
        END IF;
        INSERT INTO attack.verdicts VALUES (v_unit.n, v_unit.label, v_unit.rid, v_unit.record, v_verdict);
    END LOOP;
END $$;
"""
CLOSED = ("completed", "completed_with_errors", "failed", "timed_out", "cancelled")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation did, or should have done.

    Attributes:
        failed: How often each label failed with which SQLSTATE.
        named: How many records the error rows name.
        writes: How often a row was written from what to what.
    """

    status: str
    total: int
    processed: int
    skipped: int
    errors: int
    failed: Counter[tuple[str, str]]
    rows: Counter[str]
    writes: Counter[str]
    ledger: Counter[str]
    outputs: Counter[str]
    named: int = 0

    @property
    def account(self) -> tuple[int, int, int, int]:
        return self.total, self.processed, self.skipped, self.errors


def observer(dsn: str, **more: Any) -> psycopg.Connection[Any]:
    """A session whose settings are not those that are attacked."""
    return psycopg.connect(dsn, autocommit=True, options=OPTIONS, application_name="attack observer", **more)


def expect(dsn: str, operation: Operation, table: Table, settings: dict[str, str]) -> Outcome:
    """Do the operation on the copy, one record at a time."""
    with observer(dsn) as connection:
        connection.execute(JUDGE)
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.execute(
            f"CREATE TABLE attack.units (n, label, fate, rid, record) AS {operation.units}".encode()
        )
        connection.execute("SELECT attack.judge(%s)", (operation.statement,))
        connection.execute("SET TimeZone TO 'UTC'")
        verdicts = connection.execute("SELECT label, verdict FROM attack.verdicts").fetchall()
        failed = Counter((label, verdict) for label, verdict in verdicts if len(verdict) == 5)
        counts = Counter(verdict if len(verdict) > 5 else "failed" for _, verdict in verdicts)
        rows, writes, ledger = _contents(connection)
        outputs = _expected_outputs(connection, operation, table)
    status = "completed_with_errors" if failed else "completed"
    return Outcome(
        status, len(verdicts), counts["processed"] + counts["several"], counts["skipped"], counts["failed"],
        failed, rows, writes, ledger, outputs,
    )  # fmt: skip


def observe(dsn: str, operation_id: UUID | str | None, operation: Operation, table: Table) -> Outcome:
    """What was done in truth, and what specgen says of it."""
    with observer(dsn) as connection:
        row = connection.execute(
            "SELECT status, total_records, processed_records, skipped_records, error_count"
            " FROM batch_operations WHERE operation_id = %s",
            (operation_id,),
        ).fetchone() or ("no operation", 0, 0, 0, 0)
        failed = _blamed(connection, operation_id, operation, table)
        named = connection.execute(
            "SELECT coalesce(sum(CASE WHEN record_key IS NULL THEN greatest(jsonb_array_length(failed_records), 1) ELSE 1 END), 0)"
            " FROM batch_operation_errors WHERE operation_id = %s AND NOT skipped",
            (operation_id,),
        ).fetchone()
        assert named is not None
        rows, writes, ledger = _contents(connection)
        outputs = Counter[str]()
        if operation.outputs:
            given = normalised("record", operation.outputs, table)
            outputs = _counted(connection, f"SELECT {given} FROM batch_output(%s) AS record", (operation_id,))
    return Outcome(*row, failed, rows, writes, ledger, outputs, int(named[0]))


def contents(dsn: str) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Rows, writes and ledger of a database."""
    with observer(dsn) as connection:
        return _contents(connection)


def normalised(record: str, names: Iterable[str], table: Table) -> str:
    """SQL for a jsonb of these columns, whose texts no longer depend on who wrote them."""
    parts = ", ".join(f"'{name}', ({record} ->> '{name}')::{table.types[name]}" for name in names)
    return f"jsonb_build_object({parts})::text"


def _contents(connection: psycopg.Connection[Any]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    return (
        _counted(connection, "SELECT (to_jsonb(thing) - 'noise')::text FROM thing"),
        _counted(connection, "SELECT concat_ws(' ', op, before, '->', after) FROM attack.writes"),
        _counted(connection, "SELECT account::text FROM attack.ledger"),
    )


def _counted(connection: psycopg.Connection[Any], query: str, values: tuple[Any, ...] = ()) -> Counter[str]:
    return Counter(row[0] for row in connection.execute(query.encode(), values or None).fetchall())


def _blamed(
    connection: psycopg.Connection[Any], operation_id: Any, operation: Operation, table: Table
) -> Counter[tuple[str, str]]:
    label = normalised("e.record_key", table.key_names, table)
    if operation.labelled_by_number:
        label = "coalesce(h.label, 'record ' || coalesce(e.record_number::text, 'without number'))"
    query = (
        f"SELECT {label}, e.sqlstate FROM batch_operation_errors AS e"
        " LEFT JOIN attack.handed AS h ON h.line = coalesce(e.line_number, e.record_number)"
        " WHERE e.operation_id = %s"
    )
    return Counter(connection.execute(query.encode(), (operation_id,)).fetchall())


def _expected_outputs(
    connection: psycopg.Connection[Any], operation: Operation, table: Table
) -> Counter[str]:
    if not operation.outputs:
        return Counter()
    if operation.kind == "select":
        given = normalised("to_jsonb(thing)", operation.outputs, table)
        return _counted(
            connection,
            f"SELECT {given} FROM thing JOIN attack.verdicts AS v USING (rid) WHERE v.verdict = 'processed'",
        )
    given = normalised("coalesce(after, before)", operation.outputs, table)
    return _counted(connection, f"SELECT {given} FROM attack.writes")


def compare(expected: Outcome, found: Outcome, operation: Operation) -> list[str]:
    """The differences, as text; none if all is well."""
    found_total, *parts = found.account
    problems = []
    if found_total != sum(parts):
        problems.append(f"account: {found_total} is not {' + '.join(map(str, parts))}")
    if operation.strict:
        # where all records failed the status may say so
        if found.status != expected.status and not (found.status == "failed" and not expected.processed):
            problems.append(f"status: expected {expected.status}, found {found.status}")
        if found.account != expected.account:
            problems.append(
                f"total, processed, skipped, failed: expected {expected.account}, found {found.account}"
            )
        for name in ("failed", "rows", "writes", "ledger", "outputs"):
            problems += difference(name, getattr(expected, name), getattr(found, name))
        return problems
    return problems + _compare_loosely(expected, found, operation)


def _compare_loosely(expected: Outcome, found: Outcome, operation: Operation) -> list[str]:
    """What must hold of an operation that need not try every record."""
    keys = operation.pattern | operation.options
    problems = []
    if found.status not in CLOSED:
        problems.append(f"status: {found.status}")
    stopping = keys.get("error_handling") == "stop_on_error"
    bound = keys.get("max_errors")
    if (
        found.errors
        and found.status != "failed"
        and (stopping or (isinstance(bound, int) and found.errors > bound))
    ):
        problems.append(f"status: {found.errors} failed, which should have stopped it, found {found.status}")
    if keys.get("error_isolation") != "batch":
        problems += difference("failed, more than there may be", Counter(), found.failed - expected.failed)
    if found.named != found.errors:
        problems.append(f"failed: says {found.errors}, names {found.named}")
    problems += difference("writes, more than there may be", Counter(), found.writes - expected.writes)
    written = sum(found.writes.values())
    if operation.kind != "select" and operation.drive != "steps" and written != found.processed:
        problems.append(f"processed: says {found.processed}, written {written}")
    return problems


def difference(name: str, expected: Counter[Any], found: Counter[Any]) -> list[str]:
    """What is missing and what is too much."""
    lost, extra = expected - found, found - expected
    if not lost and not extra:
        return []
    lines = [f"{name}: {sum(lost.values())} missing, {sum(extra.values())} too many"]
    lines += [f"  missing  {_shown(item)}  x{count}" for item, count in list(lost.items())[:3]]
    lines += [f"  too many {_shown(item)}  x{count}" for item, count in list(extra.items())[:3]]
    return lines


def _shown(item: object) -> str:
    text = item if isinstance(item, str) else repr(item)
    return text if len(text) < 400 else f"{text[:400]}…"
