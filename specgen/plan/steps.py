"""From a whole operation to its plan: by itself, or step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from specgen.plan.contract import bound
from specgen.plan.functions import functions_of, quote_of
from specgen.plan.operation import plan_operation
from specgen.plan.parameters import typed_parameters
from specgen.plan.planned import PlannedStep
from specgen.plan.settings import settings_of, step_settings
from specgen.spec.model import ListRows, RelationSource

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.plan.parameters import Part, TypedParameter
    from specgen.plan.parts import PlannedParameter
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import BatchOperation, Project, Step


def plan_whole(operation: BatchOperation, project: Project, findings: Findings) -> PlannedOperation:
    """Decide everything about one operation.

    Args:
        operation: A valid operation.
        project: The project, for its entities and settings.
        findings: Gets parameters whose types cannot be told, and the like.
    """
    target = project.entity(operation.entity)
    parts: list[Part] = [(step.operation, project.entity(step.operation.entity)) for step in operation.steps]
    parameters = typed_parameters(operation, (*parts, (operation, target)), findings)
    planned = plan_operation(operation, target, project.settings, parameters)
    if not operation.steps:
        return bound(planned)
    numbers = {step.name: number for number, step in enumerate(operation.steps, 1)}
    steps = tuple(_step(step, numbers, project, parameters) for step in operation.steps)
    stepped = replace(planned, steps=steps, functions=(), quote="")
    stepped = replace(stepped, handed_in_records=_handed_in_records(operation, stepped))
    stepped = replace(stepped, settings=settings_of(operation, stepped))
    stepped = replace(stepped, functions=functions_of(stepped), quote=quote_of(replace(stepped, steps=())))
    return bound(stepped)


def _handed_in_records(
    operation: BatchOperation, planned: PlannedOperation
) -> tuple[tuple[PlannedParameter, tuple[str, ...]], ...]:
    """Return what steps read of records that are handed in; nothing of those that one of them takes whole."""
    fields: dict[str, set[str]] = {}
    whole: set[str] = set()
    for step, planned_step in zip(operation.steps, planned.steps, strict=True):
        match step.operation.source:
            case RelationSource(relation=ListRows(parameter, records=True)):
                names = {field.name for field in planned_step.operation.item_fields}
                fields.setdefault(parameter, set()).update(names)
                if not names:
                    whole.add(parameter)
            case _:
                pass
    return tuple(
        (parameter, tuple(sorted(fields[parameter.name])))
        for parameter in planned.parameters
        if parameter.name in fields and parameter.name not in whole
    )


def _step(
    step: Step, numbers: dict[str, int], project: Project, parameters: tuple[TypedParameter, ...]
) -> PlannedStep:
    target = project.entity(step.operation.entity)
    planned = plan_operation(step.operation, target, project.settings, parameters, numbers)
    planned = replace(planned, keeps_output=step.kept, quote="")
    planned = replace(planned, settings=step_settings(step, planned))
    planned = replace(planned, functions=functions_of(planned))
    return PlannedStep(
        name=step.name,
        number=numbers[step.name],
        depends_on=tuple(sorted(numbers[name] for name in step.depends_on)),
        waits_for=step.depends_on,
        operation=replace(planned, quote=quote_of(planned)),
        kept=step.kept,
    )
