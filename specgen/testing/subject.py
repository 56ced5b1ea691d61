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
class Operation:
    """One operation as its tests see it.

    Attributes:
        name: The SQL function's name.
        type: update, insert, upsert, delete or select.
        source: rows, keys, records or single.
        table: The target, as SQL names it.
        alias: The target's name inside expressions.
        key: The primary key's columns.
        call: Calls the operation; psycopg placeholders for its arguments.
        submit: Submits it, if it can be submitted.
        runtime: The schema of the batch_* tables, as SQL names it.
        handed_in: The parameter that takes the keys or records.
        parameters: The other parameters.
        item: The name of the current record in expressions.
        fields: The fields of a record that the operation reads.
        condition: Which rows the operation touches.
        sets: Column to the expression of its new value.
        match_on: The columns by which a record finds its row.
        conflict: The columns by which an upsert finds its row.
        updates: The columns that an upsert changes in a row it found.
        returning: The columns that batch_output() gives.
        preconditions: What must hold for the operation to begin.
        rules: What a record must meet as it will be written, else it is invalid.
        rule_columns: The column that each rule is about, where it is about one.
        skips_invalid: Whether invalid records are skipped; else they fail.
        fallback: How records fail where a test does not care; None for what is usual.
        examples: Column to SQL constants that the entity gives as examples.
        log_table: Where it logs.
        metrics_table: Where its metrics go.
    """

    name: str
    type: str
    source: str
    table: str
    alias: str
    key: tuple[str, ...]
    call: str = ""
    submit: str | None = None
    runtime: str = ""
    log_table: str = ""
    metrics_table: str = ""
    handed_in: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    item: str = "item"
    fields: tuple[ItemField, ...] = ()
    condition: str | None = None
    sets: Mapping[str, str] = field(default_factory=dict)
    match_on: tuple[str, ...] = ()
    conflict: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    returning: tuple[str, ...] = ()
    preconditions: tuple[str, ...] = ()
    aggregate_preconditions: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    rule_columns: Mapping[str, str] = field(default_factory=dict)
    skips_invalid: bool = False
    fallback: str | None = None
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def inserts(self) -> bool:
        """Whether its records become rows."""
        return self.type in ("insert", "upsert")

    @property
    def by_key(self) -> bool:
        """Whether it works through keys of rows."""
        return self.source in ("rows", "keys")

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
