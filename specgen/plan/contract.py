"""What an operation's functions read of what was stored when it was submitted.

A worker may meet functions that were deployed after the submission. Where those read another parameter or
another field, it would be NULL; so each function knows the contract that it was generated with, and
refuses an operation that was stored under another.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specgen.plan.parts import PlannedParameter
    from specgen.plan.records import Records


def contract_of(kept: Iterable[PlannedParameter], parts: Iterable[tuple[str, Records]]) -> str:
    """Return eight hex digits of what is read, names and types, and of the tables and columns it is for.

    Args:
        kept: The parameters that are stored.
        parts: The records of the operation, by no name, and those of its steps by theirs.
    """
    read = [tuple((item.name, item.type) for item in kept)]
    for name, records in parts:
        operation, target = records.operation, records.target
        read += [
            ((name, f"{operation.type} {target.schema}.{target.table}"),),
            tuple((item.column, "matched") for item in records.matches()),
            (("validates", str(operation.validation.looks)),),
            tuple((column, "conflict") for column in operation.conflict_target),
            tuple((item.column, item.type) for item in records.key_columns()),
            tuple((item.name, item.type) for item in records.fields()),
            tuple(
                (item.output.step, f"{item.output.column} {item.output.element}")
                for item in records.names.parameters
                if item.output
            ),
        ]
    return sha256(repr(read).encode()).hexdigest()[:8]
