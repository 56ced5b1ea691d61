"""The settings of an operation as its row in ``batch_operations`` will hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident
from specgen.spec.model import ParallelRuns

if TYPE_CHECKING:
    from specgen.plan.naming import QualifiedName
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation, Step

LOG_TABLE = "batch_operation_logs"
METRICS_TABLE = "batch_performance_metrics"


def settings_of(operation: BatchOperation, planned: PlannedOperation) -> dict[str, object]:
    """Return column → value; what is not said here has the column's default meaning, NULL."""
    limits, reporting = operation.limits, operation.reporting
    notifications = operation.notifications
    workers = operation.workers
    settings: dict[str, object] = {
        "operation": operation.name,
        "entity": planned.entity,
        **_work_settings(operation, planned),
        "timeout": _interval(limits.timeout_ms),
        "atomic": limits.atomic,
        "exclusive": limits.parallel_runs is ParallelRuns.EXCLUSIVE,
        "progress_tracking": reporting.progress_tracking,
        "collect_metrics": reporting.collect_metrics,
        "log_table": _table(planned.runtime, reporting.log_table, LOG_TABLE),
        "metrics_table": _table(planned.runtime, reporting.metrics_table, METRICS_TABLE),
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


def step_settings(step: Step, planned: PlannedOperation) -> dict[str, object]:
    """Return what a step lays over its operation's settings."""
    settings = _work_settings(step.operation, planned) | {"step_timeout": _interval(step.timeout_ms)}
    return _said(settings)


def _work_settings(operation: BatchOperation, planned: PlannedOperation) -> dict[str, object]:
    """Return what may differ from step to step."""
    limits, errors = operation.limits, operation.errors
    settings: dict[str, object] = {
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
    }
    if planned.steps:
        return settings
    loads = planned.loads and bool(planned.identity)
    return {
        "target_table": _qualified(planned.table),
        "batch_function": _qualified(planned.batch),
        "validate_call": _validate_call(planned) if planned.validates else None,
        "repeated_function": _qualified(planned.repeated) if loads else None,
        "skip_invalid_rows": operation.validation.skip_invalid if planned.validates else None,
        "kept": _kept(planned),
        **settings,
    }


def _kept(planned: PlannedOperation) -> list[str] | None:
    """Return the columns of the records that are kept; none are named of what a function returns."""
    if planned.call_function is not None:
        return [] if planned.keeps_output else None
    return list(planned.returning) or None


def _validate_call(planned: PlannedOperation) -> str:
    """Return the call that judges records: $1 is the operation's row, $2 the records."""
    return f"{_qualified(planned.validate)}({'$1, ' if planned.rule_parameters else ''}$2)"


def _qualified(name: QualifiedName) -> str:
    return f"{ident(name.schema)}.{ident(name.name)}"


def _said(settings: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


def _interval(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds} ms"


def _table(runtime: str, name: str | None, standard: str) -> str | None:
    return None if name in (None, standard) else f"{ident(runtime)}.{ident(str(name))}"
