"""What generated tests do with an operation of steps: one step of it by itself, or what it says of all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from specgen.testing.advice import NO_VIOLATION
from specgen.testing.case import blurred
from specgen.testing.make import Maker
from specgen.testing.prepare_step import StepCase, StepPreparation
from specgen.testing.solve import Unbreakable, Unsolvable
from specgen.testing.stand_in import missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from specgen.testing.case import Case, Record
    from specgen.testing.stepped import Step, Stepped

_STEP = (
    "s.operation_id, s.step, s.status, s.message, s.started_at, s.completed_at, s.limit_reached, "
    "s.total_records, s.processed_records, s.skipped_records, s.error_count, s.batch_count"
)


class Stepping:
    """The part of a sandbox that is about steps."""

    __slots__ = ()

    if TYPE_CHECKING:
        connection: psycopg.Connection[Any]
        values: Mapping[str, Sequence[str]]
        violations: Mapping[str, str]

        def one(self, query: str, arguments: Any = None) -> Any:
            """The only row of a query."""

        def all(self, query: str, arguments: Any = None) -> list[Any]:
            """All rows of a query."""

        def execute(self, query: str, arguments: Any = None) -> None:
            """Run SQL that returns nothing."""

    def prepare_step(
        self, operation: Stepped, step: str, layout: str, failing: str | None = None
    ) -> StepCase:
        """Prepare a step as an operation of its own, whatever the steps before it would do.

        A function that the step calls is replaced by one that notes its calls.
        """
        return self._preparation(operation, operation[step]).prepare(layout, failing)

    def prepare_whole(self, operation: Stepped, layout: str) -> StepCase:
        """Prepare the first step of an operation that is to be run whole, with the functions that it has."""
        return self._preparation(operation, operation.steps[0], stand_in=False).prepare(layout)

    def refuse_whole(self, operation: Stepped, precondition: str, layout: str) -> StepCase:
        """Prepare an operation whose precondition is not met.

        Raises:
            Unbreakable: Nobody knows how to make it false.
        """
        if precondition in self.violations:
            case = self.prepare_whole(operation, layout)
            self.execute(self.violations[precondition])
            return case
        changed = tuple(
            f"({item}) IS NOT TRUE" if item == precondition else item for item in operation.preconditions
        )
        try:
            return self.prepare_whole(replace(operation, preconditions=changed), layout)
        except Unsolvable:
            raise Unbreakable(NO_VIOLATION.format(precondition)) from None

    def _preparation(self, operation: Stepped, step: Step, *, stand_in: bool = True) -> StepPreparation:
        maker = Maker(self.connection, self.values)
        return StepPreparation(self.connection, operation, step, maker, self.values, stand_in=stand_in)

    def run_step(self, case: StepCase, *, then: Sequence[str] = (), **options: Any) -> Any:
        """Run the step in one transaction, and no other but those named; returns its row in batch_steps.

        Args:
            case: What is prepared.
            then: Steps behind it that have their turn as well.
            options: Options of the call.
        """
        arguments = {**case.arguments, "options": Jsonb(options)}
        operation_id = str(self.one(case.whole.begin, arguments)[0])
        self.set_aside(case, operation_id, then)
        query = f"SELECT * FROM {case.whole.runtime}.batch_step(%s)"
        while self.one(query, (operation_id,)).state != "finished":
            pass
        return self.step_of(case, operation_id)

    def submit_step(self, case: StepCase, **options: Any) -> str:
        """Submit the operation with all but the step left out; returns its id."""
        assert case.whole.submit is not None
        arguments = {**case.arguments, "confirm": True, "options": Jsonb(options)}
        operation_id = str(self.one(case.whole.submit, arguments)[0])
        self.set_aside(case, operation_id)
        return operation_id

    def set_aside(self, case: StepCase, operation_id: str, then: Sequence[str] = ()) -> None:
        """Take other steps for done, and what is prepared for what they yielded."""
        runtime = case.whole.runtime
        self.execute(
            f"""
            UPDATE {runtime}.batch_steps AS s
               SET status = 'completed'
             WHERE s.operation_id = %s
               AND s.step <> ALL (%s)
            """,
            (operation_id, [case.step.name, *then]),
        )
        for step, records in case.outputs.items():
            self.execute(
                f"""
                INSERT INTO {runtime}.batch_outputs
                       (operation_id, step_number, batch_number, record_number, record)
                SELECT %s, %s, 1, record.place, record.value
                  FROM jsonb_array_elements(%s) WITH ORDINALITY AS record (value, place)
                """,
                (operation_id, case.whole[step].number, Jsonb(records)),
            )

    def step_of(self, case: StepCase, operation_id: str) -> Any:
        """The step's row in batch_steps."""
        return next(item for item in self.steps_of(case, operation_id) if item.step == case.step.name)

    def steps_of(self, case: StepCase, result: Any) -> list[Any]:
        """The rows in batch_steps of an operation, given by a result or its id, in the order of the steps."""
        return self.all(
            f"""
            SELECT {_STEP}
              FROM {case.whole.runtime}.batch_steps AS s
             WHERE s.operation_id = %s
             ORDER BY s.step_number
            """,
            (getattr(result, "operation_id", result),),
        )

    def row_of(self, case: StepCase, result: Any) -> dict[str, Any]:
        """The operation's row."""
        table = f"{case.whole.runtime}.batch_operations"
        query = f"SELECT to_jsonb(o) AS row FROM {table} AS o WHERE o.operation_id = %s"
        found: dict[str, Any] = self.one(query, (result.operation_id,)).row
        return found

    def kept(
        self,
        case: StepCase,
        result: Any,
        expected: list[dict[str, Any]] | None = None,
        *,
        step: str | None = None,
    ) -> list[dict[str, Any]]:
        """What the step, or another one, kept; values that nobody can foresee as in ``expected``."""
        query = f"SELECT record FROM {case.whole.runtime}.batch_step_output(%s, %s) AS kept (record)"
        rows = [row.record for row in self.all(query, (result.operation_id, step or case.step.name))]
        return blurred(rows, expected or [])

    def calls(self, case: StepCase) -> list[list[Any]]:
        """The arguments of the calls that the step's function got."""
        assert case.stand_in is not None
        return case.stand_in.noted()

    def expected_calls(self, case: StepCase, batches: list[list[Record]]) -> list[list[Any]]:
        """The arguments of the calls that must be made for records that come in these batches."""
        preparation = self._preparation(case.whole, case.step)
        preparation.outputs = case.outputs
        return preparation.calls(case, batches)

    @staticmethod
    def elements(calls: list[list[Any]]) -> list[str]:
        """What is in the arrays that a function was handed, whatever call it came with."""
        lists = [argument for call in calls for argument in call if isinstance(argument, list)]
        return sorted(repr(element) for argument in lists for element in argument)

    def missing_functions(self, operation: Stepped) -> list[str]:
        """The functions that the operation calls and that are not there."""
        names = dict.fromkeys(item.calls.name for item in operation.steps if item.calls)
        return [name for name in names if missing(self.connection, name)]

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

    def account_for(self, case: StepCase, result: Any) -> None:
        """Skip a test whose made-up data a function, or a step that lives on its results, did not take."""
        lost = {item.name for item in case.whole.steps if item.calls}
        lost |= {name for step in list(lost) for name in case.whole.waiting_for(step)}
        for row in self.steps_of(case, result):
            if row.step in lost and (row.error_count or row.status == "failed"):
                first = self.one(
                    f"""
                    SELECT min(e.error_message) AS message
                      FROM {case.whole.runtime}.batch_operation_errors AS e
                     WHERE e.operation_id = %s
                       AND e.step = %s
                    """,
                    (result.operation_id, row.step),
                )
                raise Unbreakable(
                    f"{case.whole.name}: the step {row.step} did not take data that is made up "
                    f"({row.message or first.message}); give it some in fixtures specgen_values and "
                    "specgen_setup of your conftest.py"
                )
