"""What a step does with a batch: a union, each kind with what only it has.

A kind's name is the name of its template in ``steps/write``; ``type`` is what the spec calls it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    from specgen.plan.parts import PlannedAssignment


@dataclass(frozen=True, slots=True)
class Returning:
    """What is kept of the rows.

    Attributes:
        columns: The columns that are kept.
        told: Those, and the columns by which a row is told.
    """

    columns: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptRows:
    """What is kept of rows that are made, and what ties them to their records.

    Attributes:
        computed: What is written, keys included that the table would generate.
        tied_by: The columns by which a written row is tied to its record.
        draws_keys: Whether keys are computed that a table may want to generate.
    """

    returning: Returning
    computed: tuple[PlannedAssignment, ...]
    tied_by: tuple[str, ...]
    draws_keys: bool


@dataclass(frozen=True, slots=True)
class Update:
    """Changes rows that are there."""

    kind: ClassVar[str] = "update"
    type: ClassVar[str] = "update"

    assignments: tuple[PlannedAssignment, ...]
    returning: Returning | None


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes rows."""

    kind: ClassVar[str] = "delete"
    type: ClassVar[str] = "delete"

    returning: Returning | None


@dataclass(frozen=True, slots=True)
class Select:
    """Reads rows, and keeps what it reads."""

    kind: ClassVar[str] = "select"
    type: ClassVar[str] = "select"

    returning: Returning


@dataclass(frozen=True, slots=True)
class Insert:
    """Makes rows."""

    kind: ClassVar[str] = "insert"
    type: ClassVar[str] = "insert"

    assignments: tuple[PlannedAssignment, ...]
    kept: KeptRows | None


@dataclass(frozen=True, slots=True)
class Upsert:
    """Makes rows, and changes those that are there.

    Attributes:
        conflict_target: The columns by which a row is found.
        update_columns: What is changed of it; nothing where it is to stay.
    """

    kind: ClassVar[str] = "upsert"
    type: ClassVar[str] = "upsert"

    assignments: tuple[PlannedAssignment, ...]
    kept: KeptRows | None
    conflict_target: tuple[str, ...]
    update_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a function.

    Attributes:
        function: As SQL names it.
        arguments: As SQL writes them, the current record being ``item``.
        collected: Whether one call takes the values of a whole slice, each field as an array.
        kept: Whether what it returns is kept.
        origin: Where the spec names it.
    """

    kind: ClassVar[str] = "call"
    type: ClassVar[str] = "custom_function"

    function: str
    arguments: tuple[str, ...]
    collected: bool
    kept: bool
    origin: str


Write: TypeAlias = Update | Insert | Upsert | Delete | Select | Call


def written_columns(write: Write) -> tuple[PlannedAssignment, ...]:
    """Return what is assigned, column by column."""
    match write:
        case Insert() | Upsert():
            return write.kept.computed if write.kept else write.assignments
        case Update():
            return write.assignments
        case Delete() | Select() | Call():
            return ()


def kept_columns(write: Write) -> tuple[str, ...] | None:
    """Return the columns that are kept, none of them named where a function returns them; else nothing."""
    match write:
        case Insert() | Upsert():
            return write.kept.returning.columns if write.kept else None
        case Update() | Delete() | Select():
            return write.returning.columns if write.returning else None
        case Call():
            return () if write.kept else None
