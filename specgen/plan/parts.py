"""What planned operations and their steps consist of: parameters, keys, assignments, rules, functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident
from specgen.spec.types import is_own

if TYPE_CHECKING:
    from specgen.plan.naming import QualifiedName


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """A column of an earlier step's output; ``element`` is its type."""

    step: str
    step_number: int
    column: str
    element: str


@dataclass(frozen=True, slots=True)
class PlannedParameter:
    """A parameter of the operation, or a list that an earlier step yields.

    Attributes:
        name: As callers write it.
        variable: What holds it inside the functions that contain the user's SQL.
        reason: Where the type comes from.
        output: Where a list comes from that no caller passes.
    """

    name: str
    variable: str
    type: str
    reason: str
    default: str | None
    description: str | None
    output: PlannedOutput | None = None

    @property
    def kept_as_text(self) -> bool:
        """Whether its value would be another after a way through jsonb."""
        return self.is_own or self.type.removesuffix("[]") in ("json", "jsonb")

    @property
    def is_own(self) -> bool:
        """Whether its type is the user's own: of unknown shape, and perhaps one that is never NULL."""
        return is_own(self.type)

    @property
    def is_looked_up(self) -> bool:
        """Whether its type is one of those, and named without its schema."""
        return self.is_own and "." not in self.type


@dataclass(frozen=True, slots=True)
class FunctionArgument:
    """An argument of a generated function; ``parameter`` is the operation's that it takes, if any."""

    name: str
    type: str
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Routine:
    """A function that the engine calls; ``returns`` is what it returns, as SQL says it."""

    name: QualifiedName
    arguments: tuple[FunctionArgument, ...]
    returns: str


@dataclass(frozen=True, slots=True)
class Body:
    """What the functions of a step, or of an operation, have in common.

    Attributes:
        search_path: The schemas that they search.
        quote: The dollar quote around their bodies, which nothing in them contains.
        clashes: Whether a column is called as one of their variables.
    """

    search_path: tuple[str, ...]
    quote: str
    clashes: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """What rows must meet, and where the spec says so."""

    sql: str
    origin: str


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of the key that the operation walks by, and the variables that go with it.

    Attributes:
        type: Its type without a length or precision: a key that is cut to fit would be another row's.
    """

    column: str
    column_qualified: str
    type: str
    alias: str
    array: str
    from_: str
    upto: str

    @property
    def is_array(self) -> bool:
        """Whether it is an array, and there are no arrays of arrays: lists hold the texts of its values."""
        return self.type.endswith("[]")

    @property
    def is_opaque(self) -> bool:
        """Whether only PostgreSQL knows the shape of its values: a row may be one, or what is never NULL."""
        return self.is_array or is_own(self.type)

    @property
    def held_type(self) -> str:
        """The type of the elements of a list of its values."""
        return "text" if self.is_array else self.type

    @property
    def to_held(self) -> str:
        """The cast of its value to an element of a list."""
        return "::text" if self.is_array else ""

    @property
    def from_held(self) -> str:
        """The cast of an element of a list to its value."""
        return f"::{self.type}" if self.is_array else ""

    @property
    def bound_type(self) -> str:
        """The type of the variables that hold where a range goes on and ends."""
        return "text" if self.is_opaque else self.type

    @property
    def from_value(self) -> str:
        """Where a range goes on, as a value of its type."""
        return f"{ident(self.from_)}::{self.type}" if self.is_opaque else ident(self.from_)

    @property
    def upto_value(self) -> str:
        """Where a range ends, as a value of its type."""
        return f"{ident(self.upto)}::{self.type}" if self.is_opaque else ident(self.upto)


@dataclass(frozen=True, slots=True)
class PlannedItemField:
    """A field of the handed-in records; ``alias`` is its name where the target's columns are visible too."""

    name: str
    type: str
    alias: str


@dataclass(frozen=True, slots=True)
class PlannedAssignment:
    """A column and the SQL of its value."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Match:
    """A column by which a record finds its row, and the SQL of the record's value."""

    column: str
    column_qualified: str
    value: str


@dataclass(frozen=True, slots=True)
class PlannedPrecondition:
    """A precondition and how its failure reads."""

    condition: str
    aggregate: bool
    message: str
    origin: str


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A validation rule.

    Attributes:
        source: As the spec says it.
        column: The column that it is about, if it is about one.
        column_qualified: The same, as SQL reads its value.
    """

    condition: str
    source: str
    column: str | None
    column_qualified: str
    origin: str


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table that an operation has instead of the one all share, and that one."""

    name: QualifiedName
    like: QualifiedName


@dataclass(frozen=True, slots=True)
class PlannedFunction:
    """A function as the catalog knows it.

    Attributes:
        argument_types: As SQL writes them, in order.
        signature: A hash of all that CREATE OR REPLACE cannot change.
    """

    schema: str
    name: str
    argument_types: tuple[str, ...]
    signature: str
    comment: str
