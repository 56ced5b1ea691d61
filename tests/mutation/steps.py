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
        "p_counts.skipped_records + greatest(s.total_records - v_visited, 0)",
        "p_counts.skipped_records",
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
        "WHEN p_counts.error_count > 0 THEN 'completed_with_errors'\n               ELSE 'completed'",
        "ELSE 'completed'",
    ),
    _runtime("a step's batches are not counted", "batch_count = p_counts.batch_count", "batch_count = 0"),
    _runtime(
        "steps behind the end stay pending",
        "IF p_status = 'failed' THEN\n        UPDATE",
        "IF false THEN\n        UPDATE",
    ),
    _runtime(
        "a step begins though it has nothing to go on",
        "WHEN p_step.depends_on <> '{}' THEN",
        "WHEN false THEN",
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
        "WHEN p_step.depends_on <> '{}' THEN app.batch_hopeless(p_operation.operation_id, p_step.depends_on)",
        "WHEN true THEN app.batch_hopeless(\n"
        "            p_operation.operation_id, ARRAY(SELECT generate_series(1, p_step.step_number - 1))\n        )",
    ),
    _runtime(
        "a skipped step does not say why",
        "               message = v_message\n         WHERE s.operation_id = p_operation.operation_id\n           AND s.step_number = p_step.step_number;\n        RETURN p_operation;\n    END IF;\n    BEGIN",
        "               message = NULL\n         WHERE s.operation_id = p_operation.operation_id\n           AND s.step_number = p_step.step_number;\n        RETURN p_operation;\n    END IF;\n    BEGIN",
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
        "           limit_reached = v_operation.limit_reached,\n           strategy = v_operation.strategy,",
        "           strategy = v_operation.strategy,",
    ),
    _runtime(
        "a step's own timeout is ignored",
        "IF clock_timestamp() > least(p_operation.deadline, p_operation.step_deadline) THEN",
        "IF clock_timestamp() > p_operation.deadline THEN",
    ),
    _runtime(
        "a step's own timeout does not begin",
        "v_operation.step_deadline := clock_timestamp() + v_operation.step_timeout;",
        "v_operation.step_deadline := NULL;",
    ),
    _runtime(
        "steps begin after the timeout",
        "IF app.batch_is_late(v_operation) THEN\n        RETURN true;",
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
    _runtime(
        "a limit of a relation lets all of it through", "PERFORM app.batch_shorten(v_operation);", "NULL;"
    ),
    _runtime(
        "a relation's limit leaves out one more",
        "p_operation.batch_size, p_operation.max_records + 1,",
        "p_operation.batch_size, p_operation.max_records - 1,",
    ),
    _meter("a list is made of another column", '"column": "zone"', '"column": "id"'),
    _meter(
        "a list is made of another step's output",
        '"step_number": 1,',
        '"step_number": 2,',
    ),
    _meter(
        "a step goes through the wrong step's output",
        '"reads_step": 2,',
        '"reads_step": 1,',
    ),
    _runtime(
        "a function is called with the whole list",
        "WHEN v_search.first = v_search.last THEN jsonb_build_array(v_batch.items -> (v_search.first - 1))\n"
        "                ELSE app.batch_slice(v_batch.items, v_search.first, v_search.last)",
        "WHEN true THEN v_batch.items",
    ),
    _meter(
        "a list is handed over in the wrong order",
        "array_agg(element.id ORDER BY element.item_number)",
        "array_agg(element.id ORDER BY element.item_number DESC)",
    ),
    _meter("a function gets another argument", "moment => p_moment", "moment => p_moment + 1"),
    _meter(
        "a function gets its arguments from another field",
        "item.billed,\n            'read anew'",
        "NOT item.billed,\n            'read anew'",
    ),
    _meter(
        "a function is called twice",
        "    END LOOP;\n    RETURN jsonb_array_length(p_records)",
        "        PERFORM FROM app.tell_owner(item.id, item.billed, 'read anew') AS value;\n"
        "    END LOOP;\n    RETURN jsonb_array_length(p_records)",
    ),
    _runtime(
        "a call counts as one record however many it took",
        "v_rows := v_search.last - v_search.first + 1; -- whatever",
        "v_rows := 1; -- whatever",
    ),
    _meter("a function's input is kept for its result", "to_jsonb(returned)\n", "to_jsonb(item)\n"),
    _runtime(
        "repeated records of an output are written",
        "ORDER BY repeated.place[2]\n",
        "LIMIT 0\n",
    ),
    _runtime(
        "records of a relation are numbered anew in each batch",
        "batch.number OPERATOR(pg_catalog.*) $3 OPERATOR(pg_catalog.+) 1, NULL",
        "1, NULL",
    ),
    _runtime(
        "records of a relation come in the wrong order",
        "jsonb_agg(numbered.record ORDER BY numbered.place)",
        "jsonb_agg(numbered.record ORDER BY numbered.place DESC)",
    ),
    _meter("a table is gone through in no order", "\n     ORDER BY source.id;\n", ";\n"),
    _runtime(
        "a table's batches overlap",
        "(numbered.place OPERATOR(pg_catalog.-) 1) OPERATOR(pg_catalog./) $3 AS number",
        "numbered.place OPERATOR(pg_catalog./) $3 AS number",
    ),
    _meter("a step does not wait for the one before", '"depends_on": [2],', '"depends_on": [],'),
    _runtime(
        "two steps take each other's place",
        "'step_number', v_number\n",
        "'step_number', CASE v_number WHEN 5 THEN 6 WHEN 6 THEN 5 ELSE v_number END\n",
    ),
    _runtime(
        "an operation of steps asks for no confirmation",
        "IF v_confirmed IS NOT TRUE THEN\n                v_operation.message",
        "IF false THEN\n                v_operation.message",
    ),
    _runtime(
        "a dry run of steps is committed",
        "IF p_dry_run IS NOT FALSE OR (v_operation.atomic",
        "IF (v_operation.atomic",
    ),
    _runtime(
        "an atomic operation keeps what its function did",
        "IF p_dry_run IS NOT FALSE OR (v_operation.atomic AND v_operation.status <> 'completed') THEN",
        "IF p_dry_run IS NOT FALSE THEN",
    ),
    _runtime(
        "an idempotency key begins the steps again",
        "IF v_operation.status <> 'planned' THEN\n        RETURN v_operation.operation_id;",
        "IF false THEN\n        RETURN v_operation.operation_id;",
    ),
)
