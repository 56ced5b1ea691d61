"""One batch operation as named SQL functions: every name, type and expression decided.

Templates print what stands here and decide nothing. The SQL of expressions is ready, parameters
replaced by the variables that hold them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

from specgen.plan.driving import Keys, Records, Relation, Rows, Single
from specgen.plan.writes import kept_columns
from specgen.spec.patterns import BATCH_OPERATIONS

if TYPE_CHECKING:
    from specgen.plan.driving import Driving, RecordShape
    from specgen.plan.keys import PlannedKey
    from specgen.plan.naming import QualifiedName
    from specgen.plan.parts import (
        Body,
        Condition,
        OwnTable,
        PlannedAssignment,
        PlannedFunction,
        PlannedItemField,
        PlannedParameter,
        PlannedPrecondition,
        PlannedRule,
        Routine,
    )
    from specgen.plan.writes import Write

STEPS = "steps"
"""What an operation is whose spec names its steps."""
_CONSTANT = re.compile(r"\s*(?:[\w ]*'(?:[^']|'')*'(?:::[\w ]+)?|-?[\d.]+|true|false|null)\s*", re.IGNORECASE)
"""A default that is the same each time it is computed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The spec's rules for records, and the function that tells which of them a record breaks.

    Attributes:
        columns: The row as it will be, as far as rules look at it.
    """

    routine: Routine
    rules: tuple[PlannedRule, ...]
    columns: tuple[PlannedAssignment, ...]


@dataclass(frozen=True, slots=True)
class Suspects:
    """What the entity's constraints tell beforehand, and the function that tells it.

    Attributes:
        conditions: Any of them means refusal.
        columns: The row as it would be written, and its place in the batch.
        place: The name of that last column.
    """

    routine: Routine
    conditions: tuple[str, ...]
    columns: tuple[PlannedAssignment, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Identity:
    """By what records are told apart, and the function that tells it.

    Attributes:
        values: The values that must not repeat.
        label: Their columns, for people.
        key: The columns, and what the table has to promise of them.
        fields: The fields that it takes.
    """

    routine: Routine
    values: tuple[str, ...]
    label: str
    key: PlannedKey
    fields: tuple[PlannedItemField, ...]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of an operation: what it goes through, and what it does with a batch of that.

    Attributes:
        number: Its place in the order in which the steps run, counted from 1.
        depends_on: The numbers of the steps that must be done before.
        waits_for: Their names.
        parameters: Those of its operation, and the lists of earlier steps' outputs that it reads.
        condition: What rows that are there must meet.
        routine: Does what ``write`` says with a batch.
        key: The columns by which it tells rows, and what the table has to promise of them.
        validates: Whether records are looked at before they are written.
        settings: What it lays over the operation's.
        sources: The pieces of SQL in its functions, as the spec has them.
    """

    name: str
    number: int
    depends_on: tuple[int, ...]
    waits_for: tuple[str, ...]
    entity: str
    origin: str
    runtime: str
    table: QualifiedName
    parameters: tuple[PlannedParameter, ...]
    condition: Condition | None
    driving: Driving
    write: Write
    routine: Routine
    key: PlannedKey | None
    identity: Identity | None
    rules: Rules | None
    suspects: Suspects | None
    validates: bool
    settings: dict[str, object]
    body: Body
    sources: tuple[str, ...]

    @property
    def type(self) -> str:
        """What it does, as the spec calls it."""
        return self.write.type

    @property
    def keeps(self) -> bool:
        """Whether what it writes or reads is kept."""
        return kept_columns(self.write) is not None

    @property
    def shape(self) -> RecordShape | None:
        """How the records of a batch are read; nothing where a batch is keys of rows."""
        match self.driving:
            case Records() | Relation() | Single():
                return self.driving.shape
            case Rows() | Keys():
                return None

    @property
    def fields(self) -> tuple[PlannedItemField, ...]:
        """The fields that it reads of records."""
        return self.shape.fields if self.shape else ()

    @property
    def blames_batches(self) -> bool:
        """Whether a batch that fails is recorded whole."""
        return self.settings.get("error_isolation") == "batch"


@dataclass(frozen=True, slots=True)
class Check:
    """What must hold before anything is written, and the function that refuses where it does not."""

    routine: Routine
    preconditions: tuple[PlannedPrecondition, ...]


@dataclass(frozen=True, slots=True)
class PlannedOperation:
    """Everything the templates say about one operation: what is of the whole, and its steps, one or more.

    Attributes:
        call: The operation in one call.
        submit: Leaves it to workers; nothing for one that is atomic.
        parameters: Those of its functions.
        input: The parameter whose keys or records are handed in beside those that are kept.
        reject_file: Where ``specgen run`` writes rejected lines of a file.
        handed_in_records: Parameters whose records its steps go through, and the fields that they read.
        contract: A digest of what its functions read of an operation's stored row.
        sources: The pieces of SQL in its functions, as the spec has them.
    """

    pattern: ClassVar[str] = BATCH_OPERATIONS
    """The pattern that it is planned from."""

    name: str
    entity: str
    origin: str
    description: str | None
    runtime: str
    table: QualifiedName
    call: QualifiedName
    submit: QualifiedName | None
    parameters: tuple[PlannedParameter, ...]
    input: PlannedParameter | None
    handed_in_records: tuple[tuple[PlannedParameter, tuple[str, ...]], ...]
    check: Check | None
    requires_confirmation: bool
    atomic: bool
    reject_file: str | None
    settings: dict[str, object]
    own_tables: tuple[OwnTable, ...]
    grants: tuple[str, ...]
    contract: str
    body: Body
    sources: tuple[str, ...]
    functions: tuple[PlannedFunction, ...]
    steps: tuple[PlannedStep, ...]

    @property
    def kind(self) -> str:
        """What it does, in a word."""
        return kind_of(self.steps)

    @property
    def preconditions(self) -> tuple[PlannedPrecondition, ...]:
        """What must hold before anything is written."""
        return self.check.preconditions if self.check else ()

    @property
    def kept_parameters(self) -> tuple[PlannedParameter, ...]:
        """The parameters that are kept in its row."""
        return tuple(item for item in self.parameters if item != self.input)

    @property
    def records(self) -> Records | None:
        """The records that are handed in, and can be loaded from a file."""
        match self.steps[0].driving:
            case Records() as records:
                return records
            case _:
                return None

    @property
    def moving(self) -> tuple[str, ...]:
        """The parameters whose defaults may be another value with every call."""
        return tuple(
            item.name for item in self.parameters if item.default and not _CONSTANT.fullmatch(item.default)
        )

    @property
    def called(self) -> dict[str, str]:
        """The signatures of the functions that people call."""
        return {item.name: item.signature for item in self.functions if item.comment}

    @property
    def executed(self) -> tuple[str, ...]:
        """The names of the functions that are executed for it, in the runtime's schema."""
        return tuple(item.name for item in self.functions if not item.comment)

    @property
    def signature(self) -> str:
        """A digest of the signatures of all functions that are executed for it."""
        text = repr([(item.name, item.signature) for item in self.functions if not item.comment])
        return sha256(text.encode()).hexdigest()[:8]


def kind_of(steps: tuple[PlannedStep, ...]) -> str:
    """Return what steps do, in a word: a lone one is what the spec calls an operation of its type."""
    return steps[0].name if len(steps) == 1 and steps[0].name == steps[0].type else STEPS
