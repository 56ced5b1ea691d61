"""The registry of patterns: what a pattern's name means, in one place.

A second pattern is one more entry here, with its planner and its template.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from specgen.plan.steps import plan_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specgen.diagnostics import Findings
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation, Project


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a pattern is planned, and the template that prints the plan."""

    plan: Callable[[BatchOperation, Project, Findings], PlannedOperation]
    template: str


PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {"batch_operations": Pattern(plan_whole, "operation/operation.sql.j2")}
)
