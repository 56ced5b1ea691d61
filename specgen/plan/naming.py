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
INNER_SUFFIXES = (
    "check", "keys", "between", "records", "matching", "invalid", "identity", "suspects", "write"
)  # fmt: skip


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
        submit: Leaves it to workers.
        check: Refuses to begin where a precondition is not met.
        keys: The keys of the rows that a step goes through.
        between: Those from one key to another.
        records: The records that a step goes through.
        matching: The keys, of those that are handed in, whose rows would be written.
        invalid: Tells the records of a batch that break a rule.
        identity: Tells by what records are told apart.
        suspects: Tells the records of a batch that a constraint would refuse.
        write: Writes one batch.
    """

    call: QualifiedName
    submit: QualifiedName
    check: QualifiedName
    keys: QualifiedName
    between: QualifiedName
    records: QualifiedName
    matching: QualifiedName
    invalid: QualifiedName
    identity: QualifiedName
    suspects: QualifiedName
    write: QualifiedName


def shorten(name: str) -> str:
    """Return a name that PostgreSQL will not cut."""
    encoded = name.encode()
    if len(encoded) <= MAX_BYTES:
        return name
    digest = sha256(encoded).hexdigest()[:8]
    return f"{encoded[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"


def operation_names(schema: str, operation: str, runtime: str) -> OperationNames:
    """Return the names of an operation's functions.

    Those that the engine calls lie in the runtime's schema, where operations of several schemas meet.
    """
    stem = operation if schema in ("public", runtime) else f"{schema}_{operation}"

    def inner(suffix: str) -> QualifiedName:
        return QualifiedName(runtime, shorten(f"{stem}_{suffix}"))

    return OperationNames(
        call=QualifiedName(schema, operation),
        submit=QualifiedName(schema, shorten(f"{operation}_submit")),
        **{suffix: inner(suffix) for suffix in INNER_SUFFIXES},
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
