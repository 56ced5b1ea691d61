"""An operation as the runtime's catalogue has it: what the engine needs to know to carry it out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, assert_never

from specgen.plan.driving import Keys, Output, Query, Records, Relation, Rows, Single
from specgen.plan.settings import OF_STEPS, said_of
from specgen.plan.sqltext import ident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.plan.driving import Driving, RecordShape, WalkedKey
    from specgen.plan.naming import QualifiedName
    from specgen.plan.parts import Routine
    from specgen.plan.planned import PlannedOperation, PlannedStep


@dataclass(frozen=True, slots=True)
class Definition:
    """What ``batch_define`` is told of an operation.

    Attributes:
        operation: The columns of its row in ``batch_definitions``.
        steps: Those of the rows of its steps in ``batch_step_definitions``.
        digest: Tells whether what is executed is this, whichever file it came from.
    """

    operation: dict[str, object]
    steps: tuple[dict[str, object], ...]
    digest: str


def definition_of(op: PlannedOperation) -> Definition:
    """Return what the engine needs to know of an operation; what is false, empty or NULL is left out."""
    steps = tuple(_step(step, op) for step in op.steps)
    what = {
        "entity": op.entity,
        "confirms": op.requires_confirmation or None,
        "search_path": ", ".join(op.body.search_path),
        "parameters": list(_parameters(op)),
        "check": _function(op.check.routine) if op.check else None,
        "settings": op.settings or None,
    }
    digest = sha256(json.dumps([what, *steps]).encode()).hexdigest()[:8]
    operation = _said(
        {
            "schema_name": op.call.schema,
            "operation": op.name,
            "contract": op.contract,
            "digest": digest,
            "file": op.origin.rpartition(":")[0],
            "called": list(op.called),
            "signature": op.signature,
            "functions": list(op.executed),
            **what,
        }
    )
    return Definition(operation, steps, digest)


def _parameters(op: PlannedOperation) -> Iterator[dict[str, object]]:
    fields = {parameter.name: list(names) for parameter, names in op.handed_in_records}
    of_all = (op.parameters, *(step.parameters for step in op.steps))
    found = {item.name: item for parameters in of_all for item in parameters}
    for item in found.values():
        told: dict[str, object] = {"name": item.name, "type": item.type}
        if item.output:
            told |= {
                "step_number": item.output.step_number,
                "column": item.output.column,
                "element": item.output.element,
            }
            yield told | ({"own": True} if item.is_own else {})
            continue
        if item.kept_as_text:
            told["text"] = True
        if item.name in op.moving:
            told["moves"] = True
        if item == op.input:
            told["input"] = "records" if op.records else "keys"
        if item.name in fields:
            told["fields"] = fields[item.name]
        yield told


def _step(step: PlannedStep, op: PlannedOperation) -> dict[str, object]:
    return _said(
        {
            "step": step.name,
            "type": step.type,
            "depends_on": list(step.depends_on),
            "target_table": _qualified(step.table),
            "search_path": ", ".join(step.body.search_path),
            "drives": step.driving.kind,
            **_goes_through(step.driving, op),
            **_tells_apart(step),
            "validates": step.validates or None,
            "invalid": _function(step.rules.routine) if step.rules else None,
            "suspects": _function(step.suspects.routine) if step.suspects else None,
            "write": _function(step.routine),
            "keeps": step.keeps or None,
            "many": (step.shape is not None and step.shape.meets_many) or None,
            "blames_batches": step.blames_batches or None,
            "settings": _differing(step, op),
        }
    )


def _goes_through(driving: Driving, op: PlannedOperation) -> dict[str, object]:
    match driving:
        case Rows(key, listing, between):
            return _of_key(key) | {"source": _function(listing), "between": _function(between)}
        case Keys(key, parameter, matching):
            of_keys = _of_key(key) | ({} if parameter == op.input else {"list": parameter.name})
            return of_keys | ({"matching": _function(matching)} if matching else {})
        case Records(shape):
            return _of_records(shape)
        case Relation(shape, reads):
            return _read(reads) | _of_records(shape)
        case Single():
            return {}
        case _:
            assert_never(driving)


def _read(reads: Query | Output) -> dict[str, object]:
    match reads:
        case Query(routine=routine, same_columns=same):
            return {"source": _function(routine)} | ({"same_columns": True} if same else {})
        case Output(step_number=number):
            return {"reads_step": number, "same_columns": True}
        case _:
            assert_never(reads)


def _of_key(key: WalkedKey) -> dict[str, object]:
    return {
        "key_columns": [item.column for item in key.columns],
        "key_types": [item.type for item in key.columns],
        "bound_types": [item.bound_type for item in key.columns],
    }


def _of_records(shape: RecordShape) -> dict[str, object]:
    return {
        "record_fields": [item.name for item in shape.fields],
        "record_types": [item.type for item in shape.fields],
        "record_key": list(shape.key_fields),
    }


def _tells_apart(step: PlannedStep) -> dict[str, object]:
    found: dict[str, object] = {}
    if step.key:
        found |= {
            "unique_use": step.key.use,
            "unique_columns": list(step.key.columns),
            "unique_types": list(step.key.types),
        }
        if any(step.key.modifiers):
            found["unique_modifiers"] = list(step.key.modifiers)
    if step.identity:
        found |= {
            "identity": _function(step.identity.routine),
            "identity_columns": list(step.identity.key.columns),
            "identity_types": list(step.identity.key.types),
        }
    return found


def _differing(step: PlannedStep, op: PlannedOperation) -> dict[str, object]:
    """Return what the step has otherwise than its operation; what it has not is NULL."""
    own, whole = said_of(step.settings), said_of(op.settings)
    return {name: own.get(name) for name in OF_STEPS if own.get(name) != whole.get(name)}


def _function(routine: Routine) -> dict[str, object]:
    return {
        "function": _qualified(routine.name),
        "parameters": {item.name: item.parameter for item in routine.arguments if item.parameter is not None},
    }


def _qualified(name: QualifiedName) -> str:
    return f"{ident(name.schema)}.{ident(name.name)}"


def _said(columns: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in columns.items() if value is not None and value != []}
