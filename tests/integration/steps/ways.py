"""The ways an operation can run, all of which must come to the same."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from gates import PATIENCE
from operations.lab import CALL, SUBMIT, Lab, counts

from specgen.runtime.runner import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

SESSIONS, RUN, RUN_THREE = "three sessions", "run", "run with three workers"
WAYS = (CALL, SUBMIT, SESSIONS, RUN, RUN_THREE)
ACCOUNT = "step, status, total_records, processed_records, skipped_records, error_count"


def run(lab: Lab, operation: str, *arguments: Any, way: str = CALL, **options: Any) -> Any:
    """Run an operation to its end and check its account, as a whole and step by step."""
    if way in (CALL, SUBMIT):
        result = lab.call(operation, *arguments, how=way, **options)
    else:
        given = ", ".join(["%s"] * len(arguments))
        operation_id = lab.submit(operation, given, arguments)
        work(lab, operation_id, way)
        result = lab.status(operation_id)
    check(lab, result)
    return result


def work(lab: Lab, operation_id: UUID, way: str) -> None:
    """Work on a submitted operation until it is finished."""
    if way == SESSIONS:
        sessions = [lab.connect() for _ in range(3)]
        together(
            *(
                lambda session=session: session.execute("CALL batch_work(%s)", [operation_id])
                for session in sessions
            )
        )
    else:
        list(Run(lab.dsn, "public", operation_id, "test", 3 if way == RUN_THREE else 1).events())


def together(*doings: Callable[[], object]) -> None:
    """Do several things at once."""
    failures: list[BaseException] = []

    def guarded(doing: Callable[[], object]) -> None:
        try:
            doing()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(doing,), daemon=True) for doing in doings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert failures == []


def check(lab: Lab, result: Any) -> None:
    """Total = processed + skipped + failed: overall, in each step, and their sum."""
    lab.check(result)
    accounts = [row[2:] for row in steps(lab, result)]
    assert all(total == sum(parts) for total, *parts in accounts), accounts
    if accounts and result.status not in ("timed_out", "cancelled"):
        assert tuple(map(sum, zip(*accounts, strict=True))) == counts(result)
        assert {row[1] for row in steps(lab, result)} <= {
            "completed",
            "completed_with_errors",
            "failed",
            "skipped",
        }
    blamed = dict(
        lab.rows(
            "SELECT step, sum(greatest(jsonb_array_length(failed_records), 1))::integer"
            " FROM batch_operation_errors WHERE operation_id = %s GROUP BY step",
            result.operation_id,
        )
    )
    assert blamed == {row[0]: row[-1] for row in steps(lab, result) if row[-1]}


def steps(lab: Lab, result: Any, columns: str = ACCOUNT) -> list[Any]:
    """The rows of its steps."""
    return lab.rows(
        f"SELECT {columns} FROM batch_steps WHERE operation_id = %s ORDER BY step_number", result.operation_id
    )


def output(lab: Lab, result: Any, step: str) -> list[Any]:
    """The rows that a step left."""
    return lab.rows("SELECT batch_step_output(%s, %s)", result.operation_id, step)


def left_over(lab: Lab) -> list[Any]:
    """What there is of any operation."""
    tables = ("operations", "steps", "ranges", "outputs", "operation_errors", "operation_logs")
    return [name for name in tables if lab.one(f"SELECT EXISTS (SELECT FROM batch_{name})")]
