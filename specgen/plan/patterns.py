"""The registry of patterns: what a pattern's name means, in one place.

A second pattern is one more entry here, with its planner and its template.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from specgen.plan.operation import plan_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specgen.diagnostics import Findings
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation, Entity, Settings


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a pattern is planned, and the template that prints the plan."""

    plan: Callable[[BatchOperation, Entity, Settings, Findings], PlannedOperation]
    template: str


PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {"batch_operations": Pattern(plan_operation, "operation/operation.sql.j2")}
)
