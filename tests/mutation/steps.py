"""Mutants of steps, relations and called functions."""

from __future__ import annotations

from functools import partial

from tests.mutation.mutant import Mutant

_runtime = partial(Mutant, tests=("meter",), file="runtime")
_meter = partial(Mutant, tests=("meter",), file="meter")

MUTANTS = (
    _runtime(
        "a step is passed over",
        "ORDER BY s.step_number\n     LIMIT 1;",
        "ORDER BY s.step_number\n     OFFSET 1 LIMIT 1;",
    ),
    _runtime(
        "steps run in the wrong order",
        "ORDER BY s.step_number\n     LIMIT 1;",
        "ORDER BY s.step_number DESC\n     LIMIT 1;",
    ),
    _runtime(
        "the operation ends with its first step",
        "v_operation.stop_status IS NULL AND app.batch_advance(v_operation)",
        "v_operation.step IS NULL AND app.batch_advance(v_operation)",
    ),
    _runtime(
        "a step forgets what it did not come to",
        "v_step.skipped_records + greatest(s.total_records - v_visited, 0)",
        "v_step.skipped_records",
    ),
    _runtime(
        "a step's account holds the steps before it",
        "(p_step_number IS NULL OR r.step_number = p_step_number)",
        "true",
    ),
    _runtime(
        "the total is that of the largest step",
        "coalesce(sum(s.total_records), 0)::bigint\n      INTO v_operation.total_records",
        "coalesce(max(s.total_records), 0)::bigint\n      INTO v_operation.total_records",
    ),
    _runtime(
        "a step with errors ends as completed",
        "WHEN v_step.error_count > 0 THEN 'completed_with_errors'\n               ELSE 'completed'",
        "ELSE 'completed'",
    ),
    _runtime("a step's batches are not counted", "batch_count = v_step.batch_count", "batch_count = 0"),
    _runtime(
        "steps behind the end stay pending",
        "IF p_status = 'failed' THEN\n        UPDATE",
        "IF false THEN\n        UPDATE",
    ),
    _runtime(
        "a step begins though it has nothing to go on",
        "v_message := app.batch_hopeless(v_step);",
        "v_message := NULL;",
    ),
    _runtime(
        "one failed record keeps the next step from beginning",
        "OR (s.error_count > 0 AND s.processed_records = 0)",
        "OR s.error_count > 0",
    ),
    _runtime(
        "what waits for a skipped step begins",
        "s.status IN ('failed', 'skipped')\n               OR",
        "s.status IN ('failed')\n               OR",
    ),
    _runtime(
        "a step waits for steps that it does not depend on",
        "AND s.step_number = ANY (p_step.depends_on)",
        "AND s.step_number < p_step.step_number",
    ),
    _runtime(
        "a skipped step does not say why",
        "               message = v_message\n         WHERE s.operation_id = v_step.operation_id\n           AND s.step_number = v_step.step_number;\n        RETURN true;",
        "               message = NULL\n         WHERE s.operation_id = v_step.operation_id\n           AND s.step_number = v_step.step_number;\n        RETURN true;",
    ),
    _runtime("a step's limit binds the next step", "v_operation.max_records := NULL;", "NULL;"),
    _runtime("a step's max_errors binds the next step", "v_operation.max_errors := NULL;", "NULL;"),
    _runtime(
        "options of the call do not reach the steps",
        "v_operation := app.batch_apply_options(v_operation, v_operation.options);",
        "NULL;",
    ),
    _runtime(
        "a step's limit is reached and not told",
        "       SET total_records = p_operation.step_records,\n           limit_reached = p_operation.limit_reached,",
        "       SET total_records = p_operation.step_records,",
    ),
    _runtime(
        "a step's own timeout is ignored",
        "IF clock_timestamp() > p_operation.step_deadline THEN",
        "IF false THEN",
    ),
    _runtime(
        "a step's own timeout does not begin",
        "v_operation.step_deadline := clock_timestamp() + v_operation.step_timeout;",
        "v_operation.step_deadline := NULL;",
    ),
    _runtime(
        "steps begin after the timeout",
        "IF app.batch_is_late(p_operation) THEN\n        RETURN true;",
        "IF false THEN\n        RETURN true;",
    ),
    _runtime(
        "a resumed operation begins its step anew",
        "           SET status = 'running',\n               completed_at = NULL,\n               message = NULL",
        "           SET status = 'pending',\n               completed_at = NULL,\n               message = NULL",
    ),
    _runtime(
        "a resumed operation's step stays timed out",
        "AND s.status IN ('timed_out', 'cancelled');",
        "AND false;",
    ),
    _runtime("the output of all steps is told for one", "AND s.step = batch_step_output.step", "AND true"),
    _runtime("an error does not name its step", "           p_operation.step,", "           NULL,"),
    _meter(
        "a limit of a relation lets all of it through", "PERFORM app.batch_shorten(v_operation);", "NULL;"
    ),
    _meter(
        "a relation's limit leaves out one more",
        "LIMIT p_operation.max_records + 1 --",
        "LIMIT p_operation.max_records - 1 --",
    ),
    _meter("a list is made of another column", "(o.record ->> 'zone')", "(o.record ->> 'id')"),
    _meter(
        "a list is made of another step's output",
        "AND o.step_number = 1 -- find_stale\n         ORDER BY",
        "AND o.step_number = 2 -- find_stale\n         ORDER BY",
    ),
    _meter(
        "a step goes through the wrong step's output",
        "AND o.step_number = 2 -- fetch_readings",
        "AND o.step_number = 1 -- fetch_readings",
    ),
    _meter(
        "a function is called with the whole list",
        "jsonb_to_recordset(v_slice) AS (id integer)",
        "jsonb_to_recordset(p_range.items) AS (id integer)",
    ),
    _meter(
        "a list is handed over in the wrong order",
        "array_agg(element.id ORDER BY element.item_number)",
        "array_agg(element.id ORDER BY element.item_number DESC)",
    ),
    _meter("a function gets another argument", "moment => p_moment", "moment => p_moment + 1"),
    _meter(
        "a function gets its arguments from another field",
        "item.billed,\n                    'read anew'",
        "NOT item.billed,\n                    'read anew'",
    ),
    _meter(
        "a function is called twice",
        "            END LOOP;\n            v_rows :=",
        "                PERFORM FROM app.tell_owner(item.id, item.billed, 'read anew') AS value;\n            END LOOP;\n            v_rows :=",
    ),
    _meter(
        "a call counts as one record however many it took",
        "v_rows := v_search.last - v_search.first + 1; -- whatever",
        "v_rows := 1; -- whatever",
    ),
    _meter("a function's input is kept for its result", "to_jsonb(returned)\n", "to_jsonb(item)\n"),
    _meter(
        "repeated records of an output are written",
        "ORDER BY repeated.place[2]\n",
        "LIMIT 0\n",
    ),
    _meter(
        "records of a relation are numbered anew in each batch", "batch.number * v_size + 1, NULL", "1, NULL"
    ),
    _meter(
        "records of a relation come in the wrong order",
        "jsonb_agg(numbered.record ORDER BY numbered.place)",
        "jsonb_agg(numbered.record ORDER BY numbered.place DESC)",
    ),
    _meter("a table is gone through in no order", " ORDER BY source.id\n", "\n"),
    _meter(
        "a table's batches overlap",
        "(numbered.place - 1) / v_size AS number",
        "numbered.place / v_size AS number",
    ),
    _meter(
        "a step does not wait for the one before", "3, 'store_readings', '{2}'", "3, 'store_readings', '{}'"
    ),
    _meter(
        "two steps take each other's place",
        "'app.read_stale_meters_tell_owners_plan'",
        "'app.read_stale_meters_forget_unread_plan'",
    ),
    _meter(
        "an operation of steps asks for no confirmation",
        "IF confirm IS NOT TRUE AND dry_run IS FALSE THEN\n                -- The",
        "IF false THEN\n                -- The",
    ),
    _meter(
        "a dry run of steps is committed",
        "IF dry_run IS NOT FALSE THEN\n            v_errors",
        "IF false THEN\n            v_errors",
    ),
    _meter(
        "an atomic operation keeps what its function did",
        "IF dry_run IS NOT FALSE OR v_operation.status <> 'completed' THEN",
        "IF dry_run IS NOT FALSE THEN",
    ),
    _meter(
        "an idempotency key begins the steps again",
        "IF v_planned.status <> 'planned' THEN\n        RETURN v_planned.operation_id;",
        "IF false THEN\n        RETURN v_planned.operation_id;",
    ),
)
