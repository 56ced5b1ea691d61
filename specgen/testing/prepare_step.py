"""Prepares one step: its rows and records as for an operation of its own, and what it reads of others.

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
from specgen.testing.joins import quote
from specgen.testing.prepare import Preparation, snapshot
from specgen.testing.solve import Unbreakable, Unsolvable
from specgen.testing.stand_in import StandIn
from specgen.testing.stepped import ElementsOf, OutputOf, ResultOf, RowsOf, Step, Stepped
from specgen.testing.subject import REFUSAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specgen.testing.make import Maker
    from specgen.testing.subject import Operation

_HANDED = "specgen_records"
_BESIDE = 25_000


@dataclass(slots=True, kw_only=True)
class StepCase(Case):
    """What one step gets, and what it must do.

    Attributes:
        whole: The operation that it belongs to.
        step: What it is about.
        outputs: What stands in place of the outputs of earlier steps.
        stand_in: What stands in place of the function that it calls.
    """

    whole: Stepped
    step: Step
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stand_in: StandIn | None = None

    def kept(self, records: list[Record], size: int) -> list[dict[str, Any]]:
        """What the step must keep of these records in batches of a size: by batch, in input order within."""
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
                name = str(self.operation.handed_in)
                records = self.arguments[name].obj
                self.arguments[name] = Jsonb([*records, records[number - 1]])
                return dict(records[number - 1])


@dataclass(slots=True)
class StepPreparation:
    """The making of one case of a step."""

    connection: psycopg.Connection[Any]
    whole: Stepped
    step: Step
    maker: Maker
    extra: Mapping[str, Sequence[str]]
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stand_in: bool = True

    def prepare(self, layout: str, failing: str | None = None) -> StepCase:
        """Write the rows and put together the arguments, and the outputs of earlier steps.

        Args:
            layout: A letter a record, see ``specgen.testing.prepare``.
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
        case.snapshot = snapshot(self.connection, case.operation)
        return case

    # A step that reads or writes rows

    def _written(self, layout: str, failing: str | None) -> StepCase:
        subject = self.whole.subject(self.step)
        if self.step.through:
            subject = replace(subject, handed_in=_HANDED)
        bound, partners = self._bound(subject)
        made = Preparation(self.connection, bound, self.maker, self.extra).prepare(layout, failing)
        arguments = dict(made.arguments)
        handed = [item for item in made.records if item.mark != "-"]
        if self.step.through:
            arguments.pop(_HANDED, None)
            self._put(handed, arguments)
            made.records = self._in_order(made.records)
        for variable, column in self.step.lists.items():
            if column.keys:
                self._list(column.step, column.column, arguments.pop(str(subject.handed_in)))
            elif variable in partners:
                self._list(column.step, column.column, self._met(subject, made, partners[variable], layout))
            else:
                self._list(column.step, column.column, self._two(column.type))
        return StepCase(
            operation=replace(bound, condition=subject.condition, handed_in=self.step.does.handed_in),
            arguments=arguments,
            records=made.records,
            unstable=made.unstable,
            failure=made.failure,
            whole=self.whole,
            step=self.step,
            outputs=self.outputs,
        )

    def _bound(self, subject: Operation) -> tuple[Operation, dict[str, str]]:
        """The step with its lists replaced: by whatever holds the row's own value, else by two values."""
        table = self.maker.table(subject.table)
        known = {item.name for item in table.columns}
        condition, sets = subject.condition, dict(subject.sets)
        for variable in self.step.lists:
            # Written so that PostgreSQL hashes the values; a search needs to see whom they meet.
            condition = condition and condition.replace(f"(SELECT unnest({variable}))", f"({variable})")
        met = candidates.mentions([condition] if condition else []).partners
        partners: dict[str, str] = {}
        for variable, column in self.step.lists.items():
            name = next((item for item in sorted(met.get(variable.strip('"'), ())) if item in known), None)
            constant = self._array(self._two(column.type), column.type)
            sets = {key: _replaced(value, variable, constant) for key, value in sets.items()}
            if condition is not None and name is not None:
                partners[variable] = name
                condition = _replaced(condition, variable, f"ARRAY[{quote(name)}]")
            elif condition is not None:
                condition = _replaced(condition, variable, constant)
        return replace(subject, condition=condition, sets=sets), partners

    def _met(self, subject: Operation, made: Case, name: str, layout: str) -> list[Any]:
        """The values by which the prepared rows are found; a row like them is not among those."""
        table = self.maker.table(subject.table)
        rows = [row for _, row in snapshot(self.connection, subject).values()]
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
                raise Unbreakable(f"{self.step.does.name}: {name} takes no such row: {error}") from None

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

    def _called(self, layout: str) -> StepCase:
        """Records whose fields are numbers, so to speak, and a stand-in for the function."""
        assert self.step.calls is not None
        subject = self.whole.subject(self.step)
        marks = layout.replace("-", "") if subject.source != "single" else layout[:1]
        records = [
            Record(mark, number, {}, {item.name: self._nth(item.type, number) for item in subject.fields})
            for number, mark in enumerate(marks, 1)
        ]
        arguments: dict[str, Any] = {}
        self._put(records, arguments)
        if subject.handed_in and self.step.through is None:
            arguments[subject.handed_in] = Jsonb([item.item for item in records])
        for column in self.step.lists.values():
            self._list(column.step, column.column, self._two(column.type))
        stand_in = StandIn.install(self.connection, self.step.calls, subject) if self.stand_in else None
        case = StepCase(
            operation=subject,
            arguments=arguments,
            records=records,
            failure=Failure(REFUSAL, ("P0001",), "specgen_test_refusal", None) if "x" in marks else None,
            whole=self.whole,
            step=self.step,
            outputs=self.outputs,
            stand_in=stand_in,
        )
        self._complete(arguments)
        if stand_in:
            stand_in.refuse(case.failing, self._values(arguments))
        return case

    def calls(self, case: StepCase, batches: list[list[Record]]) -> list[list[Any]]:
        """The arguments of the calls that must be made for records that come in these batches."""
        assert case.stand_in is not None
        return case.stand_in.expected(batches, self._values(case.arguments))

    def _values(self, arguments: dict[str, Any]) -> dict[str, tuple[str, Any]]:
        """What the expressions of the call may name besides the record: variable to type and value."""
        found = {
            item.variable: (item.type, arguments.get(name))
            for name, item in self.step.does.parameters.items()
        }
        for variable, column in self.step.lists.items():
            rows = [row.get(column.column) for row in self.outputs.get(column.step, [])]
            found[variable.strip('"')] = (f"{column.type}[]", rows)
        return found

    # A step that goes through a query

    def _as_it_is(self) -> StepCase:
        """Rows in the tables that the query reads, and the records that it then yields."""
        assert isinstance(self.step.through, ResultOf)
        subject = self.whole.subject(self.step)
        fields = {item.name for item in subject.fields}
        for name in self._tables(self.step.through.query, subject):
            for place in range(1, 7):
                self._row_for(name, fields, place)
        arguments: dict[str, Any] = {}
        self._complete(arguments)
        query = self.step.through.query.replace("%", "%%")
        for name, item in self.whole.parameters.items():
            query = _replaced(query, quote(item.variable), f"(%({name})s::{item.type})")
            query = _replaced(query, item.variable, f"(%({name})s::{item.type})")
        rows = self.connection.execute(f"SELECT record FROM ({query}) AS found", arguments).fetchall()
        if not rows:
            raise Unbreakable(
                f"{subject.name}: the query yields nothing on rows that are made up; "
                "write rows that it finds in a fixture specgen_setup of your conftest.py"
            )
        records = [Record("g", number, {}, dict(row[0])) for number, row in enumerate(rows, 1)]
        return StepCase(
            operation=subject, arguments=arguments, records=records, whole=self.whole, step=self.step
        )

    def _tables(self, query: str, subject: Operation) -> list[str]:
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
        if subject.inserts:
            return [name for name in found if name != subject.table]
        return list(dict.fromkeys((*found, subject.table)))

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
        for name, item in self.whole.parameters.items():
            if name not in arguments:
                arguments[name] = self._some(name, item.type)

    def _some(self, name: str, kind: str) -> str | None:
        for text in (*self.extra.get(name, ()), *candidates.of_type(kind)):
            row = self.connection.execute(f"SELECT ({text})::{kind}::text").fetchone()
            return str(row[0]) if row else None
        if kind.endswith("[]"):
            return "{}"
        raise Unsolvable(f"{self.whole.name}: no value is known for {name} ({kind}); {REMEDY}")

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
