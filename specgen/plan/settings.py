"""The settings of an operation as its row in ``batch_operations`` will hold them.

What a spec does not say is left out: the runtime's ``batch_default_settings`` has it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident
from specgen.spec.model import ParallelRuns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.spec.model import BatchOperation, Step

LOG_TABLE = "batch_operation_logs"
METRICS_TABLE = "batch_performance_metrics"
DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "batch_size": 1000,
        "on_limit": "stop",
        "error_handling": "continue_on_error",
        "error_isolation": "record",
        "max_attempts": 3,
        "backoff": "100 ms",
        "logging_level": "basic",
        "atomic": False,
        "exclusive": False,
        "progress_tracking": False,
        "collect_metrics": False,
        "notify_on_completion": False,
        "parallel": False,
        "skip_invalid_rows": False,
    }
)
"""What the runtime takes where nothing is said; a test holds the two together."""
OF_STEPS = (
    "batch_size", "max_records", "on_limit", "lock_timeout", "statement_timeout", "step_timeout",
    "error_handling", "error_isolation", "max_errors", "max_error_percent", "max_attempts", "backoff",
    "logging_level", "skip_invalid_rows", "kept",
)  # fmt: skip
"""What may differ from step to step."""


def settings_of(
    operation: BatchOperation, runtime: str, kept: tuple[str, ...] | None = None
) -> dict[str, object]:
    """Return column → value; what is not said here has the column's default meaning, NULL.

    Args:
        operation: What the spec says.
        runtime: The schema of the runtime's tables.
        kept: Of an operation that is one step, the columns that are kept, if any are.
    """
    limits, reporting = operation.limits, operation.reporting
    notifications = operation.notifications
    workers = operation.workers
    settings: dict[str, object] = {
        **_work_settings(operation, kept),
        "timeout": _interval(limits.timeout_ms),
        "atomic": limits.atomic,
        "exclusive": limits.parallel_runs is ParallelRuns.EXCLUSIVE,
        "progress_tracking": reporting.progress_tracking,
        "collect_metrics": reporting.collect_metrics,
        "log_table": _table(runtime, reporting.log_table, LOG_TABLE),
        "metrics_table": _table(runtime, reporting.metrics_table, METRICS_TABLE),
        "notify_interval": notifications.interval,
        "notify_on_completion": notifications.on_completion,
        "notification_message": notifications.message,
        "notify_channels": list(notifications.channels) or None,
        "parallel": workers.parallel,
        "max_workers": workers.max_workers,
        "worker_batch_size": workers.batch_size,
        "max_errors_per_worker": workers.max_errors,
        "heartbeat_interval": _interval(workers.heartbeat_ms),
    }
    return _said(settings)


def said_of(settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of an operation, or a step, with those that its spec does not say."""
    return {**DEFAULTS, **settings}


def step_settings(step: Step, kept: tuple[str, ...] | None) -> dict[str, object]:
    """Return what a step lays over its operation's settings.

    Args:
        step: What the spec says.
        kept: The columns of what it writes or reads that are kept, if any are.
    """
    settings = _work_settings(step.operation, kept) | {"step_timeout": _interval(step.timeout_ms)}
    return _said(settings)


def _work_settings(operation: BatchOperation, kept: tuple[str, ...] | None) -> dict[str, object]:
    """Return what may differ from step to step; no column is named of what a function returns."""
    limits, errors = operation.limits, operation.errors
    return {
        "batch_size": limits.batch_size,
        "max_records": limits.max_records,
        "on_limit": str(limits.on_limit),
        "lock_timeout": _interval(limits.lock_timeout_ms),
        "statement_timeout": _interval(limits.statement_timeout_ms),
        "error_handling": str(errors.handling),
        "error_isolation": str(errors.isolation),
        "max_errors": errors.max_errors.count,
        "max_error_percent": errors.max_errors.percent,
        "max_attempts": errors.retry.max_attempts,
        "backoff": _interval(errors.retry.backoff_ms),
        "logging_level": str(operation.reporting.logging_level),
        "skip_invalid_rows": operation.validation.skip_invalid,
        "kept": None if kept is None else list(kept),
    }


def _said(settings: dict[str, object]) -> dict[str, object]:
    return {
        name: value for name, value in settings.items() if value is not None and value != DEFAULTS.get(name)
    }


def _interval(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds} ms"


def _table(runtime: str, name: str | None, standard: str) -> str | None:
    return None if name in (None, standard) else f"{ident(runtime)}.{ident(str(name))}"
