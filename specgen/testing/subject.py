"""What a generated test file says about an operation, as values that a reader can check.

SQL expressions name columns plainly, parameters by the variable beside them (``p_new_status``), fields
of a record as ``item.price``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSAL = "a trigger of the test"
"""Names the failure that every entity can have: a trigger that refuses the record."""


RULE = "rule: "
"""Starts the name of a failure that is a broken validation rule."""


@dataclass(frozen=True, slots=True)
class ItemField:
    """A field of a handed-in record, and the expression that reads it."""

    name: str
    type: str
    variable: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, and the variable that stands for it in the operation's expressions."""

    type: str
    variable: str


@dataclass(frozen=True, slots=True)
class OutputOf:
    """The rows of an earlier step's output."""

    step: str


@dataclass(frozen=True, slots=True)
class RowsOf:
    """The rows of a table, in the order of its key."""

    table: str
    order_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultOf:
    """The rows of a query."""

    query: str


@dataclass(frozen=True, slots=True)
class ElementsOf:
    """The elements of an array that callers pass."""

    parameter: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an earlier step's output, read as an array.

    Attributes:
        type: Of its values.
        keys: Whether they are the keys that the step goes through.
    """

    step: str
    column: str
    type: str
    keys: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """The function that a step calls.

    Attributes:
        name: As SQL names it.
        arguments: As SQL writes them, ``item`` being the current record.
        collected: Whether one call takes a whole slice, each field as an array.
    """

    name: str
    arguments: tuple[str, ...] = ()
    collected: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an operation.

    Attributes:
        name: As the spec calls it; that of an operation without named steps is what it does.
        type: update, insert, upsert, delete, select or custom_function.
        source: rows, keys, records or single.
        table: The target, as SQL names it.
        alias: The target's name inside expressions.
        key: The primary key's columns.
        number: Its place in the order in which the steps run.
        depends_on: The steps that must be done before.
        through: What it goes through, if not rows of its table or what callers pass as records.
        handed_in: The parameter that takes its keys or records.
        parameters: The other parameters that it reads.
        lists: Variable in its expressions to the column of an earlier step's output that it stands for.
        item: The name of the current record in expressions.
        fields: The fields of a record that it reads.
        condition: Which rows it touches.
        sets: Column to the expression of its new value.
        match_on: The columns by which a record finds its row.
        conflict: The columns by which an upsert finds its row.
        updates: The columns that an upsert changes in a row it found.
        returning: The columns of the rows that it keeps.
        rules: What a record must meet as it will be written, else it is invalid.
        rule_columns: The column that each rule is about, where it is about one.
        skips_invalid: Whether invalid records are skipped; else they fail.
        fallback: How records fail where a test does not care; None for what is usual.
        examples: Column to SQL constants that the entity gives as examples.
        calls: The function that it calls.
        kept: Whether its output is kept.
    """

    name: str
    type: str
    source: str
    table: str
    alias: str
    key: tuple[str, ...]
    number: int = 1
    depends_on: tuple[str, ...] = ()
    through: OutputOf | RowsOf | ResultOf | ElementsOf | None = None
    handed_in: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    lists: Mapping[str, Column] = field(default_factory=dict)
    item: str = "item"
    fields: tuple[ItemField, ...] = ()
    condition: str | None = None
    sets: Mapping[str, str] = field(default_factory=dict)
    match_on: tuple[str, ...] = ()
    conflict: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    returning: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    rule_columns: Mapping[str, str] = field(default_factory=dict)
    skips_invalid: bool = False
    fallback: str | None = None
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    calls: Called | None = None
    kept: bool = False

    @property
    def inserts(self) -> bool:
        """Whether its records become rows."""
        return self.type in ("insert", "upsert")

    @property
    def by_key(self) -> bool:
        """Whether it works through keys of rows."""
        return self.source in ("rows", "keys")

    @property
    def shared(self) -> bool:
        """Whether it has many records."""
        return self.source != "single"

    def field_of(self, column: str) -> ItemField | None:
        """The record's field that goes into a column as it is."""
        if column in self.match_on:
            return next((item for item in self.fields if item.name == column), None)
        return next((item for item in self.fields if self._fills(item, column)), None)

    def _fills(self, item: ItemField, column: str) -> bool:
        """Whether a field goes into a column as it is, at least where it is not NULL."""
        value = self.sets.get(column, "")
        return value == item.variable or value.startswith(f"coalesce({item.variable}, ")

    def parameter_of(self, column: str) -> str | None:
        """The parameter that goes into a column as it is."""
        found = (name for name, item in self.parameters.items() if self.sets.get(column) == item.variable)
        return next(found, None)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of one step or more.

    Attributes:
        name: The SQL function's name.
        call: Calls it; psycopg placeholders for its arguments.
        submit: Submits it, if it can be submitted.
        runtime: The schema of the batch_* tables, as SQL names it.
        log_table: Where it logs.
        metrics_table: Where its metrics go.
        parameters: What callers pass.
        preconditions: What must hold for it to begin.
        aggregate_preconditions: The same about all rows of its table.
        steps: Its steps, in the order in which they run.
    """

    name: str
    call: str
    submit: str | None
    runtime: str
    log_table: str
    metrics_table: str
    steps: tuple[Step, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    preconditions: tuple[str, ...] = ()
    aggregate_preconditions: tuple[str, ...] = ()

    def step(self, name: str | None) -> Step:
        """The step of that name; that of an operation with one step need not be named."""
        if name is None:
            (step,) = self.steps
            return step
        return next(item for item in self.steps if item.name == name)

    def waiting_for(self, name: str) -> tuple[str, ...]:
        """The steps that have nothing to go on when this one has no success, in order."""
        lost = {name}
        for item in self.steps:
            if lost & set(item.depends_on):
                lost.add(item.name)
        return tuple(item.name for item in self.steps if item.name in lost - {name})

    def behind(self, name: str) -> tuple[str, ...]:
        """The steps that run after this one."""
        return tuple(item.name for item in self.steps if item.number > self.step(name).number)

    def titled(self, step: Step) -> str:
        """How messages name a step of it."""
        return self.name if len(self.steps) == 1 else f"{self.name}, step {step.name}"
