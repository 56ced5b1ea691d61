"""What can be told of a record before it is written: by the spec's rules, by the entity's constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.expressions import INSERTING, Expressions, names_of, value_names
from specgen.plan.parts import PlannedAssignment, PlannedRule
from specgen.plan.sieve import Sieve, refusals
from specgen.plan.sqltext import ident
from specgen.spec.model import Expression, Field, Literal, Reference, SingleSource, Steps

if TYPE_CHECKING:
    from specgen.plan.parts import PlannedParameter
    from specgen.plan.records import Records
    from specgen.spec.fragments import SqlFragment


class Beforehand:
    """The rules and the sieve of one operation, or one step."""

    def __init__(self, names: Expressions, records: Records) -> None:
        self.names = names
        self.records = records
        self.operation = names.operation
        self.target = names.target

    def rules(self) -> tuple[PlannedRule, ...]:
        """Return the spec's rules for each record."""
        return tuple(self._rule(item) for item in self.operation.validation.rules)

    def _rule(self, rule: SqlFragment) -> PlannedRule:
        columns = tuple(dict.fromkeys(item.name for item in rule.columns))
        only = columns[0] if len(columns) == 1 else None
        return PlannedRule(
            condition=self.names.sql(rule),
            source=rule.source.strip(),
            column=only,
            column_qualified=f"{ident(self.target.table)}.{ident(only)}" if only else "",
            origin=f"validation_rules, {rule.span.file}:{rule.span.start.line}",
        )

    def rule_columns(self, assignments: tuple[PlannedAssignment, ...]) -> tuple[PlannedAssignment, ...]:
        """Return the row as it will be, as far as rules look at it, and its place in the batch."""
        named = self._ruled_columns()
        given = {item.column: item.value for item in assignments if item.value != "DEFAULT"}
        plain = {
            item.column
            for item in self.operation.data
            if isinstance(item.value, Reference) and item.value.field == item.column
        }
        return tuple(
            PlannedAssignment(
                item.name,
                given[item.name] if item.name in plain else self._as_written(item, given.get(item.name)),
            )
            for item in self.target.fields
            if item.name in named
        )

    def _ruled_columns(self) -> frozenset[str]:
        return frozenset(item.name for rule in self.operation.validation.rules for item in rule.columns)

    def _as_written(self, field: Field, value: str | None) -> str:
        """What a column will hold, of its own type."""
        inserting = self.operation.type in INSERTING
        if value is None and inserting:
            if not self.target.managed:
                return self.names.drawn(field.name)
            if isinstance(field.default, Literal | Expression):
                value = self.names.value(field.default, field.name)
        return f"({value})::{field.type.sql}" if value else self._untouched(field, inserting)

    def rule_parameters(self) -> tuple[PlannedParameter, ...]:
        """Return the parameters that the rules, or what they look at, need."""
        ruled = self._ruled_columns()
        names = {name for rule in self.operation.validation.rules for name in names_of(rule)}
        names |= names_of(self.operation.where)
        for item in self.operation.data:
            if item.column in ruled:
                names |= value_names(item.value)
        return tuple(item for item in self.names.parameters if item.name in names)

    def sieve(self, assignments: tuple[PlannedAssignment, ...]) -> Sieve | None:
        """Return what the entity's constraints tell, if they tell anything."""
        named = {item.column for item in assignments}
        found = refusals(
            self.target, {item.column: item.value for item in self.operation.data if item.column in named}
        )
        if not found or isinstance(self.operation.source, SingleSource | Steps) or self.operation.call:
            return None
        looked_at = frozenset[str]().union(*(item.columns for item in found))
        inserting = self.operation.type in INSERTING
        given = {item.column: item.value for item in assignments}
        place = naming.free("batch_place", self.names.columns)
        columns = [
            PlannedAssignment(item.name, given.get(item.name) or self._untouched(item, inserting))
            for item in self.target.fields
            if item.name in looked_at
        ]
        columns.append(PlannedAssignment(place, self.records.place()))
        return Sieve(tuple(item.condition for item in found), tuple(columns), ident(place))

    def _untouched(self, field: Field, inserting: bool) -> str:  # noqa: FBT001
        return f"NULL::{field.type.sql}" if inserting else f"{ident(self.target.table)}.{ident(field.name)}"
