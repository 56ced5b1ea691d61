"""The mutants: ways to break generated SQL, as data.

Each replaces a text that must stand in the SQL of the project beside this file, everywhere it stands;
one that is not there is an error, so that the list cannot quietly go stale.
"""

from __future__ import annotations

from tests.mutation import steps
from tests.mutation.mutant import Mutant

_ALL = ("ticket", "account", "stock", "credit")

_OF_ONE_STEP = (
    Mutant(
        "the condition is dropped",
        "plan = 'free'\n           ) IS TRUE",
        "true\n           ) IS TRUE",
        ("account",),
        "account",
    ),
    Mutant(
        "rows that nobody asked for are written",
        "WHERE account.id = ANY (p_keys)\n           -- where",
        "WHERE true\n           -- where",
        ("account",),
        "account",
    ),
    Mutant(
        "a range takes the next one's first row",
        "AND (p_last OR ticket.id < p_upto)",
        "AND true",
        file="ticket",
    ),
    Mutant("a range leaves its first row out", "ticket.id >= p_from", "ticket.id > p_from", file="ticket"),
    Mutant(
        "the plan counts rows that do not match",
        "status = 'open' AND hours >= p_least",
        "hours >= p_least",
        file="ticket",
    ),
    Mutant(
        "the plan forgets a bound",
        "status = 'open' AND hours >= p_least",
        "status = 'open' AND hours > p_least",
        file="ticket",
    ),
    Mutant(
        "a batch of handed-in items is one too long",
        "p_range.next_item + v_batch.count - 1\n    );\n    v_batch.items := v_batch.given;",
        "p_range.next_item + v_batch.count\n    );\n    v_batch.items := v_batch.given;\n"
        "    v_batch.tried := jsonb_array_length(v_batch.given);",
        ("stock",),
    ),
    Mutant(
        "a batch of items is one too short",
        "CASE WHEN v_by_range THEN 1 ELSE v_batch.count END;",
        "CASE WHEN v_by_range THEN 1 ELSE v_batch.count + 1 END;",
        ("stock", "account"),
    ),
    Mutant(
        "the last batch is lost",
        "v_range.done := v_range.next_item > p_range.item_count;",
        "v_range.done := v_range.next_item >= p_range.item_count;",
        _ALL,
    ),
    Mutant("batch_size of the call is ignored", "v_operation.batch_size := ", "PERFORM "),
    Mutant("max_records of the call is ignored", "v_operation.max_records := ", "PERFORM "),
    Mutant(
        "max_records lets one more through",
        "IF p_found > p_operation.max_records THEN",
        "IF p_found > p_operation.max_records + 1 THEN",
    ),
    Mutant(
        "on_limit fail is taken for stop",
        "IF p_operation.on_limit = 'fail' THEN",
        "IF false THEN",
        ("stock",),
    ),
    Mutant("limit_reached is not told", "v_operation.limit_reached := true;", ""),
    Mutant(
        "error_handling of the call is ignored",
        "v_operation.error_handling := p_options ->> 'error_handling';",
        "",
    ),
    Mutant("unknown options are taken", "IF v_name <> ALL (v_known) THEN", "IF false THEN"),
    Mutant("context is lost", "v_operation.context := coalesce(p_options -> 'context', '{}');", ""),
    Mutant("priority is lost", "v_operation.priority := ", "PERFORM "),
    Mutant(
        "an error is swallowed",
        "v_range.error_count := v_range.error_count + v_failed;",
        "v_range.error_count := v_range.error_count;",
    ),
    Mutant(
        "written records are counted twice",
        "v_written := v_written + v_rows;",
        "v_written := v_written + 2 * v_rows;",
        _ALL,
    ),
    Mutant(
        "failed records are counted twice",
        "v_range.error_count := v_range.error_count + v_failed;",
        "v_range.error_count := v_range.error_count + 2 * v_failed;",
    ),
    Mutant(
        "what a batch skipped is not counted",
        "v_range.skipped_records := v_range.skipped_records + v_batch.count - v_written - v_failed;",
        "",
        ("account",),
    ),
    Mutant(
        "max_errors is ignored",
        "ELSIF v_operation.error_count > v_operation.max_errors THEN",
        "ELSIF false THEN",
    ),
    Mutant(
        "max_errors ends one error early",
        "ELSIF v_operation.error_count > v_operation.max_errors THEN",
        "ELSIF v_operation.error_count >= v_operation.max_errors THEN",
    ),
    Mutant(
        "a percentage is judged from the first record", "ELSIF v_visited >= 100\n", "ELSIF v_visited >= 1\n"
    ),
    Mutant(
        "a percentage of errors is ignored",
        "v_operation.error_count * 100 > v_operation.max_error_percent * v_visited",
        "false",
    ),
    Mutant(
        "the timeout is ignored",
        "v_began > least(v_operation.deadline, v_operation.step_deadline)",
        "v_began > v_operation.step_deadline",
    ),
    Mutant(
        "workers ignore the timeout",
        "IF clock_timestamp() > least(p_operation.deadline, p_operation.step_deadline) THEN",
        "IF clock_timestamp() > p_operation.step_deadline THEN",
    ),
    Mutant("dry run is committed", "RAISE EXCEPTION SQLSTATE 'P0B90';", "NULL;"),
    Mutant("dry run does not say so", "v_result.status := 'dry_run';", ""),
    Mutant("dry run loses the errors", "v_result.errors := p_errors;", ""),
    Mutant(
        "atomic keeps what was written",
        "IF p_dry_run IS NOT FALSE OR (v_operation.atomic AND v_operation.status <> 'completed') THEN",
        "IF p_dry_run IS NOT FALSE THEN",
        ("credit",),
    ),
    Mutant(
        "atomic loses its error rows",
        "FROM jsonb_populate_recordset(NULL::app.batch_operation_errors, p_errors) AS e;",
        "FROM jsonb_populate_recordset(NULL::app.batch_operation_errors, '[]') AS e;",
        ("credit",),
    ),
    Mutant(
        "a precondition is skipped",
        " IS NOT TRUE THEN\n        RAISE EXCEPTION USING\n            ERRCODE = 'P0B01'",
        " IS NOT TRUE AND false THEN\n        RAISE EXCEPTION USING\n            ERRCODE = 'P0B01'",
        file="ticket",
    ),
    Mutant(
        "confirmation is not asked for",
        "dry_run, confirm, options",
        "dry_run, true, options",
        file="ticket",
    ),
    Mutant(
        "a submitted call needs no confirmation",
        "IF v_definition.confirms AND p_confirm IS NOT TRUE THEN",
        "IF false THEN",
    ),
    Mutant(
        "a failed record is not recorded",
        "JOIN found ON found.place = told.place\n",
        "JOIN found ON found.place = told.place\n     WHERE false\n",
    ),
    Mutant(
        "the error row names the wrong key",
        "app.batch_key_object(p_step, 'slice.first')",
        "app.batch_key_object(p_step, '1')",
    ),
    Mutant("the error row names no constraint", "nullif(told.failure ->> 'constraint', ''),", "NULL,"),
    Mutant(
        "the error row names no column",
        "found.column_name,\n           nullif",
        "NULL,\n           nullif",
        ("stock",),
    ),
    Mutant(
        "records are numbered from 0",
        "ELSE p_range.first_item + p_range.next_item + p_place - 2",
        "ELSE p_range.first_item + p_range.next_item + p_place - 3",
        ("stock",),
    ),
    Mutant(
        "keys handed in twice are written twice",
        "SELECT DISTINCT ON (i.key) i.key",
        "SELECT i.key",
        ("account",),
    ),
    Mutant(
        "NULL among the keys is taken for one",
        "WHERE i.key IS DISTINCT FROM NULL\n",
        "WHERE true\n",
        ("account",),
    ),
    Mutant(
        "keys are not in order",
        "ORDER BY i.key, i.n\n",
        "ORDER BY i.key DESC, i.n\n",
        ("account",),
    ),
    Mutant(
        "records with one key are written one after the other",
        "WHERE counted.occurrence > 1",
        "WHERE false",
        ("stock",),
    ),
    Mutant(
        "the last of records with one key counts",
        "ORDER BY m.range_number, m.place) AS occurrence",
        "ORDER BY m.range_number, m.place DESC) AS occurrence",
        ("stock",),
    ),
    Mutant(
        "stop_on_error goes on",
        "WHEN 'stop_on_error' THEN 'stop' ELSE 'blame' END",
        "WHEN 'stop_on_error' THEN 'blame' ELSE 'blame' END",
        ("credit",),
    ),
    Mutant(
        "stop_on_error keeps its last batch",
        "IF v_search.probing THEN\n                v_undone := true;",
        "IF false THEN\n                v_undone := true;",
    ),
    Mutant(
        "stop_on_error ends as completed",
        "IF p_after.stopped_records > 0 THEN\n        v_operation.status := 'failed';",
        "IF p_after.stopped_records > 0 THEN\n        v_operation.status := 'completed';",
    ),
    Mutant(
        "errors end as completed",
        "WHEN v_operation.error_count > 0 OR v_steps IS NOT NULL THEN 'completed_with_errors'",
        "WHEN false THEN 'completed_with_errors'",
    ),
    Mutant(
        "what was not tried is not counted",
        "v_operation.skipped_records := v_operation.skipped_records + v_untried;",
        "",
    ),
    Mutant(
        "collect_errors collects nothing",
        "CASE WHEN p_operation.collect_errors THEN",
        "CASE WHEN false THEN",
    ),
    Mutant(
        "errors are collected in no order",
        "ORDER BY s.step_number, e.record_number, e.error_id",
        "ORDER BY s.step_number, e.record_number DESC, e.error_id DESC",
        ("stock",),
    ),
    Mutant(
        "output comes in the wrong order",
        "o.batch_number END, o.record_number, o.place;",
        "o.batch_number END, o.record_number DESC, o.place;",
        ("ticket", "account"),
    ),
    Mutant(
        "output keeps another record",
        "WHERE o.operation_id = batch_output.operation_id",
        "WHERE true",
    ),
    Mutant(
        "the operation's log row is missing", "IF v_operation.logging_level <> 'none' THEN", "IF false THEN"
    ),
    Mutant("log rows of batches are missing", "IF v_operation.logging_level = 'detailed'\n", "IF false\n"),
    Mutant(
        "log rows of failing batches are missing",
        "OR (v_operation.logging_level = 'basic' AND v_failed > 0) THEN",
        "OR false THEN",
        ("account",),
    ),
    Mutant("metrics are missing", "PERFORM app.batch_measure(v_operation);", "NULL;"),
    Mutant("a metric is another's", "('errors', $4::numeric)", "('errors', $5::numeric + 1)"),
    Mutant(
        "the durations of batches are missing",
        "VALUES (v_operation.operation_id, v_number, clock_timestamp() - p_began);",
        "SELECT v_operation.operation_id, v_number, clock_timestamp() - p_began WHERE false;",
    ),
    Mutant(
        "an idempotency key is ignored", "v_operation.idempotency_key := p_options ->> 'idempotency_key';", ""
    ),
    Mutant("exclusive lets two run", "IF v_operation.exclusive THEN", "IF false THEN"),
    Mutant(
        "workers wait for each other's range",
        "FOR NO KEY UPDATE SKIP LOCKED;\n        -- Read again",
        "FOR NO KEY UPDATE;\n        -- Read again",
    ),
    Mutant("two workers claim one range", "LIMIT 1\n           FOR NO KEY UPDATE SKIP LOCKED;", "LIMIT 1;"),
    Mutant(
        "an operation is finished while a worker is at it",
        "IF FOUND AND NOT (v_overdue AND app.batch_is_late(v_operation)) THEN\n            -- Others are at the last ranges",
        "IF false THEN\n            -- Others are at the last ranges",
    ),
    Mutant("a range is never marked done", "done = v_range.done,", "done = false,"),
    Mutant("a worker forgets the cursor", "next_item = v_range.next_item,", "next_item = r.next_item,"),
    Mutant(
        "a finished operation's counts are not stored",
        "processed_records = v_operation.processed_records,\n",
        "",
        _ALL,
    ),
    Mutant(
        "a resumed operation stays timed out",
        "o.status IN ('timed_out', 'cancelled')",
        "o.status IN ('cancelled')",
    ),
    Mutant(
        "an upsert leaves a known row as it is",
        "amount = excluded.amount",
        "amount = stock.amount",
        ("stock",),
        "stock",
    ),
    Mutant(
        "progress is told before it is made",
        "p_operation.processed_records + p_operation.skipped_records + p_operation.error_count,\n"
        "        p_operation.total_records",
        "0,\n        p_operation.total_records",
    ),
    Mutant(
        "an end leaves no message", "FROM unnest(p_operation.notify_channels)", "FROM unnest(NULL::text[])"
    ),
    Mutant(
        "a message's fields are left as they are",
        "THEN p_fields ->> trim('{}' FROM found.piece[1])",
        "THEN found.piece[1]",
    ),
    Mutant("braces stay doubled", "THEN left(found.piece[1], 1)", "THEN found.piece[1]"),
    Mutant("nobody is told of the end", "PERFORM pg_notify('batch_completed', v_payload::text);", "NULL;"),
    Mutant(
        "progress is announced with every batch", "SET notified_records = v_done", "SET notified_records = 0"
    ),
    Mutant(
        "progress is never announced",
        "AND v_done / v_interval > o.notified_records / v_interval",
        "AND false",
    ),
)

MUTANTS = (*_OF_ONE_STEP, *steps.MUTANTS)

SMOKE = (
    "the last batch is lost",
    "written records are counted twice",
    "dry run is committed",
    "the error row names the wrong key",
    "the condition is dropped",
    "a function is called with the whole list",
)
"""Those that every CI run tries."""
