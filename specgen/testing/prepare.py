"""Prepares one step of a call: its rows and records, and what it reads of other steps.

What an earlier step yields is put in its place: records for a step that goes through an output, values
for a step that reads a column of one. So a step is tested whatever the functions before it do.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from specgen.testing import candidates
from specgen.testing.advice import REMEDY
from specgen.testing.case import Case, Failure, Record
from specgen.testing.catalog import snapshot
from specgen.testing.joins import quote
from specgen.testing.rows import Rows
from specgen.testing.solve import Unbreakable, Unsolvable
from specgen.testing.stand_in import StandIn
from specgen.testing.subject import REFUSAL, ElementsOf, OutputOf, ResultOf, RowsOf, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specgen.testing.make import Maker
    from specgen.testing.rows import Prepared
    from specgen.testing.subject import Operation

_HANDED = "specgen_records"
_BESIDE = 25_000


@dataclass(slots=True)
class Preparation:
    """The making of one case.

    Attributes:
        alone: Whether the step is to run by itself, and a function that it calls is to be replaced.
    """

    connection: psycopg.Connection[Any]
    operation: Operation
    step: Step
    maker: Maker
    extra: Mapping[str, Sequence[str]]
    alone: bool = True
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def prepare(self, layout: str, failing: str | None = None) -> Case:
        """Write the rows and put together the arguments, and the outputs of earlier steps.

        Args:
            layout: A letter a record, see ``specgen.testing.rows``.
            failing: How ``x`` fails; None for the first way that the step has.

        Raises:
            Unsolvable: No data could be found.
        """
        if isinstance(self.step.through, ResultOf):
            case = self._as_it_is()
        elif self.step.calls:
            case = self._called(layout)
        else:
            case = self._written(layout, failing)
        self._complete(case.arguments)
        case.snapshot = snapshot(self.connection, case.step)
        return case

    # A step that reads or writes rows

    def _written(self, layout: str, failing: str | None) -> Case:
        step = replace(self.step, handed_in=_HANDED) if self.step.through else self.step
        bound, partners = self._bound(step)
        title, allowed = self.operation.titled(step), self.operation.preconditions
        made = Rows(self.connection, bound, self.maker, self.extra, title, allowed).prepare(layout, failing)
        arguments, records = dict(made.arguments), made.records
        if self.step.through:
            arguments.pop(_HANDED, None)
            self._put(records, arguments)
            records = self._in_order(records)
        for variable, column in self.step.lists.items():
            if column.keys:
                self._list(column.step, column.column, arguments.pop(str(step.handed_in)))
            elif variable in partners:
                self._list(column.step, column.column, self._met(made, partners[variable], layout))
            else:
                self._list(column.step, column.column, self._two(column.type))
        return Case(
            operation=self.operation,
            step=replace(bound, condition=self.step.condition, handed_in=self.step.handed_in),
            arguments=arguments,
            records=records,
            unstable=made.unstable,
            failure=made.failure,
            outputs=self.outputs,
            alone=self.alone,
        )

    def _bound(self, step: Step) -> tuple[Step, dict[str, str]]:
        """The step with its lists replaced: by whatever holds the row's own value, else by two values."""
        table = self.maker.table(step.table)
        known = {item.name for item in table.columns}
        condition, sets = step.condition, dict(step.sets)
        for variable in step.lists:
            # Written so that PostgreSQL hashes the values; a search needs to see whom they meet.
            condition = condition and condition.replace(f"(SELECT unnest({variable}))", f"({variable})")
        met = candidates.mentions([condition] if condition else []).partners
        partners: dict[str, str] = {}
        for variable, column in step.lists.items():
            name = next((item for item in sorted(met.get(variable.strip('"'), ())) if item in known), None)
            constant = self._array(self._two(column.type), column.type)
            sets = {key: _replaced(value, variable, constant) for key, value in sets.items()}
            if condition is not None and name is not None:
                partners[variable] = name
                condition = _replaced(condition, variable, f"ARRAY[{quote(name)}]")
            elif condition is not None:
                condition = _replaced(condition, variable, constant)
        return replace(step, condition=condition, sets=sets), partners

    def _met(self, made: Prepared, name: str, layout: str) -> list[Any]:
        """The values by which the prepared rows are found; a row like them is not among those."""
        table = self.maker.table(self.step.table)
        rows = [row for _, row in snapshot(self.connection, self.step).values()]
        values = [row[name] for row in rows if row[name] is not None]
        like = next((item.before for item in made.records if item.mark == "g" and item.before), None)
        if "-" in layout and like and name in table.unique_columns:
            self.maker.insert(table, self.maker.numbered(table, dict(like), _BESIDE))
        return list(reversed(dict.fromkeys(values)))

    def _put(self, records: list[Record], arguments: dict[str, Any]) -> None:
        """Put the records where the step finds them."""
        items = [item.item or {} for item in sorted(records, key=lambda item: item.number)]
        match self.step.through:
            case OutputOf(step):
                self.outputs[step] = items
            case ElementsOf(parameter):
                arguments[parameter] = [item["value"] for item in items]
            case RowsOf(name, order_by):
                self._fill(name, items, ordered=bool(order_by))
            case _:
                pass

    def _fill(self, name: str, items: list[dict[str, Any]], *, ordered: bool) -> None:
        """Write records as rows of the table that the step goes through."""
        table = self.maker.table(name)
        known = {item.name for item in table.columns}
        numbered = list(enumerate(items, 1))
        if ordered:
            # Backwards, so that a test can tell the order of keys from that of rows in the table.
            numbered.reverse()
        for place, item in numbered:
            row = self.maker.numbered(table, self.maker.valid(table), place)
            row |= {key: value for key, value in item.items() if key in known}
            try:
                with self.connection.transaction():
                    self.maker.insert(table, row)
            except (psycopg.Error, Unsolvable) as error:
                title = self.operation.titled(self.step)
                raise Unbreakable(f"{title}: {name} takes no such row: {error}") from None

    def _in_order(self, records: list[Record]) -> list[Record]:
        """The records as the step comes by them: a table with a key is gone through in its order."""
        match self.step.through:
            case RowsOf(name, order_by) if order_by and all(
                set(order_by) <= set(item.item or ()) for item in records
            ):
                columns = ", ".join(map(quote, order_by))
                rows = self.connection.execute(
                    f"SELECT jsonb_build_array({columns}) FROM {name} ORDER BY {columns}"
                ).fetchall()
                places = {json.dumps(row[0]): place for place, row in enumerate(rows, 1)}
                found = [
                    replace(item, number=places[json.dumps([(item.item or {})[key] for key in order_by])])
                    for item in records
                ]
                return sorted(found, key=lambda item: item.number)
            case _:
                return records

    def _list(self, step: str, column: str, values: list[Any]) -> None:
        rows = self.outputs.setdefault(step, [])
        rows += [{} for _ in range(len(values) - len(rows))]
        for row, value in zip(rows, values, strict=False):
            row[column] = value

    # A step that calls a function

    def _called(self, layout: str) -> Case:
        """Records whose fields are numbers, so to speak, and a stand-in for the function."""
        step = self.step
        assert step.calls is not None
        marks = layout.replace("-", "") if step.shared else layout[:1]
        records = [
            Record(mark, number, {}, {item.name: self._nth(item.type, number) for item in step.fields})
            for number, mark in enumerate(marks, 1)
        ]
        arguments: dict[str, Any] = {}
        self._put(records, arguments)
        if step.handed_in and step.through is None:
            arguments[step.handed_in] = Jsonb([item.item for item in records])
        for column in step.lists.values():
            self._list(column.step, column.column, self._two(column.type))
        stand_in = StandIn.install(self.connection, step.calls, step) if self.alone else None
        case = Case(
            operation=self.operation,
            step=step,
            arguments=arguments,
            records=records,
            failure=Failure(REFUSAL, ("P0001",), "specgen_test_refusal", None) if "x" in marks else None,
            outputs=self.outputs,
            stand_in=stand_in,
            alone=self.alone,
        )
        self._complete(arguments)
        if stand_in:
            stand_in.refuse(case.failing, self._values(arguments))
        return case

    def calls(self, case: Case, batches: list[list[Record]]) -> list[list[Any]]:
        """The arguments of the calls that must be made for records that come in these batches."""
        assert case.stand_in is not None
        return case.stand_in.expected(batches, self._values(case.arguments))

    def _values(self, arguments: dict[str, Any]) -> dict[str, tuple[str, Any]]:
        """What the expressions of the call may name besides the record: variable to type and value."""
        found = {
            item.variable: (item.type, arguments.get(name)) for name, item in self.step.parameters.items()
        }
        for variable, column in self.step.lists.items():
            rows = [row.get(column.column) for row in self.outputs.get(column.step, [])]
            found[variable.strip('"')] = (f"{column.type}[]", rows)
        return found

    # A step that goes through a query

    def _as_it_is(self) -> Case:
        """Rows in the tables that the query reads, and the records that it then yields."""
        assert isinstance(self.step.through, ResultOf)
        fields = {item.name for item in self.step.fields}
        for name in self._tables(self.step.through.query):
            for place in range(1, 7):
                self._row_for(name, fields, place)
        arguments: dict[str, Any] = {}
        self._complete(arguments)
        query = self.step.through.query.replace("%", "%%")
        for name, item in self.operation.parameters.items():
            query = _replaced(query, quote(item.variable), f"(%({name})s::{item.type})")
            query = _replaced(query, item.variable, f"(%({name})s::{item.type})")
        rows = self.connection.execute(f"SELECT record FROM ({query}) AS found", arguments).fetchall()
        if not rows:
            raise Unbreakable(
                f"{self.operation.titled(self.step)}: the query yields nothing on rows that are made up; "
                "write rows that it finds in a fixture specgen_setup of your conftest.py"
            )
        records = [Record("g", number, {}, dict(row[0])) for number, row in enumerate(rows, 1)]
        return Case(self.operation, self.step, arguments, records, alone=self.alone)

    def _tables(self, query: str) -> list[str]:
        """The tables that a query reads, and for an update or delete the one whose rows its records meet."""
        query_of_name = """
            SELECT format('%%I.%%I', n.nspname, c.relname)
              FROM pg_class AS c
              JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.oid = to_regclass(%s)
               AND c.relkind IN ('r', 'p')
        """
        found = [
            str(row[0])
            for name in sorted(candidates.tables_of(query))
            for row in self.connection.execute(query_of_name, (name,)).fetchall()
        ]
        if self.step.inserts:
            return [name for name in found if name != self.step.table]
        return list(dict.fromkeys((*found, self.step.table)))

    def _row_for(self, name: str, fields: set[str], place: int) -> None:
        table = self.maker.table(name)
        row = self.maker.numbered(table, self.maker.valid(table), place)
        checked = {column for check in table.checks for column in check.columns}
        for column in table.columns:
            free = not column.generated and not table.foreign(column.name) and column.name not in checked
            value = candidates.nth(column.type, place, column.element)
            if free and column.name in fields and value is not None:
                row[column.name] = value
        self.maker.insert(table, row)

    # Values

    def _complete(self, arguments: dict[str, Any]) -> None:
        """Add some value for each parameter that the step does not read."""
        for name, item in self.operation.parameters.items():
            if name not in arguments:
                arguments[name] = self._some(name, item.type)

    def _some(self, name: str, kind: str) -> str | None:
        for text in (*self.extra.get(name, ()), *candidates.of_type(kind)):
            row = self.connection.execute(f"SELECT ({text})::{kind}::text").fetchone()
            return str(row[0]) if row else None
        if kind.endswith("[]"):
            return "{}"
        raise Unsolvable(f"{self.operation.name}: no value is known for {name} ({kind}); {REMEDY}")

    def _nth(self, kind: str, number: int) -> Any:
        value = candidates.nth(kind, number)
        texts = candidates.of_type(kind) if value is None else []
        if not texts:
            return value
        # Of a type of few values, such as boolean, one after the other.
        text = texts[number % len(texts)]
        row = self.connection.execute(f"SELECT to_jsonb(({text})::{kind})").fetchone()
        return row[0] if row else None

    def _two(self, kind: str) -> list[Any]:
        return [value for value in (self._nth(kind, 1), self._nth(kind, 2)) if value is not None]

    def _array(self, values: list[Any], kind: str) -> str:
        inner = ", ".join(psycopg.sql.Literal(value).as_string(self.connection) for value in values)
        return f"ARRAY[{inner}]::{kind}[]"


def _replaced(text: str, variable: str, by: str) -> str:
    """An expression with a variable replaced."""
    return re.sub(rf'(?<![\w$"]){re.escape(variable)}(?![\w$"])', lambda _: by, text)
