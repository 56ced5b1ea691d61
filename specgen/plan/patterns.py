"""The registry of patterns: what a pattern's name means, in one place.

A second pattern is one more entry here, with its planner and its template, and its schema in
:mod:`specgen.spec.patterns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from specgen.plan.definition import definition_of
from specgen.plan.operation import plan_operation
from specgen.spec.patterns import BATCH_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specgen.diagnostics import Findings
    from specgen.plan.definition import Definition
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation, Project


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a pattern is planned, what the catalogue is told of it, and the template that prints both."""

    plan: Callable[[BatchOperation, Project, Findings], PlannedOperation]
    define: Callable[[PlannedOperation], Definition]
    template: str


PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {BATCH_OPERATIONS: Pattern(plan_operation, definition_of, "operation/operation.sql.j2")}
)
