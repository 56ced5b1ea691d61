"""What calls left behind: in the table, in the accounts of their operation, and in what they told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from specgen.testing.case import Changes, blurred, ordered
from specgen.testing.catalog import snapshot
from specgen.testing.make import Maker
from specgen.testing.solve import Unbreakable
from specgen.testing.stand_in import missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from specgen.testing.case import Case
    from specgen.testing.subject import Operation

TABLES = (
    "batch_operations", "batch_ranges", "batch_operation_logs", "batch_operation_errors",
    "batch_performance_metrics", "batch_durations", "batch_outputs", "batch_outbox", "batch_steps",
)  # fmt: skip


MESSAGE = (
    "{operation}: {status}, {total_records} records = {processed_records} processed"
    " + {skipped_records} skipped + {error_count} failed"
)
"""What an operation tells when its spec gives no notification_message; its remark follows."""


_STEP = (
    "s.operation_id, s.step, s.status, s.message, s.started_at, s.completed_at, s.limit_reached, "
    "s.total_records, s.processed_records, s.skipped_records, s.error_count, s.batch_count"
)


class Traces:
    """The part of a sandbox that reads."""

    __slots__ = ()

    if TYPE_CHECKING:
        connection: psycopg.Connection[Any]

        def one(self, query: str, arguments: Any = None) -> Any:
            """The only row of a query."""

        def all(self, query: str, arguments: Any = None) -> list[Any]:
            """All rows of a query."""

        def execute(self, query: str, arguments: Any = None) -> None:
            """Run SQL that returns nothing."""

    def changes(self, case: Case) -> Changes:
        """What has happened to the step's table since the case was prepared."""
        step = case.step
        now = snapshot(self.connection, step)
        computed = {
            item.name for item in Maker(self.connection, {}).table(step.table).columns if item.generated
        }

        def shown(row: dict[str, Any]) -> dict[str, Any]:
            return case.foreseen({name: value for name, value in row.items() if name not in computed})

        inserted = [
            case.foreseen({name: row[name] for name in step.sets if name not in computed})
            for key, (_, row) in now.items()
            if key not in case.snapshot
        ]
        updated = [
            shown(row)
            for key, (place, row) in now.items()
            if key in case.snapshot and case.snapshot[key][0] != place
        ]
        deleted = [row for key, (_, row) in case.snapshot.items() if key not in now]
        return Changes(ordered(inserted), ordered(updated), ordered(deleted))

    def errors(self, case: Case, result: Any) -> list[Any]:
        """The error rows of a call, in input order, for tests that look at them one by one."""
        return self.all(
            f"""
            SELECT e.*
              FROM {case.operation.runtime}.batch_operation_errors AS e
             WHERE e.operation_id = %s
             ORDER BY e.record_number, e.error_id
            """,
            (result.operation_id,),
        )

    def blamed(self, case: Case, result: Any) -> list[dict[str, Any]]:
        """The error rows of a call, in input order."""
        rows = self.all(
            f"""
            SELECT to_jsonb(e.*) AS row
              FROM {case.operation.runtime}.batch_operation_errors AS e
             WHERE e.operation_id = %s
             ORDER BY e.record_number, e.error_id
            """,
            (result.operation_id,),
        )
        return case.described([row.row for row in rows])

    def logs(self, case: Case, result: Any) -> list[Any]:
        """The log rows of a call: those of batches first, then the operation's own."""
        return self.all(
            f"""
            SELECT l.batch_number, l.records_processed, l.records_skipped, l.records_failed, l.status
              FROM {case.operation.log_table} AS l
             WHERE l.operation_id = %s
             ORDER BY l.batch_number NULLS LAST
            """,
            (result.operation_id,),
        )

    def metrics(self, case: Case, result: Any) -> dict[str, float]:
        """The metrics of a call by their names."""
        rows = self.all(
            f"SELECT metric_name, metric_value FROM {case.operation.metrics_table} WHERE operation_id = %s",
            (result.operation_id,),
        )
        return {row.metric_name: row.metric_value for row in rows}

    def output(self, case: Case, result: Any, expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What batch_output() gives; values that nobody can foresee as in ``expected``."""
        query = f"SELECT record FROM {case.operation.runtime}.batch_output(%s) AS kept (record)"
        rows = [row.record for row in self.all(query, (result.operation_id,))]
        return blurred(rows, expected)

    def statements(self) -> list[list[dict[str, Any]]]:
        """The rows that each watched statement wrote, in order."""
        rows = self.all("SELECT statement, row FROM specgen_test.written ORDER BY place")
        found: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(row.statement, []).append(row.row)
        return list(found.values())

    def notifications(self) -> list[dict[str, Any]]:
        """The payloads of all notifications that this session listened to."""
        self.execute("SELECT")  # they come with an answer
        return [json.loads(item.payload) for item in self.connection.notifies(timeout=0)]

    def messages(self, case: Case, result: Any) -> list[Any]:
        """The rows that an operation left in the outbox."""
        query = f"SELECT * FROM {case.operation.runtime}.batch_outbox WHERE operation_id = %s ORDER BY id"
        return self.all(query, (result.operation_id,))

    @staticmethod
    def worded(template: str | None, told: Mapping[str, Any], result: Any) -> str:
        """A notification_message with the fields of what was told filled in."""
        fields = {**told, "errors": result.errors}
        shown = {
            name: "" if value is None else value if isinstance(value, str) else json.dumps(value)
            for name, value in fields.items()
        }
        remark = f"; {told['message']}" if template is None and told["message"] else ""
        return (template or MESSAGE).format_map(shown) + remark

    def bookkeeping(self, case: Case) -> dict[str, int]:
        """How many rows the batch_* tables hold."""
        names = [f"{case.operation.runtime}.{name}" for name in TABLES]
        names += [case.operation.log_table, case.operation.metrics_table]
        return {name: self.one(f"SELECT count(*) FROM {name}")[0] for name in dict.fromkeys(names)}

    # Steps

    def step_of(self, case: Case, result: Any) -> Any:
        """The step's row in batch_steps; what has none of its own, or was undone, is told by the result."""
        rows = self.steps_of(case, result)
        return next((item for item in rows if item.step == case.step.name), result)

    def steps_of(self, case: Case, result: Any) -> list[Any]:
        """The rows in batch_steps of an operation, given by a result or its id, in the order of the steps."""
        return self.all(
            f"""
            SELECT {_STEP}
              FROM {case.operation.runtime}.batch_steps AS s
             WHERE s.operation_id = %s
             ORDER BY s.step_number
            """,
            (getattr(result, "operation_id", result),),
        )

    def row_of(self, case: Case, result: Any, *, timeout: str | None = None) -> dict[str, Any]:
        """The operation's row; in place of its timeout, whether it is as long as the given one."""
        query = f"""
            SELECT to_jsonb(o) || jsonb_build_object('timeout', o.timeout = %s::interval) AS stored
              FROM {case.operation.runtime}.batch_operations AS o
             WHERE o.operation_id = %s
        """
        found: dict[str, Any] = self.one(query, (timeout, result.operation_id)).stored
        return found

    def kept(
        self,
        case: Case,
        result: Any,
        expected: list[dict[str, Any]] | None = None,
        *,
        step: str | None = None,
    ) -> list[dict[str, Any]]:
        """What the step, or another one, kept; values that nobody can foresee as in ``expected``."""
        query = f"SELECT record FROM {case.operation.runtime}.batch_step_output(%s, %s) AS kept (record)"
        rows = [row.record for row in self.all(query, (result.operation_id, step or case.step.name))]
        return blurred(rows, expected or [])

    def calls(self, case: Case) -> list[list[Any]]:
        """The arguments of the calls that the step's function got."""
        assert case.stand_in is not None
        return case.stand_in.noted()

    @staticmethod
    def elements(calls: list[list[Any]]) -> list[str]:
        """What is in the arrays that a function was handed, whatever call it came with."""
        lists = [argument for call in calls for argument in call if isinstance(argument, list)]
        return sorted(repr(element) for argument in lists for element in argument)

    def missing_functions(self, operation: Operation) -> list[str]:
        """The functions that the operation calls and that are not there."""
        names = dict.fromkeys(item.calls.name for item in operation.steps if item.calls)
        return [name for name in names if missing(self.connection, name)]

    def account_for(self, case: Case, result: Any) -> None:
        """Skip a test whose made-up data a function, or a step that lives on its results, did not take."""
        lost = {item.name for item in case.operation.steps if item.calls}
        lost |= {name for step in list(lost) for name in case.operation.waiting_for(step)}
        for row in self.steps_of(case, result):
            if row.step in lost and (row.error_count or row.status == "failed"):
                first = self.one(
                    f"""
                    SELECT min(e.error_message) AS message
                      FROM {case.operation.runtime}.batch_operation_errors AS e
                     WHERE e.operation_id = %s
                       AND e.step = %s
                    """,
                    (result.operation_id, row.step),
                )
                raise Unbreakable(
                    f"{case.operation.name}: the step {row.step} did not take data that is made up "
                    f"({row.message or first.message}); give it some in fixtures specgen_values and "
                    "specgen_setup of your conftest.py"
                )
