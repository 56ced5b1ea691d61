"""Limits, error handling and reporting: the keys of an operation that are plain settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specgen.spec.intervals import MAX_MS, parse_interval
from specgen.spec.model import (
    ErrorHandling,
    ErrorIsolation,
    ErrorPolicy,
    Limits,
    LoggingLevel,
    MaxErrors,
    OnLimit,
    ParallelRuns,
    Reporting,
    Retry,
)
from specgen.spec.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node

    Getter = Callable[[str], Node | None]


def read_limits(get: Getter, findings: Findings) -> Limits:
    """Read the keys of section 4 of the language."""
    max_records = _plain(get, "max_records", None)
    on_limit = get("on_limit")
    if on_limit is not None and max_records is None:
        message = "on_limit only says something with max_records"
        findings.error("wrong-mix", on_limit.key_span, message, "add max_records, or remove it")
    return Limits(
        batch_size=int(_plain(get, "batch_size", 1000)),
        max_records=None if max_records is None else int(max_records),
        on_limit=OnLimit(_plain(get, "on_limit", OnLimit.STOP)),
        timeout_ms=read_interval(get("timeout"), findings),
        lock_timeout_ms=read_interval(get("lock_timeout"), findings),
        statement_timeout_ms=read_interval(get("statement_timeout"), findings),
        requires_confirmation=_plain(get, "requires_confirmation", default=False),
        parallel_runs=ParallelRuns(_plain(get, "parallel_runs", ParallelRuns.ALLOW)),
        atomic=_plain(get, "atomic", default=False),
    )


def read_errors(get: Getter, findings: Findings) -> ErrorPolicy:
    """Read the keys of section 5 of the language."""
    return ErrorPolicy(
        handling=ErrorHandling(_plain(get, "error_handling", ErrorHandling.CONTINUE_ON_ERROR)),
        isolation=ErrorIsolation(_plain(get, "error_isolation", ErrorIsolation.RECORD)),
        max_errors=_max_errors(get("max_errors")),
        retry=_retry(get("retry"), findings),
    )


def read_reporting(own: Getter, get: Getter, findings: Findings) -> Reporting:
    """Read the keys of section 7 of the language.

    Args:
        own: The operation's own keys: what the project gives as a default is no mistake elsewhere.
        get: Its keys, the project's defaults included.
        findings: Gets what is wrong.
    """
    for key in ("log_table", "metrics_table"):
        node = get(key)
        if node is not None:
            check_name(node.value, node.span, key, findings)
    logs, measured = own("log_table"), own("metrics_table")
    if logs is not None and _plain(get, "logging_level", None) == LoggingLevel.NONE:
        message = "logging_level: none writes no log, so log_table says nothing"
        findings.error("wrong-mix", logs.key_span, message, "remove one of them")
    if measured is not None and not _plain(get, "collect_metrics", default=False):
        message = "metrics_table only says something with collect_metrics: true"
        findings.error("wrong-mix", measured.key_span, message, "add collect_metrics: true, or remove it")
    return Reporting(
        progress_tracking=_plain(get, "progress_tracking", default=False),
        logging_level=LoggingLevel(_plain(get, "logging_level", LoggingLevel.BASIC)),
        log_table=_plain(get, "log_table", None),
        metrics_table=_plain(get, "metrics_table", None),
        collect_metrics=_plain(get, "collect_metrics", default=False),
    )


def read_grants(get: Getter, findings: Findings) -> tuple[str, ...]:
    """Read the roles that may execute an operation."""
    node = get("grants")
    if node is None:
        return ()
    return tuple(
        item.value for item in node.each() if check_name(item.value, item.span, "role name", findings)
    )


def read_interval(node: Node | None, findings: Findings, *, zero: bool = False) -> int | None:
    """Return a span of time in milliseconds."""
    if node is None:
        return None
    found = parse_interval(node.value)
    if found is None:
        message = f'"{node.value}" is not a span of time'
        findings.error(
            "bad-interval", node.span, message, 'write it as "30 minutes", "10 seconds", "100ms" or "1h"'
        )
    elif found == 0 and not zero:
        findings.error("bad-interval", node.span, f'"{node.value}" is no time at all', "give at least 1ms")
    elif found > MAX_MS:
        findings.error("bad-interval", node.span, f'"{node.value}" is too long', "at most 24 days")
    return found


def _plain(get: Getter, key: str, default: Any) -> Any:
    node = get(key)
    return default if node is None else node.value


def _max_errors(node: Node | None) -> MaxErrors:
    if node is None:
        return MaxErrors()
    if isinstance(node.value, str):
        return MaxErrors(percent=float(node.value.rstrip().removesuffix("%")))
    return MaxErrors(count=int(node.value))


def _retry(node: Node | None, findings: Findings) -> Retry:
    standard = Retry()
    if node is None:
        return standard
    backoff = read_interval(node.get("backoff"), findings, zero=True)
    return Retry(
        max_attempts=int(node.value.get("max_attempts", standard.max_attempts)),
        backoff_ms=standard.backoff_ms if backoff is None else backoff,
    )
