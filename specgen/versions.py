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
        "batch_broken_rule",
        "batch_call",
        "batch_default",
        "batch_default_expression",
        "batch_define",
        "batch_replace",
        "batch_submit",
        "batch_text",
        "batch_texts",
    }
)
"""Called by generated code; a change of meaning or signature needs a new name, with a number.

What the objects that ``batch_define`` and ``batch_replace`` take may have belongs to it.

An upgrade meets functions that were generated before it, those of other projects too: they go on, or are
refused. So the step that does without one of these lets it say so, by ``gone`` of ``_macros/upgrade.sql.j2``.
"""

NAMED = frozenset(
    {
        "batch_operation_logs",
        "batch_operation_result",
        "batch_performance_metrics",
        "batch_written",
    }
)
"""Tables and types that generated code names. Columns may be added at their end; nothing else may change."""
