"""Workers: how many do a submitted operation, in which batches, and when one of them has failed too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.spec.model import Workers
from specgen.spec.policies import read_interval

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.policies import Getter

DEFAULT_WORKERS = 4


def read_workers(get: Getter, own: Getter, findings: Findings) -> Workers:
    """Read the keys of section 8 of the language, and those of 5 and 7 that speak of workers.

    Args:
        get: The operation's keys, the project's defaults among them.
        own: Those of the operation itself; a default speaks only to the operations that it suits.
        findings: Gets what is wrong.
    """
    parallel = get("parallel")
    is_parallel = parallel is not None and parallel.value is True
    found = Workers(
        parallel=is_parallel,
        max_workers=_max_workers(parallel, get("max_workers")),
        batch_size=_number(get("worker_batch_size")) if is_parallel else None,
        max_errors=_number(get("max_errors_per_worker")),
        heartbeat_ms=read_interval(get("heartbeat_interval"), findings),
    )
    if not is_parallel:
        _refuse_without_parallel(own, findings)
    atomic = get("atomic")
    if atomic is not None and atomic.value is True:
        _refuse_with_atomic(own, findings)
    return found


def _max_workers(parallel: Node | None, given: Node | None) -> int | None:
    if parallel is None:
        return None
    if parallel.value is False:
        return 1
    return DEFAULT_WORKERS if given is None else _number(given)


def _number(node: Node | None) -> int | None:
    return None if node is None else int(node.value)


def _refuse_without_parallel(own: Getter, findings: Findings) -> None:
    for key in ("max_workers", "worker_batch_size"):
        node = own(key)
        if node is not None:
            message = f"{key} only says something with parallel: true"
            findings.error("wrong-mix", node.key_span, message, "add parallel: true, or remove it")


def _refuse_with_atomic(own: Getter, findings: Findings) -> None:
    """Report what only speaks of workers: an atomic operation is one call, so it has none."""
    for key in ("parallel", "heartbeat_interval"):
        node = own(key)
        if node is not None and node.value is not False:
            message = f"an atomic operation is one transaction, so {key} says nothing"
            findings.error("wrong-mix", node.key_span, message, f"remove {key} or atomic")
