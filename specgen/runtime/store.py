"""Typed reading of the runtime's tables, and the few calls that steer an operation.

Every statement stands on its own, so that it works behind a pooler in transaction mode.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from specgen.runtime.events import Counts
from specgen.runtime.rows import (
    Bounds,
    ErrorGroup,
    ErrorRow,
    Holder,
    Operation,
    Result,
    Step,
    StepRow,
    WorkerRow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from specgen.database.connection import Connection

    Row = TypeVar("Row")

# While an operation runs its ranges hold the counts, its row does afterwards.
_OPEN = """  LEFT JOIN LATERAL (
            SELECT sum(r.processed_records) AS processed,
                   sum(r.skipped_records) AS skipped,
                   sum(r.error_count) AS failed,
                   sum(r.batch_count) AS batches,
                   sum(r.retries) AS retries
              FROM {runtime}.batch_ranges AS r
             WHERE r.operation_id = o.operation_id
               AND o.completed_at IS NULL
       ) AS open ON true"""
_COUNTS = """
SELECT o.total_records AS total,
       coalesce(open.processed, o.processed_records)::bigint AS processed,
       coalesce(open.skipped, o.skipped_records)::bigint AS skipped,
       coalesce(open.failed, o.error_count)::bigint AS failed
  FROM {runtime}.batch_operations AS o
{open}
 WHERE o.operation_id = %s
"""
_OPERATION = """
SELECT o.operation_id, o.operation, o.entity, o.status, o.submitted,
       o.created_at, o.started_at, o.completed_at,
       o.total_records,
       coalesce(open.processed, o.processed_records)::bigint AS processed_records,
       coalesce(open.skipped, o.skipped_records)::bigint AS skipped_records,
       coalesce(open.failed, o.error_count)::bigint AS error_count,
       coalesce(open.batches, o.batch_count)::integer AS batch_count,
       coalesce(open.retries, o.retries)::integer AS retries,
       o.limit_reached, o.message, o.stop_status, o.batch_size, o.error_handling,
       o.strategy, o.strategy_reason,
       coalesce(cut.ranges, 0)::integer AS ranges,
       coalesce(cut.ranges_done, 0)::integer AS ranges_done,
       extract(epoch FROM {runtime}.batch_worked(o))::float8 AS seconds,
       extract(epoch FROM o.idle)::float8 AS idle_seconds,
       {runtime}.batch_active_at(o) AS active_at,
       {runtime}.batch_is_abandoned(o) AS abandoned,
       extract(epoch FROM clock_timestamp() - {runtime}.batch_active_at(o))::float8 AS silent,
       extract(epoch FROM least(o.deadline, o.step_deadline) - clock_timestamp())::float8 AS seconds_left,
       coalesce(extract(epoch FROM o.statement_timeout)::float8, server.statement_timeout)
           AS statement_timeout,
       o.max_attempts,
       extract(epoch FROM o.backoff)::float8 AS backoff,
       o.parallel, o.max_workers,
       CASE WHEN EXISTS (
           SELECT
             FROM {runtime}.batch_steps AS other
            WHERE other.operation_id = o.operation_id
              AND other.step_number = 2
       ) THEN o.step END AS step,
       extract(epoch FROM o.heartbeat_interval)::float8 AS heartbeat_interval
  FROM {runtime}.batch_operations AS o
  LEFT JOIN LATERAL (
            SELECT count(*) AS ranges,
                   count(*) FILTER (WHERE r.done) AS ranges_done
              FROM {runtime}.batch_ranges AS r
             WHERE r.operation_id = o.operation_id
       ) AS cut ON true
{open}
 CROSS JOIN (
            SELECT nullif(s.setting::float8, 0) / 1000 AS statement_timeout
              FROM pg_catalog.pg_settings AS s
             WHERE s.name = 'statement_timeout'
       ) AS server
"""
_BOUNDS = """
SELECT o.status <> 'pending' AS begun,
       extract(epoch FROM least(o.deadline, o.step_deadline) - clock_timestamp())::float8 AS seconds_left,
       coalesce(extract(epoch FROM o.statement_timeout)::float8, server.statement_timeout)
           AS statement_timeout,
       CASE WHEN o.statement_timeout IS NULL THEN server.source ELSE 'operation' END AS timeout_source,
       o.max_attempts,
       extract(epoch FROM o.backoff)::float8 AS backoff
  FROM {runtime}.batch_operations AS o
 CROSS JOIN (
            SELECT nullif(s.setting::float8, 0) / 1000 AS statement_timeout, s.source
              FROM pg_catalog.pg_settings AS s
             WHERE s.name = 'statement_timeout'
       ) AS server
 WHERE o.operation_id = %s
"""
_LATEST = " ORDER BY o.created_at DESC, o.operation_id LIMIT %s"
# Of another role's session, pg_stat_activity shows only that there is one with that process id.
_WORKERS = """
SELECT w.worker_pid, host(w.client_address) AS client_address, w.application_name,
       w.started_at, w.heartbeat_at, w.left_at, w.batch_count, w.record_count, w.error_count,
       extract(epoch FROM clock_timestamp() - w.heartbeat_at)::float8 AS silent,
       CASE
           WHEN a.pid IS NULL THEN false
           ELSE a.backend_start = w.backend_start
       END AS connected
  FROM {runtime}.batch_workers AS w
  LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = w.worker_pid
 WHERE w.operation_id = %s
 ORDER BY w.started_at, w.worker_pid
"""
_STEPS = """
SELECT s.step_number, s.step, s.status,
       greatest(s.total_records, open.processed + open.skipped + open.failed)::bigint AS total_records,
       coalesce(open.processed, s.processed_records)::bigint AS processed_records,
       coalesce(open.skipped, s.skipped_records)::bigint AS skipped_records,
       coalesce(open.failed, s.error_count)::bigint AS error_count,
       coalesce(open.batches, s.batch_count)::integer AS batch_count,
       s.strategy,
       extract(
           epoch FROM coalesce(s.completed_at, {runtime}.batch_worked_until(o)) - s.started_at - s.idle
       )::float8 AS seconds,
       s.message
  FROM {runtime}.batch_steps AS s
  JOIN {runtime}.batch_operations AS o USING (operation_id)
  LEFT JOIN LATERAL (
            SELECT sum(r.processed_records) AS processed,
                   sum(r.skipped_records) AS skipped,
                   sum(r.error_count) AS failed,
                   sum(r.batch_count) AS batches
              FROM {runtime}.batch_ranges AS r
             WHERE r.operation_id = s.operation_id
               AND r.step_number = s.step_number
               AND s.completed_at IS NULL
       ) AS open ON true
 WHERE o.operation_id = %s
   AND EXISTS (
           SELECT
             FROM {runtime}.batch_steps AS other
            WHERE other.operation_id = o.operation_id
              AND other.step_number = 2
       )
 ORDER BY s.step_number
"""
_ERRORS = """
SELECT e.batch_number, e.record_number, e.record_key, e.error_message, e.sqlstate,
       e.constraint_name, e.column_name, e.detail, e.failed_records, e.value, e.line_number, e.skipped,
       CASE WHEN EXISTS (
           SELECT
             FROM {runtime}.batch_steps AS other
            WHERE other.operation_id = e.operation_id
              AND other.step_number = 2
       ) THEN e.step END AS step
  FROM {runtime}.batch_operation_errors AS e
 WHERE e.operation_id = %s
 ORDER BY e.skipped, e.record_number, e.error_id
 LIMIT %s
"""


class Store:
    """The runtime's tables as seen through one connection."""

    def __init__(self, connection: Connection, runtime_schema: str) -> None:
        self.connection = connection
        self._runtime = runtime_schema

    def operation(self, operation_id: UUID) -> Operation | None:
        """Return an operation's row, None if there is none of that id."""
        rows = self._rows(Operation, _OPERATION + " WHERE o.operation_id = %s", operation_id)
        return rows[0] if rows else None

    def bounds(self, operation_id: UUID) -> Bounds | None:
        """Return what bounds an operation's next batch, None if there is none of that id."""
        rows = self._rows(Bounds, _BOUNDS, operation_id)
        return rows[0] if rows else None

    def latest(self, limit: int) -> Sequence[Operation]:
        """Return the latest operations, the newest first."""
        return self._rows(Operation, _OPERATION + _LATEST, limit)

    def counts(self, operation_id: UUID) -> Counts:
        """Return the account as far as it is committed."""
        rows = self._rows(Counts, _COUNTS, operation_id)
        return rows[0] if rows else Counts(0, 0, 0, 0)

    def result(self, operation_id: UUID) -> Result:
        """Return what the operation came to, or where it stands."""
        return self._rows(Result, "SELECT * FROM {runtime}.batch_status(%s)", operation_id)[0]

    def seconds(self, operation_id: UUID) -> float | None:
        """Return for how long an operation was worked on; None where it is not stored, or has not begun."""
        query = """
            SELECT extract(epoch FROM {runtime}.batch_worked(o))::float8
              FROM {runtime}.batch_operations AS o
             WHERE o.operation_id = %s
            """
        row = self._execute(query, operation_id).fetchone()
        return None if row is None else row[0]

    def errors(self, operation_id: UUID, limit: int) -> Sequence[ErrorRow]:
        """Return the first failed records, in input order where there is one."""
        return self._rows(ErrorRow, _ERRORS, operation_id, limit)

    def error_groups(self, operation_id: UUID) -> Sequence[ErrorGroup]:
        """Return the failed records grouped by what refused them, the largest group first."""
        return self._rows(
            ErrorGroup,
            """
            SELECT e.sqlstate, e.constraint_name, e.column_name,
                   sum(greatest(jsonb_array_length(e.failed_records), 1))::bigint AS records,
                   min(e.error_message) AS error_message,
                   (array_agg(e.record_key ORDER BY e.error_id))[1] AS example
              FROM {runtime}.batch_operation_errors AS e
             WHERE e.operation_id = %s
               AND NOT e.skipped
             GROUP BY e.sqlstate, e.constraint_name, e.column_name
             ORDER BY records DESC, e.sqlstate, e.constraint_name
            """,
            operation_id,
        )

    def steps(self, operation_id: UUID) -> Sequence[StepRow]:
        """Return the steps of an operation in their order; none where it has but one."""
        return self._rows(StepRow, _STEPS, operation_id)

    def workers(self, operation_id: UUID) -> Sequence[WorkerRow]:
        """Return the workers that an operation has or had, as far as it keeps rows of them."""
        return self._rows(WorkerRow, _WORKERS, operation_id)

    def holders(self, operation_id: UUID) -> Sequence[Holder]:
        """Return the sessions that hold ranges of an operation at this moment."""
        return self._rows(Holder, "SELECT * FROM {runtime}.batch_holders(%s)", operation_id)

    def beat(self, operation_id: UUID) -> None:
        """Show for the workers that are at a batch that they are alive."""
        self._execute("SELECT {runtime}.batch_beat(%s)", operation_id)

    def leave(self, operation_id: UUID) -> None:
        """Say that this session works on an operation no more."""
        self._execute("SELECT {runtime}.batch_leave(%s)", operation_id)

    def resume(self, operation_id: UUID) -> str:
        """Open an operation again that ended before its work did; its state afterwards."""
        row = self._execute("SELECT {runtime}.batch_resume(%s)", operation_id).fetchone()
        assert row is not None
        return str(row[0])

    def call_state(self, operation_id: UUID) -> Literal["stored", "running", "absent"]:
        """Return what is known of the call that carried an id."""
        row = self._execute("SELECT {runtime}.batch_call_state(%s)", operation_id).fetchone()
        assert row is not None
        state: Literal["stored", "running", "absent"] = row[0]
        return state

    def is_mine(self, operation_id: UUID) -> bool:
        """Whether this transaction has stored the operation."""
        row = self._execute("SELECT {runtime}.batch_is_mine(%s)", operation_id).fetchone()
        return row == (True,)

    def time_out(self, operation_id: UUID, message: str) -> None:
        """Ask all workers to end because the time is up, unless all that is left is to say so.

        Raises:
            psycopg.Error: Another session holds the operation's row, for longer than a moment.
        """
        with self.connection.transaction():
            self._execute("SELECT pg_catalog.set_config('lock_timeout', '1s', true)")
            self._execute(
                """
                SELECT {runtime}.batch_stop(%s, 'timed_out', %s)
                 WHERE EXISTS (
                           SELECT FROM {runtime}.batch_ranges AS r WHERE r.operation_id = %s AND NOT r.done
                       )
                """,
                operation_id,
                message,
                operation_id,
            )

    def step(self, operation_id: UUID, *, timeout: float | None, may_plan: bool = False) -> Step:
        """Do one batch in a transaction of its own.

        Args:
            operation_id: Whose.
            timeout: Seconds that the batch may take; None for what the server sets.
            may_plan: Whether the time is enough to plan the next step; if not, its state may be ``due``.

        Raises:
            psycopg.Error: The batch, or the connection, failed; the transaction is undone.
        """
        step = sql.SQL("SELECT * FROM {runtime}.batch_step({operation_id})").format(
            runtime=sql.Identifier(self._runtime), operation_id=sql.Literal(str(operation_id))
        )
        if timeout is None:
            cursor = self.connection.execute(step)
        else:
            # One message of two statements is one transaction and one round trip. A setting local to it
            # does not leak into another client's transaction behind a pooler.
            bound = sql.Literal(str(max(math.ceil(timeout * 1000), 1)))
            setting = sql.SQL(
                "SELECT pg_catalog.set_config('statement_timeout', {}, true),"
                " pg_catalog.set_config('specgen.bounded', {}, true);"
            ).format(bound, sql.Literal("plan" if may_plan else "batch"))
            cursor = self.connection.execute(setting + step)
            cursor.nextset()
        row = cursor.fetchone()
        assert row is not None
        return Step(*row)

    def _rows(self, kind: type[Row], query: str, *parameters: object) -> list[Row]:
        # Binary: times as text are written as the session's DateStyle says, which is the user's.
        with self.connection.cursor(row_factory=class_row(kind), binary=True) as cursor:
            return cursor.execute(self._composed(query), parameters).fetchall()

    def _execute(self, query: str, *parameters: object) -> psycopg.Cursor[Any]:
        return self.connection.execute(self._composed(query), parameters)

    def _composed(self, query: str) -> sql.Composed:
        runtime = sql.Identifier(self._runtime.replace("%", "%%"))  # as queries with parameters want it
        return sql.SQL(query).format(runtime=runtime, open=sql.SQL(_OPEN).format(runtime=runtime))
