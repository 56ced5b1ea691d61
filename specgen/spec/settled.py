"""What an operation or a step says, and what holds for it besides: defaults, the whole operation's keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specgen.spec.model import OperationType
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.entities import Catalog, Draft

_DATA_KEYS = {
    "update_data": OperationType.UPDATE,
    "insert_data": OperationType.INSERT,
    "upsert_data": OperationType.UPSERT,
    "select_fields": OperationType.SELECT,
    "function": OperationType.CUSTOM_FUNCTION,
}

INHERITED = frozenset(
    (
        "target_entity",
        "batch_size",
        "max_records",
        "on_limit",
        "lock_timeout",
        "statement_timeout",
        "error_handling",
        "max_errors",
        "error_isolation",
        "retry",
        "logging_level",
    )
)
"""What an operation says for all its steps."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An operation's keys: its own, and the project's defaults for those it does not give.

    Attributes:
        outer: The keys of the operation that a step belongs to, which hold for the step too.
    """

    own: Node
    defaults: Node | None
    outer: Settled | None = None

    def get(self, key: str) -> Node | None:
        """Return the value of a key, if it has one."""
        found = self.own.get(key)
        if found is None and self.outer is not None:
            return self.outer.get(key) if key in INHERITED else None
        if found is None and self.defaults is not None:
            found = self.defaults.get(key)
        return found

    def plain(self, key: str, default: Any = None) -> Any:
        """Return the plain value of a key."""
        found = self.get(key)
        return default if found is None else found.value


def find_target(
    keys: Settled, home: Draft, catalog: Catalog, broken: frozenset[str], findings: Findings
) -> Draft | None:
    """Return the entity that an operation or a step works on; one that is not there is reported."""
    node = keys.get("target_entity")
    if node is None:
        return home
    if node.value in catalog:
        target = catalog[node.value]
        if not target.primary_key and target is not home:
            message = f'"{target.name}" has no key to go through its rows by'
            findings.error("no-primary-key", node.span, message, "give it a primary_key")
        return target
    if node.value not in broken:
        near = did_you_mean(node.value, catalog) or f"known entities: {', '.join(catalog)}"
        findings.error("unknown-entity", node.span, f'there is no entity "{node.value}"', near)
    return None


def type_of(keys: Settled) -> OperationType:
    """Return what an operation or a step does: what it says, or what its data says."""
    if keys.own.get("steps"):
        return OperationType.STEPS
    said = keys.plain("operation_type")
    if said is not None:
        return OperationType(said)
    given = (kind for key, kind in _DATA_KEYS.items() if keys.get(key))
    return next(given, OperationType.INSERT)  # what a file is for, where nothing else is said
