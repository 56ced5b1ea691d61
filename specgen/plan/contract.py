"""What an operation's functions read of what was stored when it was submitted.

A worker may meet functions that were deployed after the submission. Where those read another parameter or
another field, it would be NULL; so each function knows the contract that it was generated with, and
refuses an operation that was stored under another.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.plan.planned import PlannedOperation


def bound(op: PlannedOperation) -> PlannedOperation:
    """Return an operation, and its steps, with the contract that they share."""
    contract = _digest(op)
    steps = tuple(replace(step, operation=replace(step.operation, contract=contract)) for step in op.steps)
    return replace(op, contract=contract, steps=steps, settings=op.settings | {"contract": contract})


def _digest(op: PlannedOperation) -> str:
    """Return eight hex digits of what is read, names and types, and of the tables and columns it is for."""
    read = [tuple((item.name, item.type) for item in op.kept_parameters)]
    for name, part in [("", op), *((step.name, step.operation) for step in op.steps)]:
        read += [
            ((name, f"{part.type} {part.table.schema}.{part.table.name}"),),
            tuple((item.column, "matched") for item in part.matches),
            (("validates", str(part.validates)),),
            tuple((column, "conflict") for column in part.conflict_target),
            tuple((item.column, item.type) for item in part.keys),
            tuple((item.name, item.type) for item in part.item_fields),
            tuple(
                (item.output.step, f"{item.output.column} {item.output.element}")
                for item in part.parameters
                if item.output
            ),
        ]
    return sha256(repr(read).encode()).hexdigest()[:8]
