"""What a generated test talks to: a database of its own, calls, and what they left behind."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import Rollback
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from specgen.database.conninfo import dial
from specgen.testing.advice import NO_VIOLATION
from specgen.testing.case import Case, Changes, blurred, ordered
from specgen.testing.joins import quote
from specgen.testing.make import Maker
from specgen.testing.prepare import Preparation, snapshot
from specgen.testing.solve import Unbreakable, Unsolvable
from specgen.testing.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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


class Counts(NamedTuple):
    """The four numbers of every account."""

    total: int
    processed: int
    skipped: int
    failed: int


def counts(result: Any) -> Counts:
    """The numbers of a result; they must add up."""
    found = Counts(result.total_records, result.processed_records, result.skipped_records, result.error_count)
    assert found.total == found.processed + found.skipped + found.failed, (
        f"the account does not add up: {found}"
    )
    return found


@dataclass(slots=True)
class Sandbox(Stepping):
    """A connection to a database of the test's own.

    Attributes:
        connection: For plain SQL.
        dsn: For further connections.
        values: Name of a column, parameter or field to SQL constants to try as test data.
        violations: Precondition to SQL that makes it false.
        notices: Messages that the server sent.
    """

    connection: psycopg.Connection[Any]
    dsn: str = field(repr=False)
    values: Mapping[str, Sequence[str]]
    violations: Mapping[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Collect notices."""
        self.connection.add_notice_handler(lambda notice: self.notices.append(notice.message_primary or ""))

    def __enter__(self) -> Sandbox:
        """The session itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.connection.close()

    # Before

    def prepare(self, operation: Operation, layout: str, failing: str | None = None) -> Case:
        """Fill the table and the arguments; for the letters see ``specgen.testing.prepare``."""
        maker = Maker(self.connection, self.values)
        return Preparation(self.connection, operation, maker, self.values).prepare(layout, failing)

    def violate(self, operation: Operation, precondition: str, layout: str) -> Case:
        """Prepare a call whose precondition is not met.

        Raises:
            Unbreakable: Nobody knows how to make it false.
        """
        if precondition in self.violations:
            case = self.prepare(operation, layout)
            self.execute(self.violations[precondition])
            return case
        if precondition in operation.preconditions:
            changed = [
                f"({item}) IS NOT TRUE" if item == precondition else item for item in operation.preconditions
            ]
            try:
                return self.prepare(replace(operation, preconditions=tuple(changed)), layout)
            except Unsolvable:
                raise Unbreakable(NO_VIOLATION.format(precondition)) from None
        for wanted in ("", "-" * len(layout), layout):
            with suppress(Unsolvable), self.connection.transaction():
                case = self.prepare(operation, wanted)
                if not self._holds(case, precondition):
                    return case
                raise Rollback
        raise Unbreakable(NO_VIOLATION.format(precondition))

    def _holds(self, case: Case, precondition: str) -> bool:
        text = precondition.replace("%", "%%")
        for name, item in case.operation.parameters.items():
            text = text.replace(quote(item.variable), f"(%({name})s::{item.type})")
        query = f"SELECT ({text}) FROM {case.operation.table}"
        row = self.connection.execute(query, case.arguments).fetchone()
        return bool(row and row[0])

    def watch(self, operation: Operation) -> None:
        """Note from now on which rows each statement writes."""
        event = {"insert": "INSERT", "upsert": "INSERT OR UPDATE"}.get(operation.type, operation.type.upper())
        first = event.split()[0]
        self.execute(
            f"""
            TRUNCATE specgen_test.written;
            CREATE TRIGGER specgen_test_begin BEFORE {first} ON {operation.table}
                FOR EACH STATEMENT EXECUTE FUNCTION specgen_test.begin_statement();
            CREATE TRIGGER specgen_test_note AFTER {event} ON {operation.table}
                FOR EACH ROW EXECUTE FUNCTION specgen_test.note_row()
            """
        )

    # Calls

    def call(self, case: Case, *, dry_run: bool = False, confirm: bool = True, **options: Any) -> Any:
        """Call the operation; returns the row of its result."""
        arguments = {**case.arguments, "dry_run": dry_run, "confirm": confirm, "options": Jsonb(options)}
        return self.one(case.operation.call, arguments)

    def submit(self, case: Case, *, confirm: bool = True, **options: Any) -> str:
        """Submit the operation; returns its id."""
        assert case.operation.submit is not None
        arguments = {**case.arguments, "confirm": confirm, "options": Jsonb(options)}
        return str(self.one(case.operation.submit, arguments)[0])

    def step(self, case: Case, operation_id: str) -> Any:
        """Let this session do one batch, past the step in which it enters itself among the workers."""
        query = f"SELECT * FROM {case.operation.runtime}.batch_step(%s)"
        found = self.one(query, (operation_id,))
        return self.one(query, (operation_id,)) if found.state == "appeared" else found

    def work(self, case: Case, operation_id: str) -> Any:
        """Work to the end, as ``CALL batch_work`` does; returns the result."""
        self.execute(f"CALL {case.operation.runtime}.batch_work(%s)", (operation_id,))
        return self.status(case, operation_id)

    def status(self, case: Case, operation_id: str) -> Any:
        """How a submitted operation stands."""
        return self.one(f"SELECT * FROM {case.operation.runtime}.batch_status(%s)", (operation_id,))

    def another(self) -> Sandbox:
        """A second session on the same database."""
        return Sandbox(connect(self.dsn), self.dsn, self.values)

    # After

    def changes(self, case: Case) -> Changes:
        """What has happened to the target table since the case was prepared."""
        operation = case.operation
        now = snapshot(self.connection, operation)
        computed = {
            item.name for item in Maker(self.connection, {}).table(operation.table).columns if item.generated
        }

        def shown(row: dict[str, Any]) -> dict[str, Any]:
            return case.foreseen({name: value for name, value in row.items() if name not in computed})

        inserted = [
            case.foreseen({name: row[name] for name in operation.sets if name not in computed})
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

    # SQL

    @contextmanager
    def refused(self, sqlstate: str) -> Iterator[None]:
        """Expect the block's call to raise an error of that class, and undo it."""
        try:
            with self.connection.transaction():
                yield
        except psycopg.Error as error:
            assert error.sqlstate == sqlstate, f"{error.sqlstate}: {error}"
        else:
            raise AssertionError(f"nothing was raised; {sqlstate} was expected")

    def execute(self, query: str, arguments: Any = None) -> None:
        """Run SQL that returns nothing."""
        self.connection.execute(query, arguments)

    def one(self, query: str, arguments: Any = None) -> Any:
        """The only row of a query."""
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query, arguments).fetchone()

    def all(self, query: str, arguments: Any = None) -> list[Any]:
        """All rows of a query."""
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query, arguments).fetchall()


def connect(dsn: str, *, autocommit: bool = True) -> psycopg.Connection[Any]:
    """A session for a test: it waits for nobody for long."""
    connection = dial(dsn, autocommit=autocommit)
    connection.execute("SET lock_timeout = '5s'")
    connection.execute("SET statement_timeout = '20s'")
    # Which day comes first stays as it is set; only so can times be read.
    connection.execute("SET DateStyle = ISO")
    connection.execute("SET IntervalStyle = postgres")
    if not autocommit:
        connection.commit()
    return connection
