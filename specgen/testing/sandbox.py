"""What a generated test talks to: a database of its own, calls, and what they left behind."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import Rollback
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from specgen.database.conninfo import dial
from specgen.testing.advice import NO_VIOLATION
from specgen.testing.joins import quote
from specgen.testing.make import Maker
from specgen.testing.prepare import Preparation
from specgen.testing.solve import Unbreakable, Unsolvable
from specgen.testing.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from specgen.testing.case import Case, Record
    from specgen.testing.subject import Operation, Step


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
class Sandbox(Traces):
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

    def prepare(
        self, operation: Operation, layout: str, failing: str | None = None, *, step: str | None = None
    ) -> Case:
        """Prepare a step by itself, whatever the steps before it would do.

        A function that the step calls is replaced by one that notes its calls.

        Args:
            operation: What is to be called.
            layout: Fills the table and the arguments; for the letters see ``specgen.testing.rows``.
            failing: How ``x`` fails; None for the first way that the step has.
            step: Which one, where there are several.
        """
        return self._preparation(operation, operation.step(step)).prepare(layout, failing)

    def prepare_whole(self, operation: Operation, layout: str) -> Case:
        """Prepare the first step of an operation that is to be run whole, with the functions that it has."""
        return self._preparation(operation, operation.steps[0], alone=False).prepare(layout)

    def _preparation(self, operation: Operation, step: Step, *, alone: bool = True) -> Preparation:
        maker = Maker(self.connection, self.values)
        return Preparation(self.connection, operation, step, maker, self.values, alone=alone)

    def violate(self, operation: Operation, precondition: str, layout: str) -> Case:
        """Prepare a call whose precondition is not met.

        Raises:
            Unbreakable: Nobody knows how to make it false.
        """
        if precondition in self.violations:
            case = self.prepare_whole(operation, layout)
            self.execute(self.violations[precondition])
            return case
        if precondition in operation.preconditions:
            changed = [
                f"({item}) IS NOT TRUE" if item == precondition else item for item in operation.preconditions
            ]
            try:
                return self.prepare_whole(replace(operation, preconditions=tuple(changed)), layout)
            except Unsolvable:
                raise Unbreakable(NO_VIOLATION.format(precondition)) from None
        for wanted in ("", "-" * len(layout), layout):
            with suppress(Unsolvable), self.connection.transaction():
                case = self.prepare_whole(operation, wanted)
                if not self._holds(case, precondition):
                    return case
                raise Rollback
        raise Unbreakable(NO_VIOLATION.format(precondition))

    def expected_calls(self, case: Case, batches: list[list[Record]]) -> list[list[Any]]:
        """The arguments of the calls that must be made for records that come in these batches."""
        preparation = self._preparation(case.operation, case.step)
        preparation.outputs = case.outputs
        return preparation.calls(case, batches)

    def _holds(self, case: Case, precondition: str) -> bool:
        text = precondition.replace("%", "%%")
        for name, item in case.operation.parameters.items():
            text = text.replace(quote(item.variable), f"(%({name})s::{item.type})")
        query = f"SELECT ({text}) FROM {case.step.table}"
        row = self.connection.execute(query, case.arguments).fetchone()
        return bool(row and row[0])

    def watch(self, case: Case) -> None:
        """Note from now on which rows each statement writes."""
        step = case.step
        event = {"insert": "INSERT", "upsert": "INSERT OR UPDATE"}.get(step.type, step.type.upper())
        first = event.split()[0]
        self.execute(
            f"""
            TRUNCATE specgen_test.written;
            CREATE TRIGGER specgen_test_begin BEFORE {first} ON {step.table}
                FOR EACH STATEMENT EXECUTE FUNCTION specgen_test.begin_statement();
            CREATE TRIGGER specgen_test_note AFTER {event} ON {step.table}
                FOR EACH ROW EXECUTE FUNCTION specgen_test.note_row()
            """
        )

    # Calls

    def call(
        self,
        case: Case,
        *,
        dry_run: bool = False,
        confirm: bool = True,
        then: Sequence[str] = (),
        **options: Any,
    ) -> Any:
        """Call the operation; returns the row of its result.

        Args:
            case: What is prepared.
            dry_run: Whether nothing is to stay of it.
            confirm: Whether it is confirmed, where that is asked for.
            then: Steps behind a step that is prepared by itself that have their turn as well.
            options: Options of the call.
        """
        self._set_aside(case, then)
        arguments = {**case.arguments, "dry_run": dry_run, "confirm": confirm, "options": Jsonb(options)}
        return self.one(case.operation.call, arguments)

    def submit(self, case: Case, *, confirm: bool = True, **options: Any) -> str:
        """Submit the operation; returns its id."""
        assert case.operation.submit is not None
        self._set_aside(case)
        arguments = {**case.arguments, "confirm": confirm, "options": Jsonb(options)}
        return str(self.one(case.operation.submit, arguments)[0])

    def _set_aside(self, case: Case, then: Sequence[str] = ()) -> None:
        """Let other steps be taken for done as they are stored, and what is prepared for what they kept."""
        operation = case.operation
        if not case.alone or len(operation.steps) == 1:
            return
        names = [item.name for item in operation.steps if item.name not in (case.step.name, *then)]
        outputs = {str(operation.step(name).number): records for name, records in case.outputs.items()}
        self.execute("DELETE FROM specgen_test.set_aside")
        self.execute("INSERT INTO specgen_test.set_aside VALUES (%s, %s)", (names, Jsonb(outputs)))
        self.execute(
            "CREATE OR REPLACE TRIGGER specgen_test_set_aside "
            f"BEFORE INSERT ON {operation.runtime}.batch_steps "
            "FOR EACH ROW EXECUTE FUNCTION specgen_test.set_step_aside()"
        )

    def begin(self, case: Case, operation_id: str) -> None:
        """Let a submitted operation begin, and its step be planned, as far as its first batch."""
        query = f"""
            SELECT EXISTS (
                SELECT
                  FROM {case.operation.runtime}.batch_ranges AS r
                  JOIN {case.operation.runtime}.batch_operations AS o USING (operation_id)
                 WHERE r.operation_id = %s
                   AND o.status = 'running'
            )
        """
        for _ in range(5):
            if self.one(query, (operation_id,))[0]:
                return
            self.step(case, operation_id)
        raise AssertionError("the operation does not come to its first batch")

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

    def run_out_of_time(self, case: Case, operation_id: str, deadline: str = "deadline") -> None:
        """Let the deadline of a submitted operation be over, or the one of its step."""
        self.execute(
            f"""
            UPDATE {case.operation.runtime}.batch_operations AS o
               SET {deadline} = clock_timestamp() - interval '1 second'
             WHERE o.operation_id = %s
            """,
            (operation_id,),
        )

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
