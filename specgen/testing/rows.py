"""Prepares rows: fills the table of a step and its arguments so that each record has a known fate.

A layout is a word with a letter a record, in key order (records: in input order):

- ``g`` is good: it is to be written;
- ``u`` is good and meets a row that is there (upsert);
- ``x`` fails, in the way the test asks for;
- ``s`` is handed in but its row does not meet the condition;
- ``m`` is handed in but has no row;
- ``-`` is a row that does not concern the call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from specgen.testing.advice import REMEDY
from specgen.testing.case import Failure, Record
from specgen.testing.failures import failure_named
from specgen.testing.joins import quote
from specgen.testing.solve import Solution, Solver, Unbreakable, Unsolvable
from specgen.testing.subject import REFUSAL, RULE, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from specgen.testing.catalog import Column, Table
    from specgen.testing.make import Maker

_OCCUPIED, _MISSING = 20_000, 30_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made for a step: as of a case."""

    arguments: dict[str, Any]
    records: list[Record]
    unstable: frozenset[str]
    failure: Failure | None


@dataclass(slots=True)
class Rows:
    """Makes them, with the records and arguments that go with them.

    Attributes:
        title: What messages call the step.
        preconditions: What must hold for its operation to begin.
    """

    connection: psycopg.Connection[Any]
    step: Step
    maker: Maker
    extra: Mapping[str, Sequence[str]]
    title: str
    preconditions: Sequence[str] = ()

    def prepare(self, layout: str, failing: str | None = None) -> Prepared:
        """Write the rows and put the arguments together.

        Args:
            layout: A letter a record, see the module.
            failing: How ``x`` fails; None for the first way that the step has.

        Raises:
            Unsolvable: No data could be found.
        """
        table = self.maker.table(self.step.table)
        failure = failure_named(self.step, table, failing) if "x" in layout else None
        solver = self._solver(table)
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
        return Prepared(arguments, [item for item in records if item.mark != "-"], unstable, failure)

    def _solver(self, table: Table) -> Solver:
        return Solver(self.connection, self.step, table, self.extra, self.title, self.preconditions)

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
        if failure and _by_parameter(self.step, failure):
            layout = layout.replace("g", "x").replace("u", "x")
        if solution.other is None and not self.step.inserts:
            layout = layout.replace("-", "") if self.step.source == "rows" else layout.replace("s", "")
        return solution, layout

    def _all_bad(self, solver: Solver, bad: list[str], failure: Failure | None, *, other: bool) -> Solution:
        try:
            return solver.solve(bad, good=False, other=other)
        except Unsolvable:
            solver.solve(other=False)  # says so when there is no good record either
            name = failure.name if failure else ""
            raise Unbreakable(
                f"{self.title}: no candidates break {name}; perhaps nothing can, else {REMEDY}"
            ) from None

    # Rows and records

    def _rows(self, table: Table, solution: Solution, layout: str, failure: Failure | None) -> list[Record]:
        step = self.step
        keep = self._kept(table)
        records = []
        for number, mark in enumerate(layout, 1):
            found = solution.bad if mark == "x" and solution.bad else solution.good
            item = dict(found.item) if found and step.fields else {}
            base = (found.row if found else None) or self.maker.valid(table)
            if mark in "-s" and solution.other is not None:
                base = solution.other
            row = self.maker.numbered(table, base, number, keep=keep)
            stored = None
            if not step.inserts and mark != "m":
                stored = self.maker.insert(table, row)
            elif mark == "-":
                stored = self.maker.insert(
                    table, self.maker.numbered(table, self.maker.valid(table), _OCCUPIED + number)
                )
            handed = None
            if step.fields and mark != "-":
                handed = self._item(table, item, row, number, mark=mark, failure=failure)
            if mark == "u":
                stored = self._met(table, handed or {}, number)
            meets = stored if mark in "gxsu" and stored else None
            key = {name: (stored or row)[name] for name in step.key}
            records.append(Record(mark, number, key, handed, meets))
            if failure and mark == "x" and failure.name.startswith("referenced by "):
                self._refer(table, failure, stored or {}, number)
        return records

    def _kept(self, table: Table) -> frozenset[str]:
        """Key columns that the condition decides about; one always varies."""
        if self.step.inserts or not self.step.condition:
            return frozenset()
        from specgen.testing.candidates import mentions

        named = mentions([self.step.condition]).names
        kept = [item.name for item in table.columns if item.name in named]
        if set(self.step.key) <= set(kept):
            kept.remove(self.step.key[-1])
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
        step = self.step
        short = {field.variable.rsplit(".", 1)[-1].strip('"'): field.name for field in step.fields}
        handed = {short[name]: value for name, value in item.items() if name in short}
        for column in table.columns:
            field = step.field_of(column.name)
            if field is None:
                continue
            if column.name in step.match_on:
                handed[field.name] = row[column.name]
            elif column.name in table.unique_columns or (
                table.foreign(column.name) and handed.get(field.name) is not None
            ):
                handed[field.name] = self.maker.nth(table, column, handed.get(field.name), number)
        if mark == "x" and failure:
            self._spoil(table, handed, number, failure)
        # A null in a column of json is JSON's own; NULL is what is not there.
        own = {field.name for field in step.fields if field.type in ("json", "jsonb")}
        if step.source != "records":
            own.clear()
        return {name: value for name, value in handed.items() if value is not None or name not in own}

    def _spoil(self, table: Table, handed: dict[str, Any], number: int, failure: Failure) -> None:
        """Make a record fail in a way that is not a matter of its own values alone."""
        if failure.name.startswith("unreadable "):
            handed[failure.name.removeprefix("unreadable ")] = "unreadable"
        if failure.name.startswith("NOT NULL "):
            field = self.step.field_of(failure.name.removeprefix("NOT NULL "))
            if field:
                handed[field.name] = None
        constraint = next((item for item in table.constraints if item.name == failure.constraint), None)
        if constraint is None:
            return
        fields = {name: self.step.field_of(name) for name in constraint.columns}
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
        known = {name: self.step.field_of(name) for name in self.step.updates}
        unlike = {name: handed[field.name] for name, field in known.items() if field}
        solver = self._solver(table)
        row = self.maker.numbered(table, solver.valid_row(unlike), _OCCUPIED + number)
        for name in self.step.conflict:
            if field := self.step.field_of(name):
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
        step = self.step
        arguments = {
            name: argument(solution.parameters.get(name), item.type) for name, item in step.parameters.items()
        }
        for column in table.columns:
            name = step.parameter_of(column.name)
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
        elif table.foreign(column.name) and self.step.inserts:
            self.maker.parents(table, {column.name: arguments[name]})

    def _item_parents(self, table: Table, record: Record, failure: Failure | None) -> None:
        """Write the rows that a record refers to, unless it is to fail for want of one."""
        if not record.item or (record.mark == "x" and failure and _is_foreign(table, failure)):
            return
        fields = {column.name: self.step.field_of(column.name) for column in table.columns}
        values = {name: record.item.get(field.name) for name, field in fields.items() if field}
        self.maker.parents(table, {name: value for name, value in values.items() if value != "unreadable"})

    def _hand_in(self, arguments: dict[str, Any], records: list[Record], handed: list[Record]) -> None:
        """Put what is handed in among the arguments, and number the records as they stand there."""
        step = self.step
        if step.source == "keys" and step.handed_in:
            # Backwards, so that a test can tell key order from input order.
            arguments[step.handed_in] = [item.key[step.key[0]] for item in reversed(handed)]
            for place, item in enumerate(reversed(handed), 1):
                records[records.index(item)] = replace(item, number=place)
        elif step.source == "records" and step.handed_in:
            for place, item in enumerate(handed, 1):
                records[records.index(item)] = replace(item, number=place)
            arguments[step.handed_in] = Jsonb([item.item for item in handed])

    # What will be

    def _foresee(self, records: list[Record], arguments: dict[str, Any], table: Table) -> list[Record]:
        """The records with the values that the operation's expressions have for them."""
        step = self.step
        if not step.sets:
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
            kept = step.updates if record.mark == "u" else tuple(written)
            result[place] = replace(record, after={name: written[name] for name in kept if name in written})
        return result

    def _after_query(self, table: Table) -> str:
        step = self.step
        parameters = ", ".join(
            f"%({name})s::{item.type} AS {quote(item.variable)}" for name, item in step.parameters.items()
        )
        fields = ", ".join(
            f"handed.{quote(item.name)} AS {item.variable.rsplit('.', 1)[-1]}" for item in step.fields
        )
        types = ", ".join(f"{quote(item.name)} {item.type}" for item in step.fields)
        record = f"FROM jsonb_to_record(asked.part -> 'item') AS handed ({types})" if fields else ""
        alias = quote(step.alias)
        values = []
        for name, value in step.sets.items():
            column = table.column(name)
            if column.generated:
                continue
            text = (column.default or "NULL") if value == "DEFAULT" else value
            values.append(f"{_literal(name)}, (({text})::{column.type})".replace("%", "%%"))
        row = f"(SELECT * FROM {step.table} AS target WHERE to_jsonb(target.*) @> (asked.part -> 'key'))"
        return (
            f"SELECT (asked.part ->> 'place')::integer, jsonb_build_object({', '.join(values)}) "
            "FROM jsonb_array_elements(%(specgen_asked)s) AS asked (part) "
            f"CROSS JOIN (SELECT {parameters or '1 AS specgen_nothing'}) AS parameters "
            f"CROSS JOIN LATERAL (SELECT {fields or '1 AS specgen_no_item'} {record}) "
            f"AS {quote(step.item)} " + ("" if step.inserts else f"CROSS JOIN LATERAL {row} AS {alias}")
        )

    def _refuse(self, table: Table, records: list[Record]) -> None:
        step = self.step
        event = "INSERT" if step.inserts else step.type.upper()
        names = step.key
        if step.inserts:
            names = tuple(name for name in step.sets if step.field_of(name) and name in table.unique_columns)
        for item in records:
            fields = {name: step.field_of(name) for name in names}
            part = (
                {name: (item.item or {}).get(field.name) for name, field in fields.items() if field}
                if step.inserts
                else item.key
            )
            self.connection.execute("INSERT INTO specgen_test.refused VALUES (%s)", (Jsonb(part),))
        self.connection.execute(
            f"CREATE TRIGGER specgen_test_refuse BEFORE {event} ON {table.name} "
            f"FOR EACH ROW EXECUTE FUNCTION specgen_test.refuse({_literal(step.key[0])})"
        )


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


def _by_parameter(step: Step, failure: Failure) -> bool:
    """Whether a value that all records share makes them fail."""
    if failure.constraint is None or failure.name == REFUSAL or failure.name.startswith("referenced by"):
        return False
    columns = (failure.column or "").split(", ")
    return failure.sqlstate[0] in ("23503", "23505") and not any(step.field_of(name) for name in columns)


def _is_foreign(table: Table, failure: Failure) -> bool:
    return any(item.name == failure.constraint for item in table.of_kind("f"))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
