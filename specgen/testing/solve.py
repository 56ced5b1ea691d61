"""Finds rows, records and parameters that meet conditions and checks, by asking the database.

Candidate values are joined with one another and PostgreSQL evaluates the very expressions of the
entity over them; nothing here interprets SQL. What no candidate meets is reported with the place
where values can be given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql as pgsql

from specgen.testing import candidates
from specgen.testing.advice import REMEDY, no_value
from specgen.testing.candidates import family
from specgen.testing.joins import distinct, quote, relation, where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from specgen.testing.catalog import Column, Constraint, Table
    from specgen.testing.subject import Step

_PROBED: dict[tuple[str, str], bool] = {}
"""Whether a text is a value of a type; that does not change while tests run."""


class Unsolvable(Exception):  # noqa: N818 - an answer, not a fault
    """No candidates meet what is asked for."""


class Unbreakable(Unsolvable):
    """Good data was found, but nothing that breaks what the test wants broken; perhaps nothing can."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record (for operations over records) and the row it meets (for those that meet one)."""

    item: dict[str, Any]
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Solution:
    """Parameters and, under them, records that are written, that fail, and rows that do not concern."""

    parameters: dict[str, Any]
    good: Found | None
    bad: Found | None
    other: dict[str, Any] | None


@dataclass(slots=True)
class Solver:
    """Searches for one step.

    Attributes:
        connection: Its transaction sees what the test has done so far.
        step: What the test file says.
        table: What the catalog says.
        extra: Name of a column, parameter or field to SQL constants that the user gives.
        title: What messages call it.
        preconditions: What must hold for its operation to begin.
    """

    connection: psycopg.Connection[Any]
    step: Step
    table: Table
    extra: Mapping[str, Sequence[str]]
    title: str
    preconditions: Sequence[str] = ()

    def solve(self, bad: Iterable[str] = (), *, good: bool = True, other: bool = True) -> Solution:
        """Find everything a test needs at once, so that it all holds under the same parameters.

        Args:
            bad: Conditions on the failing record; nothing is searched for when there are none.
            good: Whether a record that is written is needed.
            other: Whether a row that does not concern the operation would be welcome.

        Raises:
            Unsolvable: There is nothing like that among the candidates.
        """
        wanted_bad = list(bad)
        for difference in self._differences():
            found = self._solve(wanted_bad, difference, good=good, other=other)
            if found is not None:
                return found
        raise Unsolvable(self._help())

    def _differences(self) -> list[list[str]]:
        """What would tell the new row from the old one: all columns, any column, or nothing at all."""
        if self.step.type != "update":
            return [[]]
        alias = quote(self.step.alias)
        tests = []
        for name, value in self.step.sets.items():
            column = self.table.column(name)
            if not column.generated and family(column.type) is not None and value != "DEFAULT":
                tests.append(f"{alias}.{quote(name)} IS DISTINCT FROM ({value})::{column.type}")
        return [tests, [" OR ".join(tests)], []] if tests else [[]]

    def _solve(
        self, wanted_bad: list[str], difference: list[str], *, good: bool, other: bool
    ) -> Solution | None:
        parts: list[tuple[str, str]] = []
        if good:
            parts.append(("good", self._pair([*self.conditions(), *difference])))
        if wanted_bad:
            parts.append(("bad", self._pair(wanted_bad)))
        if other and not self.step.inserts:
            found = self._search([*parts, ("other", self._others())])
            if found is not None:
                return found
        return self._search(parts)

    def conditions(
        self, broken: str | None = None, null: str | None = None, rule: str | None = None
    ) -> list[str]:
        """What a record must meet to be tried, breaking one check, NOT NULL or rule if named."""
        result = [*self._before(), *self._rules(rule)]
        if rule is not None:
            return result  # what is invalid never comes as far as a constraint
        for check in self.table.checks:
            test = f"(SELECT ({check.expression}) FROM ({self._after()}) AS {quote(self.step.alias)})"
            result.append(f"{test} IS {'FALSE' if check.name == broken else 'NOT FALSE'}")
        for column in self.table.columns:
            if column.name not in self.step.sets or column.generated:
                continue
            value = self.step.sets[column.name]
            if value == "DEFAULT":
                continue
            if column.name == null:
                result.append(f"({value}) IS NULL")
            elif column.not_null:
                result.append(f"({value}) IS NOT NULL")
        return result

    def _rules(self, broken: str | None = None) -> list[str]:
        """The validation rules; those before a broken one hold, those behind it do not matter."""
        result = []
        for rule in self.step.rules:
            test = f"(SELECT ({rule}) FROM ({self._after()}) AS {quote(self.step.alias)})"
            result.append(f"{test} IS {'NOT TRUE' if rule == broken else 'TRUE'}")
            if rule == broken:
                break
        return result

    def valid_row(self, unlike: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Any row that the table takes; one that differs in the given values, where there is one."""
        mentioned = self._mentioned([item.expression or "" for item in self.table.checks])
        mentioned.names.update(unlike or ())
        relation = self._rows(mentioned)
        alias = quote(self.step.alias)
        differences = [
            f"to_jsonb({alias}.{quote(name)}) IS DISTINCT FROM {self._literal(json.dumps(value))}::jsonb"
            for name, value in (unlike or {}).items()
        ]
        for wanted in (differences, []):
            conditions = where([*self._valid(), *wanted])
            query = f"SELECT to_jsonb({alias}.*) FROM {relation} AS {alias}{conditions} LIMIT 1"
            row = self.connection.execute(query).fetchone()
            if row is not None:
                return dict(row[0])
        raise Unsolvable(self._help())

    def valueless(self) -> Iterator[Column]:
        """Yield the columns of which no value is known."""
        for column in self.table.columns:
            try:
                if not column.generated:
                    self._column(column, candidates.Mentions())
            except Unsolvable:
                yield column

    def _search(self, parts: list[tuple[str, str]]) -> Solution | None:
        laterals = "".join(f" CROSS JOIN LATERAL ({text}) AS {name}" for name, text in parts)
        columns = ", ".join(f"{name}.specgen_item, {name}.specgen_record" for name, _ in parts)
        allowed = where(list(self.preconditions))
        query = (
            f"SELECT to_jsonb(parameters.*){', ' if columns else ''}{columns} "
            f"FROM {self._parameters()} AS parameters{laterals}{allowed} LIMIT 1"
        )
        row = self.connection.execute(query).fetchone()
        if row is None:
            return None
        found = {name: Found(row[1 + 2 * n] or {}, row[2 + 2 * n] or {}) for n, (name, _) in enumerate(parts)}
        values = {name: row[0][item.variable] for name, item in self.step.parameters.items()}
        other = found["other"].row if "other" in found else None
        return Solution(values, found.get("good"), found.get("bad"), other)

    # What is asked

    def _before(self) -> list[str]:
        """The row that is met is valid and concerned."""
        if self.step.inserts:
            return []
        condition = [f"({self.step.condition}) IS TRUE"] if self.step.condition else []
        return [*self._valid(), *condition]

    def _valid(self) -> list[str]:
        return [f"({item.expression}) IS NOT FALSE" for item in self.table.checks]

    def _pair(self, conditions: list[str]) -> str:
        """A record, the row it meets, and the conditions on both."""
        alias, item = quote(self.step.alias), quote(self.step.item)
        source = f"{self._items()} AS {item}"
        record = "NULL::jsonb"
        if not self.step.inserts:
            source += f" CROSS JOIN {self._rows(self._interesting())} AS {alias}"
            record = f"to_jsonb({alias}.*)"
        return (
            f"SELECT to_jsonb({item}.*) AS specgen_item, {record} AS specgen_record "
            f"FROM {source}{where(conditions)} LIMIT 1"
        )

    def _others(self) -> str:
        alias, item = quote(self.step.alias), quote(self.step.item)
        conditions = self._valid()
        if self.step.condition:
            conditions.append(f"({self.step.condition}) IS NOT TRUE")
        elif self.step.source == "rows":
            conditions.append("false")
        return (
            f"SELECT NULL::jsonb AS specgen_item, to_jsonb({alias}.*) AS specgen_record "
            f"FROM {self._items()} AS {item} "
            f"CROSS JOIN {self._rows(self._interesting())} AS {alias}{where(conditions)} LIMIT 1"
        )

    def _after(self) -> str:
        """The row as the operation leaves it."""
        alias = quote(self.step.alias)
        columns = []
        for column in self.table.columns:
            if column.generated:
                continue
            value = self.step.sets.get(column.name)
            if value is None or value == "DEFAULT":
                value = (column.default or "NULL") if self.step.inserts else f"{alias}.{quote(column.name)}"
            columns.append(f"({value})::{column.type} AS {quote(column.name)}")
        return f"SELECT {', '.join(columns)}"

    # What is tried

    def _expressions(self) -> list[str]:
        step = self.step
        texts = [step.condition or "", *self.preconditions, *step.sets.values(), *step.rules]
        return [*texts, *(item.expression or "" for item in self.table.checks)]

    def _mentioned(self, expressions: list[str]) -> candidates.Mentions:
        return candidates.mentions([text for text in expressions if text])

    def _interesting(self) -> candidates.Mentions:
        return self._mentioned(self._expressions())

    def _parameters(self) -> str:
        mentioned = self._interesting()
        columns = []
        for name, item in self.step.parameters.items():
            assigned = [key for key, value in self.step.sets.items() if value == item.variable]
            columns.append(
                (item.variable, item.type, self._values(name, item.variable, item.type, assigned, mentioned))
            )
        return relation(columns)

    def _items(self) -> str:
        mentioned = self._interesting()
        columns = []
        for item in self.step.fields:
            short = item.variable.rsplit(".", 1)[-1].strip('"')
            assigned = [key for key in self.step.sets if self.step.field_of(key) == item]
            if item.name in self.step.match_on:
                assigned.append(item.name)
            columns.append((short, item.type, self._values(item.name, short, item.type, assigned, mentioned)))
        return relation(columns)

    def _values(
        self, name: str, variable: str, kind: str, assigned: list[str], mentioned: candidates.Mentions
    ) -> list[str]:
        """Candidates of a parameter or field: its own, and those of the columns it meets."""
        known = {item.name: item for item in self.table.columns}
        met = [*assigned, *(key for key in sorted(mentioned.partners.get(variable, ())) if key in known)]
        texts = [*self.extra.get(name, ()), *_own(mentioned.values.get(variable, ()))]
        for key in met:
            texts += self._given(known[key])
            texts += candidates.of_domain(known[key].domain)
            if foreign := self.table.foreign(key):
                texts += [self._literal(candidates.nth(known[key].type, 1))] if foreign else []
            texts += _own(mentioned.values.get(key, ()))
            labels = self._labels(known[key])
            listed = kind.endswith("[]") and not known[key].type.endswith("[]")
            texts += [f"ARRAY[{label}]" for label in labels] if listed else labels
            if known[key].type == kind:
                texts += candidates.of_type(kind, element=known[key].element)
        texts += candidates.of_type(kind)
        return self._usable([*texts, "NULL"], kind)

    def _given(self, column: Column) -> list[str]:
        """The values that the user gives for a column."""
        own = self.step.examples.get(column.name, ())
        return distinct([*self.extra.get(column.name, ()), *own, *column.examples])

    def _usable(self, texts: Iterable[str], kind: str) -> list[str]:
        """The candidates that are values of a type; what mentions a parameter is taken on trust.

        But no list is made of a parameter that is none: PostgreSQL would read its text as an array.
        """
        lists = any(item.type.endswith("[]") for item in self.step.parameters.values())
        trusted = lists or not kind.endswith("[]")
        return distinct(text for text in texts if (trusted and "p_" in text) or self._is_value(text, kind))

    def _is_value(self, text: str, kind: str) -> bool:
        if (text, kind) not in _PROBED:
            try:
                with self.connection.transaction():
                    self.connection.execute(f"SELECT ({text})::{kind}")
            except psycopg.Error:
                _PROBED[text, kind] = False
            else:
                _PROBED[text, kind] = True
        return _PROBED[text, kind]

    def _rows(self, mentioned: candidates.Mentions) -> str:
        columns = []
        for column in self.table.columns:
            if column.generated:
                continue
            columns.append((column.name, column.type, self._column(column, mentioned)))
        return relation(columns)

    def _column(self, column: Column, mentioned: candidates.Mentions) -> list[str]:
        texts = self._given(column)
        partners = self._partners(column, mentioned)
        first = self._first(column)
        if column.name in self.table.unique_columns and (self.table.foreign(column.name) or not texts):
            if first is not None and not partners:
                return [first]
            texts += [first] if first is not None else []
        elif self.table.foreign(column.name) and (first is not None or not column.domain):
            return [first or "NULL"]
        texts += candidates.of_domain(column.domain)
        texts += [*mentioned.values.get(column.name, ()), *partners]
        texts += [f"specgen_test.nearby({item}, {by})" for item in partners for by in (1, -1)]
        texts += self._labels(column) + candidates.of_type(
            column.type, labels=column.labels, element=column.element
        )
        if column.default:
            texts.append(column.default)
        if not column.not_null:
            texts.append("NULL")
        texts = self._usable(texts, column.type)
        if not texts:
            raise Unsolvable(no_value(self.table, column))
        return texts if column.name in mentioned.names else texts[:1]

    def _first(self, column: Column) -> str | None:
        """The first of the values that are numbered, where the column takes it."""
        value = candidates.nth(column.type, 1, column.element)
        text = None if value is None else self._literal(value)
        return text if text is None or not column.domain or self._is_value(text, column.type) else None

    def _partners(self, column: Column, mentioned: candidates.Mentions) -> list[str]:
        """The parameters whose value a column may have; a list of its values is none."""
        array = column.type.endswith("[]")
        lists = {item.variable for item in self.step.parameters.values() if item.type.endswith("[]") != array}
        met = mentioned.partners.get(column.name, ())
        return [item for item in met if item.startswith("p_") and item not in lists]

    def _labels(self, column: Column) -> list[str]:
        return candidates.of_type(column.type, labels=column.labels) if column.labels else []

    def _literal(self, value: Any) -> str:
        return pgsql.Literal(value).as_string(self.connection)

    def _help(self) -> str:
        for column in self.valueless():
            return no_value(self.table, column)
        rules = [self.step.condition or "", *(item.expression or "" for item in self.table.checks)]
        asked = " AND ".join(text for text in rules if text) or "the operation"
        return f"{self.title}: no candidates meet {asked}; {REMEDY}"


def broken(solver: Solver, constraint: Constraint) -> list[str]:
    """The conditions of a record that breaks one check."""
    return solver.conditions(broken=constraint.name)


def _own(texts: Iterable[str]) -> list[str]:
    """Values that do not depend on another parameter, which is not in sight."""
    return [text for text in texts if "p_" not in text]
