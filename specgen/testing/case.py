"""One prepared step of a call: the records it gets, and what must be true of each afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from specgen.testing.subject import ElementsOf, OutputOf

if TYPE_CHECKING:
    from specgen.testing.stand_in import StandIn
    from specgen.testing.subject import Operation, Step

ANY = "(any value)"
"""Stands for a value that nobody can foresee, such as a random one; it must not be NULL."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a record fails.

    Attributes:
        name: The constraint, ``NOT NULL column``, ``unreadable field``, or the test's own trigger.
        sqlstate: What PostgreSQL raises; several where the type decides.
        constraint: As the error names it.
        column: As the error row must name it.
    """

    name: str
    sqlstate: tuple[str, ...]
    constraint: str | None
    column: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the call, or a row beside them.

    Attributes:
        mark: Its letter in the layout.
        number: Its number in the input, counted from 1; for rows, its place in key order.
        key: The key of the row it meets, as far as known.
        item: What is handed in for it.
        before: The row it meets.
        after: What the written row holds.
    """

    mark: str
    number: int
    key: dict[str, Any]
    item: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a call did to the target table; rows as dictionaries, in the order of their text."""

    inserted: list[dict[str, Any]]
    updated: list[dict[str, Any]]
    deleted: list[dict[str, Any]]


@dataclass(slots=True)
class Case:
    """What one step of a call gets, and what it must do.

    Attributes:
        operation: What is called.
        step: What the records are prepared for.
        arguments: Parameter to value.
        records: The records in the order in which batches take them.
        unstable: Columns whose new values nobody can foresee.
        failure: How its failing records fail.
        outputs: What stands in place of the outputs of earlier steps.
        stand_in: What stands in place of the function that the step calls.
        alone: Whether no other step of the operation is to run.
        snapshot: The step's table before the call: key to place and row.
    """

    operation: Operation
    step: Step
    arguments: dict[str, Any]
    records: list[Record]
    unstable: frozenset[str] = frozenset()
    failure: Failure | None = None
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stand_in: StandIn | None = None
    alone: bool = True
    snapshot: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many records there are."""
        return len(self.records)

    @property
    def good(self) -> list[Record]:
        """Those that are to be written, in order."""
        return [item for item in self.records if item.mark in "gu"]

    @property
    def failing(self) -> list[Record]:
        """Those that are to fail, in order."""
        return [item for item in self.records if item.mark == "x"]

    @property
    def skipped(self) -> list[Record]:
        """Those that meet no row, in order."""
        return [item for item in self.records if item.mark in "ms"]

    def batches(self, size: int) -> list[list[Record]]:
        """The records as batches of a size."""
        return [self.records[start : start + size] for start in range(0, self.total, size)]

    def until_failure(self, size: int) -> list[Record]:
        """The records of the batches before the first that has a failing record."""
        kept: list[Record] = []
        for batch in self.batches(size):
            if any(item.mark == "x" for item in batch):
                break
            kept += batch
        return kept

    def changes(self, records: list[Record]) -> Changes:
        """What writing just these records does."""
        records = [item for item in records if item.mark in "gu"]
        step = self.step
        if step.type == "select":
            return Changes([], [], [])
        if step.type == "delete":
            return Changes([], [], ordered([item.before or {} for item in records]))
        inserted = [self.foreseen(item.after) for item in records if item.before is None]
        updated = [
            self.foreseen({**item.before, **item.after}) for item in records if item.before is not None
        ]
        if step.type == "upsert" and not step.updates:
            updated = []
        return Changes(ordered(inserted), ordered(updated), [])

    def output(self, records: list[Record]) -> list[dict[str, Any]]:
        """What must be kept of these records, in input order."""
        records = sorted((item for item in records if item.mark in "gu"), key=lambda item: item.number)
        rows = []
        for item in records:
            row = (item.before or {}) | ({} if self.step.type in ("select", "delete") else item.after)
            rows.append(self.foreseen({name: row.get(name, ANY) for name in self.step.returning}))
        return rows

    def kept(self, records: list[Record], size: int) -> list[dict[str, Any]]:
        """What must be kept of them in batches of a size: by batch, in input order within."""
        return [
            row
            for batch in self.batches(size)
            for row in self.output([item for item in batch if item in records])
        ]

    def repeat(self, number: int) -> dict[str, Any]:
        """Hand in the record of a number once more, at the end; returns it."""
        match self.step.through:
            case OutputOf(step):
                rows = self.outputs[step]
                rows.append(dict(rows[number - 1]))
                return rows[-1]
            case ElementsOf(parameter):
                values = self.arguments[parameter]
                self.arguments[parameter] = [*values, values[number - 1]]
                return {"value": values[number - 1]}
            case _:
                name = str(self.step.handed_in)
                records = self.arguments[name].obj
                self.arguments[name] = Jsonb([*records, records[number - 1]])
                return dict(records[number - 1])

    def blamed(self, records: list[Record]) -> list[dict[str, Any]]:
        """What the error rows must say when these records have failed, in input order."""
        assert self.failure is not None
        ordered_records = (
            records if self.step.source == "rows" else sorted(records, key=lambda item: item.number)
        )
        return [
            {
                "record_number": None if self.step.source == "rows" else item.number,
                "record_key": self.key_of(item),
                "failed_records": [item.before if self.step.by_key else (item.item or {})],
                "sqlstate": self.failure.sqlstate[0],
                "constraint_name": self.failure.constraint,
                "column_name": self.failure.column,
            }
            for item in ordered_records
        ]

    def described(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Error rows as ``blamed`` describes them."""
        names = (
            "record_number",
            "record_key",
            "failed_records",
            "sqlstate",
            "constraint_name",
            "column_name",
        )
        found = [{name: row[name] for name in names} for row in rows]
        for row in found:
            if self.failure and row["sqlstate"] in self.failure.sqlstate:
                row["sqlstate"] = self.failure.sqlstate[0]
        return found

    def key_of(self, record: Record) -> dict[str, Any] | None:
        """The key by which an error row names a record."""
        step = self.step
        if step.by_key:
            return record.key
        wanted = step.match_on or step.conflict or step.key
        fields = {item.name for item in step.fields}
        return {name: (record.item or {}).get(name) for name in wanted if name in fields} or None

    def foreseen(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row without the values that nobody can foresee."""
        return {
            name: ANY if name in self.unstable and value is not None else value for name, value in row.items()
        }


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of their text."""
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def blurred(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the values that nobody can foresee as in what is expected."""
    found = []
    for number, row in enumerate(rows):
        like = expected[number] if number < len(expected) else {}
        found.append(
            {key: ANY if like.get(key) == ANY and value is not None else value for key, value in row.items()}
        )
    return found
