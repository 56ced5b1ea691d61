"""Every SQL name that specgen makes up.

PostgreSQL cuts names at 63 bytes without a word; a derived name is shortened here instead, with a hash
of the whole, so that two long names never become one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 63


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """A name in a schema."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class OperationNames:
    """The functions of one operation.

    Attributes:
        call: The operation in one call.
        submit: Plans it for workers.
        plan: Checks, counts, decides.
        ranges: Cuts it into pieces.
        batch: Writes one batch.
        start: Stores an operation of several steps.
        validate: Tells the invalid records of a batch.
        identity: Tells by what records are told apart.
        repeated: Marks loaded records that are the same as an earlier one.
    """

    call: QualifiedName
    submit: QualifiedName
    plan: QualifiedName
    ranges: QualifiedName
    batch: QualifiedName
    start: QualifiedName
    validate: QualifiedName
    identity: QualifiedName
    repeated: QualifiedName


def shorten(name: str) -> str:
    """Return a name that PostgreSQL will not cut."""
    encoded = name.encode()
    if len(encoded) <= MAX_BYTES:
        return name
    digest = sha256(encoded).hexdigest()[:8]
    return f"{encoded[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"


def operation_names(schema: str, operation: str) -> OperationNames:
    """Return the names of an operation's functions."""

    def derived(suffix: str) -> QualifiedName:
        return QualifiedName(schema, shorten(f"{operation}_{suffix}"))

    return OperationNames(
        call=QualifiedName(schema, operation),
        submit=derived("submit"),
        plan=derived("plan"),
        ranges=derived("ranges"),
        batch=derived("batch"),
        start=derived("start"),
        validate=derived("validate"),
        identity=derived("identity"),
        repeated=derived("repeated"),
    )


def constraint(table: str, columns: Iterable[str], kind: str) -> str:
    """Return a constraint's or index's name as PostgreSQL would choose it: ``table_columns_kind``."""
    return shorten("_".join((table, *columns, kind)))


def free(wanted: str, taken: Iterable[str]) -> str:
    """Return a name that collides with none of those taken."""
    used = frozenset(taken)
    name = shorten(wanted)
    while name in used:
        name = shorten(f"{name}_")
    return name


def file_stem(entity: str) -> str:
    """Return an entity's name as every file system takes it."""
    stem = re.sub(r"[^\w-]", "_", entity)
    encoded = stem.encode()
    return stem if len(encoded) <= 200 else encoded[:200].decode(errors="ignore")
