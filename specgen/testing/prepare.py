"""Prepares calls: fills the target table and the arguments so that each record has a known fate.

A layout is a word with a letter a record, in key order (records: in input order):

- ``g`` is good: it is to be written;
- ``u`` is good and meets a row that is there (upsert);
- ``x`` fails, in the way the test asks for;
- ``s`` is handed in but its row does not meet the condition;
- ``m`` is handed in but has no row;
- ``-`` is a row that does not concern the call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from specgen.testing.advice import REMEDY
from specgen.testing.case import Case, Failure, Record
from specgen.testing.failures import failure_named
from specgen.testing.joins import quote
from specgen.testing.solve import Solution, Solver, Unbreakable, Unsolvable
from specgen.testing.subject import REFUSAL, RULE, Operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from specgen.testing.catalog import Column, Table
    from specgen.testing.make import Maker

_OCCUPIED, _MISSING = 20_000, 30_000


@dataclass(slots=True)
class Preparation:
    """The making of one case."""

    connection: psycopg.Connection[Any]
    operation: Operation
    maker: Maker
    extra: Mapping[str, Sequence[str]]

    def prepare(self, layout: str, failing: str | None = None) -> Case:
        """Write the rows and put the arguments together.

        Args:
            layout: A letter a record, see the module.
            failing: How ``x`` fails; None for the first way that the operation has.

        Raises:
            Unsolvable: No data could be found.
        """
        operation, table = self.operation, self.maker.table(self.operation.table)
        failure = failure_named(operation, table, failing) if "x" in layout else None
        solver = Solver(self.connection, operation, table, self.extra)
        solution, layout = self._solve(solver, layout, failure)
        records = self._rows(table, solution, layout, failure)
        arguments = self._arguments(table, solution, records, failure)
        records = self._foresee(records, arguments, table)
        again = self._foresee(records, arguments, table)
        unstable = frozenset(
            name
            for one, other in zip(records, again, strict=True)
            for name in one.after
            if one.after[name] != other.after[name]
        )
        if failure and failure.name == REFUSAL:
            self._refuse(table, [item for item in records if item.mark == "x"])
        case = Case(operation, arguments, [item for item in records if item.mark != "-"], unstable, failure)
        case.snapshot = snapshot(self.connection, operation)
        return case

    def _solve(self, solver: Solver, layout: str, failure: Failure | None) -> tuple[Solution, str]:
        bad = _bad(solver, failure)
        other = "-" in layout or "s" in layout
        good = any(mark in layout for mark in "gu") or not bad
        try:
            solution = solver.solve(bad, good=good, other=other)
        except Unsolvable:
            if not bad or not good:
                raise
            # Parameters that let one record fail let all of them fail.
            layout = layout.replace("g", "x").replace("u", "x")
            solution = self._all_bad(solver, bad, failure, other=other)
        if failure and _by_parameter(self.operation, failure):
            layout = layout.replace("g", "x").replace("u", "x")
        if solution.other is None and not self.operation.inserts:
            layout = layout.replace("-", "") if self.operation.source == "rows" else layout.replace("s", "")
        return solution, layout

    def _all_bad(self, solver: Solver, bad: list[str], failure: Failure | None, *, other: bool) -> Solution:
        try:
            return solver.solve(bad, good=False, other=other)
        except Unsolvable:
            solver.solve(other=False)  # says so when there is no good record either
            name = failure.name if failure else ""
            raise Unbreakable(
                f"{self.operation.name}: no candidates break {name}; perhaps nothing can, else {REMEDY}"
            ) from None

    # Rows and records

    def _rows(self, table: Table, solution: Solution, layout: str, failure: Failure | None) -> list[Record]:
        operation = self.operation
        keep = self._kept(table)
        records = []
        for number, mark in enumerate(layout, 1):
            found = solution.bad if mark == "x" and solution.bad else solution.good
            item = dict(found.item) if found and operation.fields else {}
            base = (found.row if found else None) or self.maker.valid(table)
            if mark in "-s" and solution.other is not None:
                base = solution.other
            row = self.maker.numbered(table, base, number, keep=keep)
            stored = None
            if not operation.inserts and mark != "m":
                stored = self.maker.insert(table, row)
            elif mark == "-":
                stored = self.maker.insert(
                    table, self.maker.numbered(table, self.maker.valid(table), _OCCUPIED + number)
                )
            handed = None
            if operation.fields and mark != "-":
                handed = self._item(table, item, row, number, mark=mark, failure=failure)
            if mark == "u":
                stored = self._met(table, handed or {}, number)
            meets = stored if mark in "gxsu" and stored else None
            key = {name: (stored or row)[name] for name in operation.key}
            records.append(Record(mark, number, key, handed, meets))
            if failure and mark == "x" and failure.name.startswith("referenced by "):
                self._refer(table, failure, stored or {}, number)
        return records

    def _kept(self, table: Table) -> frozenset[str]:
        """Key columns that the condition decides about; one always varies."""
        if self.operation.inserts or not self.operation.condition:
            return frozenset()
        from specgen.testing.candidates import mentions

        named = mentions([self.operation.condition]).names
        kept = [item.name for item in table.columns if item.name in named]
        if set(self.operation.key) <= set(kept):
            kept.remove(self.operation.key[-1])
        return frozenset(kept)

    def _item(
        self,
        table: Table,
        item: dict[str, Any],
        row: dict[str, Any],
        number: int,
        *,
        mark: str,
        failure: Failure | None,
    ) -> dict[str, Any]:
        operation = self.operation
        short = {field.variable.rsplit(".", 1)[-1].strip('"'): field.name for field in operation.fields}
        handed = {short[name]: value for name, value in item.items() if name in short}
        for column in table.columns:
            field = operation.field_of(column.name)
            if field is None:
                continue
            if column.name in operation.match_on:
                handed[field.name] = row[column.name]
            elif column.name in table.unique_columns or (
                table.foreign(column.name) and handed.get(field.name) is not None
            ):
                handed[field.name] = self.maker.nth(table, column, handed.get(field.name), number)
        if mark == "x" and failure:
            self._spoil(table, handed, number, failure)
        # A null in a column of json is JSON's own; NULL is what is not there.
        own = {field.name for field in operation.fields if field.type in ("json", "jsonb")}
        if operation.source != "records":
            own.clear()
        return {name: value for name, value in handed.items() if value is not None or name not in own}

    def _spoil(self, table: Table, handed: dict[str, Any], number: int, failure: Failure) -> None:
        """Make a record fail in a way that is not a matter of its own values alone."""
        if failure.name.startswith("unreadable "):
            handed[failure.name.removeprefix("unreadable ")] = "unreadable"
        if failure.name.startswith("NOT NULL "):
            field = self.operation.field_of(failure.name.removeprefix("NOT NULL "))
            if field:
                handed[field.name] = None
        constraint = next((item for item in table.constraints if item.name == failure.constraint), None)
        if constraint is None:
            return
        fields = {name: self.operation.field_of(name) for name in constraint.columns}
        if constraint.kind in "up":
            taken = self.maker.insert(
                table, self.maker.numbered(table, self.maker.valid(table), _OCCUPIED + number)
            )
            handed |= {field.name: taken[name] for name, field in fields.items() if field}
        elif constraint.kind == "f":
            for name, field in fields.items():
                if field:
                    handed[field.name] = self.maker.nth(table, table.column(name), None, _MISSING + number)

    def _met(self, table: Table, handed: dict[str, Any], number: int) -> dict[str, Any]:
        """A row that an upsert's record meets."""
        known = {name: self.operation.field_of(name) for name in self.operation.updates}
        unlike = {name: handed[field.name] for name, field in known.items() if field}
        solver = Solver(self.connection, self.operation, table, self.extra)
        row = self.maker.numbered(table, solver.valid_row(unlike), _OCCUPIED + number)
        for name in self.operation.conflict:
            if field := self.operation.field_of(name):
                row[name] = handed[field.name]
        return self.maker.insert(table, row)

    def _refer(self, table: Table, failure: Failure, row: dict[str, Any], number: int) -> None:
        for owner, constraint in table.children:
            if constraint.name == failure.constraint:
                child = self.maker.table(owner)
                values = self.maker.numbered(child, self.maker.valid(child), _OCCUPIED + number)
                values |= {
                    here: row[there]
                    for here, there in zip(constraint.columns, constraint.parent_columns, strict=True)
                }
                self.maker.insert(child, values)

    # Arguments

    def _arguments(
        self, table: Table, solution: Solution, records: list[Record], failure: Failure | None
    ) -> dict[str, Any]:
        operation = self.operation
        arguments = {
            name: argument(solution.parameters.get(name), item.type)
            for name, item in operation.parameters.items()
        }
        for column in table.columns:
            name = operation.parameter_of(column.name)
            if name is not None:
                self._share(table, column, arguments, name, failure)
        handed = [item for item in records if item.mark != "-"]
        for item in handed:
            self._item_parents(table, item, failure)
        self._hand_in(arguments, records, handed)
        return arguments

    def _share(
        self, table: Table, column: Column, arguments: dict[str, Any], name: str, failure: Failure | None
    ) -> None:
        """Set a parameter that goes into a referring or unique column of all records."""
        broken = next(
            (item for item in table.constraints if failure and item.name == failure.constraint), None
        )
        if broken and column.name in broken.columns and broken.kind == "f":
            arguments[name] = self.maker.nth(table, column, None, _MISSING)
        elif broken and column.name in broken.columns and broken.kind in "up":
            arguments[name] = self.maker.nth(table, column, None, _OCCUPIED)
            taken = self.maker.numbered(table, self.maker.valid(table), _OCCUPIED)
            self.maker.insert(table, {**taken, column.name: arguments[name]})
        elif table.foreign(column.name) and self.operation.inserts:
            self.maker.parents(table, {column.name: arguments[name]})

    def _item_parents(self, table: Table, record: Record, failure: Failure | None) -> None:
        """Write the rows that a record refers to, unless it is to fail for want of one."""
        if not record.item or (record.mark == "x" and failure and _is_foreign(table, failure)):
            return
        fields = {column.name: self.operation.field_of(column.name) for column in table.columns}
        values = {name: record.item.get(field.name) for name, field in fields.items() if field}
        self.maker.parents(table, {name: value for name, value in values.items() if value != "unreadable"})

    def _hand_in(self, arguments: dict[str, Any], records: list[Record], handed: list[Record]) -> None:
        """Put what is handed in among the arguments, and number the records as they stand there."""
        operation = self.operation
        if operation.source == "keys" and operation.handed_in:
            # Backwards, so that a test can tell key order from input order.
            arguments[operation.handed_in] = [item.key[operation.key[0]] for item in reversed(handed)]
            for place, item in enumerate(reversed(handed), 1):
                records[records.index(item)] = replace(item, number=place)
        elif operation.source == "records" and operation.handed_in:
            for place, item in enumerate(handed, 1):
                records[records.index(item)] = replace(item, number=place)
            arguments[operation.handed_in] = Jsonb([item.item for item in handed])

    # What will be

    def _foresee(self, records: list[Record], arguments: dict[str, Any], table: Table) -> list[Record]:
        """The records with the values that the operation's expressions have for them."""
        operation = self.operation
        if not operation.sets:
            return records
        asked = [
            {"place": place, "item": item.item or {}, "key": item.key}
            for place, item in enumerate(records)
            if item.mark in "gu"
        ]
        query = self._after_query(table)
        rows = self.connection.execute(
            query,
            {**arguments, "specgen_asked": Jsonb(asked)},
        ).fetchall()
        result = list(records)
        for place, written in rows:
            record = records[place]
            kept = operation.updates if record.mark == "u" else tuple(written)
            result[place] = replace(record, after={name: written[name] for name in kept if name in written})
        return result

    def _after_query(self, table: Table) -> str:
        operation = self.operation
        parameters = ", ".join(
            f"%({name})s::{item.type} AS {quote(item.variable)}"
            for name, item in operation.parameters.items()
        )
        fields = ", ".join(
            f"handed.{quote(item.name)} AS {item.variable.rsplit('.', 1)[-1]}" for item in operation.fields
        )
        types = ", ".join(f"{quote(item.name)} {item.type}" for item in operation.fields)
        record = f"FROM jsonb_to_record(asked.part -> 'item') AS handed ({types})" if fields else ""
        alias = quote(operation.alias)
        values = []
        for name, value in operation.sets.items():
            column = table.column(name)
            if column.generated:
                continue
            text = (column.default or "NULL") if value == "DEFAULT" else value
            values.append(f"{_literal(name)}, (({text})::{column.type})".replace("%", "%%"))
        row = f"(SELECT * FROM {operation.table} AS target WHERE to_jsonb(target.*) @> (asked.part -> 'key'))"
        return (
            f"SELECT (asked.part ->> 'place')::integer, jsonb_build_object({', '.join(values)}) "
            "FROM jsonb_array_elements(%(specgen_asked)s) AS asked (part) "
            f"CROSS JOIN (SELECT {parameters or '1 AS specgen_nothing'}) AS parameters "
            f"CROSS JOIN LATERAL (SELECT {fields or '1 AS specgen_no_item'} {record}) "
            f"AS {quote(operation.item)} "
            + ("" if operation.inserts else f"CROSS JOIN LATERAL {row} AS {alias}")
        )

    def _refuse(self, table: Table, records: list[Record]) -> None:
        operation = self.operation
        event = "INSERT" if operation.inserts else operation.type.upper()
        names = operation.key
        if operation.inserts:
            names = tuple(
                name for name in operation.sets if operation.field_of(name) and name in table.unique_columns
            )
        for item in records:
            fields = {name: operation.field_of(name) for name in names}
            part = (
                {name: (item.item or {}).get(field.name) for name, field in fields.items() if field}
                if operation.inserts
                else item.key
            )
            self.connection.execute("INSERT INTO specgen_test.refused VALUES (%s)", (Jsonb(part),))
        self.connection.execute(
            f"CREATE TRIGGER specgen_test_refuse BEFORE {event} ON {table.name} "
            f"FOR EACH ROW EXECUTE FUNCTION specgen_test.refuse({_literal(operation.key[0])})"
        )


def snapshot(
    connection: psycopg.Connection[Any], operation: Operation
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The target table: key to the place of the row and what it holds."""
    rows = connection.execute(
        f"SELECT ctid::text, to_jsonb(target.*) FROM {operation.table} AS target"
    ).fetchall()
    return {json.dumps([row[name] for name in operation.key]): (place, row) for place, row in rows}


def argument(value: Any, kind: str) -> Any:
    """A value as psycopg takes it for a parameter of that type."""
    return Jsonb(value) if kind in ("json", "jsonb") and value is not None else value


def _bad(solver: Solver, failure: Failure | None) -> list[str]:
    """What a failing record must meet, where its own values make it fail."""
    if failure is None:
        return []
    if failure.name.startswith("NOT NULL "):
        return solver.conditions(null=failure.name.removeprefix("NOT NULL "))
    if failure.name.startswith(RULE):
        return solver.conditions(rule=failure.name.removeprefix(RULE))
    if any(item.name == failure.constraint for item in solver.table.of_kind("c")):
        return solver.conditions(broken=failure.constraint)
    return []


def _by_parameter(operation: Operation, failure: Failure) -> bool:
    """Whether a value that all records share makes them fail."""
    if failure.constraint is None or failure.name == REFUSAL or failure.name.startswith("referenced by"):
        return False
    columns = (failure.column or "").split(", ")
    return failure.sqlstate[0] in ("23503", "23505") and not any(operation.field_of(name) for name in columns)


def _is_foreign(table: Table, failure: Failure) -> bool:
    return any(item.name == failure.constraint for item in table.of_kind("f"))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
