"""The types that PostgreSQL does not bring: extensions' and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan.driving import Keys, Records, Relation, Rows, Single
from specgen.spec.types import element_type, is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.plan.planned import PlannedOperation
    from specgen.plan.project import Plan
    from specgen.spec.model import Entity


def own_types(plan: Plan) -> frozenset[str]:
    """Return the types of values in a plan's functions that PostgreSQL does not bring, without brackets."""
    return frozenset(name for entity in plan.entities for name in _own(entity.operations))


def looked_up(entity: Entity, operations: tuple[PlannedOperation, ...]) -> bool:
    """Whether an entity's file names types without their schema that PostgreSQL does not bring."""
    columns = (item.type.base for item in entity.fields) if entity.managed else ()
    return any("." not in name for name in (*filter(is_own, columns), *_own(operations)))


def _own(operations: tuple[PlannedOperation, ...]) -> Iterator[str]:
    for operation in operations:
        for kind in _types(operation):
            if is_own(kind):
                yield element_type(kind)


def _types(operation: PlannedOperation) -> Iterator[str]:
    yield from (item.type for item in operation.parameters)
    for step in operation.steps:
        yield from (item.type for item in step.parameters)
        yield from (item.output.element for item in step.parameters if item.output)
        yield from (item.type for item in step.fields)
        match step.driving:
            case Rows(key=key) | Keys(key=key):
                yield from (item.type for item in key.columns)
            case Records() | Relation() | Single():
                pass
