"""What a generated test file says about an operation of steps, as values that a reader can check."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.testing.subject import Operation, Parameter


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
    """One step.

    Attributes:
        number: Its place in the order in which they run.
        does: What it does, as an operation of its own.
        depends_on: The steps that must be done before.
        through: What it goes through, where that is neither rows of its table nor records passed by callers.
        lists: Variable in its expressions to the column that it stands for.
        calls: The function that it calls.
        kept: Whether its output is kept.
    """

    name: str
    number: int
    does: Operation
    depends_on: tuple[str, ...] = ()
    through: OutputOf | RowsOf | ResultOf | ElementsOf | None = None
    lists: Mapping[str, Column] = field(default_factory=dict)
    calls: Called | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Stepped:
    """An operation of one step or more.

    Attributes:
        name: The SQL function's name.
        call: Calls it; psycopg placeholders for its arguments.
        submit: Submits it, if it can be submitted.
        begin: Stores it as a call does, and leaves the work to the test.
        runtime: The schema of the batch_* tables, as SQL names it.
        log_table: Where it logs.
        metrics_table: Where its metrics go.
        parameters: What callers pass.
        preconditions: What must hold for it to begin.
        steps: Its steps, in the order in which they run.
    """

    name: str
    call: str
    submit: str | None
    begin: str
    runtime: str
    log_table: str
    metrics_table: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    preconditions: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def __getitem__(self, name: str) -> Step:
        """The step of that name."""
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
        return tuple(item.name for item in self.steps if item.number > self[name].number)

    def subject(self, step: Step) -> Operation:
        """What a step does, with where it leaves its traces."""
        return replace(
            step.does,
            call=self.call,
            submit=self.submit,
            runtime=self.runtime,
            log_table=self.log_table,
            metrics_table=self.metrics_table,
            preconditions=self.preconditions,
        )
