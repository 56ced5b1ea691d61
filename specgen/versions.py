"""The versions of the runtime, the objects in a database that all operations share.

A released version never changes again. What changes the runtime after that is a new version: the number here,
and a step to it in ``templates/runtime/migrations``; see "Versions of the runtime" in CONTRIBUTING.md.
"""

from __future__ import annotations

RUNTIME = 2
"""The version that this specgen makes, works with, and upgrades all earlier ones to."""

DEPLOYMENT_LOCK = int.from_bytes(b"specgen", "big")
"""The advisory lock that whoever deploys takes, with a file as with the program. Any number would do."""

CALLED = frozenset(
    {
        "batch_account_undone",
        "batch_canonical",
        "batch_doubt",
        "batch_drop_changed",
        "batch_dry_run_result",
        "batch_enter",
        "batch_enter_step",
        "batch_errors",
        "batch_failed_records",
        "batch_find",
        "batch_finish",
        "batch_is_records_fault",
        "batch_judge",
        "batch_key_ranges",
        "batch_limit",
        "batch_list",
        "batch_planner",
        "batch_prepare",
        "batch_recalled",
        "batch_record_errors",
        "batch_record_number",
        "batch_refuse_changed",
        "batch_refuse_fields",
        "batch_refused",
        "batch_repeated",
        "batch_repeated_failure",
        "batch_require_fields",
        "batch_require_key",
        "batch_result",
        "batch_sample_pairs",
        "batch_search",
        "batch_search_failed",
        "batch_search_next",
        "batch_search_singly",
        "batch_shorten",
        "batch_slice",
        "batch_start",
        "batch_step",
        "batch_sum",
        "batch_tally",
        "batch_unreadable",
        "batch_unreadable_places",
    }
)
"""Called by generated code; a change of meaning or signature needs a new name, with a number.

An upgrade meets functions that were generated before it, those of other projects too: they go on, or are
refused. So the step that does without one of these lets it say so, by ``gone`` of ``_macros/upgrade.sql.j2``.
"""

NAMED = frozenset(
    {
        "batch_operation_logs",
        "batch_operation_result",
        "batch_operations",
        "batch_outputs",
        "batch_performance_metrics",
        "batch_progress",
        "batch_ranges",
        "batch_search",
        "batch_steps",
    }
)
"""Tables and types that generated code names. Columns may be added at their end; nothing else may change."""
