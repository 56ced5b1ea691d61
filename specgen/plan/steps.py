"""From one step of a valid operation to its plan: what it goes through, and what it does with a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.beforehand import Beforehand
from specgen.plan.driving import (
    RECORDS,
    Keys,
    Output,
    Query,
    Relation,
    Rows,
    Single,
    WalkedKey,
)
from specgen.plan.driving import (
    Records as HandedIn,
)
from specgen.plan.expressions import INSERTING, names_of, value_names
from specgen.plan.functions import quote_of
from specgen.plan.keys import identity_key, planned_key
from specgen.plan.naming import QualifiedName
from specgen.plan.parts import Body, Condition, FunctionArgument, PlannedAssignment, Routine
from specgen.plan.path import fragments, search_path
from specgen.plan.planned import Identity, PlannedStep, Rules, Suspects
from specgen.plan.relations import relation_query
from specgen.plan.settings import step_settings
from specgen.plan.snapshot import texts_of
from specgen.plan.sqltext import ident, literal
from specgen.plan.writes import (
    Call,
    Delete,
    Insert,
    KeptRows,
    Returning,
    Select,
    Update,
    Upsert,
    kept_columns,
)
from specgen.spec.model import (
    ErrorIsolation,
    Expression,
    KeySource,
    ListRows,
    Literal,
    OperationType,
    QueryRows,
    RecordSource,
    Reference,
    RelationSource,
    RowSource,
    SingleSource,
    StepRows,
    Steps,
)

if TYPE_CHECKING:
    from specgen.plan.driving import Driving
    from specgen.plan.parts import PlannedParameter
    from specgen.plan.records import Records
    from specgen.plan.writes import Write
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.model import Argument, FunctionCall, Settings, Step


def plan_step(step: Step, records: Records, settings: Settings) -> PlannedStep:
    """Decide everything about one step.

    Args:
        step: What the spec says.
        records: What a batch of it is a list of, and the names in its expressions.
        settings: The project's settings.
    """
    return _Planner(step, records, settings).plan()


class _Planner:
    def __init__(self, step: Step, records: Records, settings: Settings) -> None:
        self.step = step
        self.operation = step.operation
        self.target = records.target
        self.settings = settings
        self.records = records
        self.names = records.names
        self.beforehand = Beforehand(records.names, records)
        self.inner = naming.operation_names(
            records.target.schema, step.operation.name, settings.runtime_schema
        )
        self.condition = self._condition()
        self.assignments = self._assignments()

    def plan(self) -> PlannedStep:
        """Put it together."""
        operation, target, numbers = self.operation, self.target, self.names.step_numbers
        table = QualifiedName(target.schema, target.table)
        condition = self._planned_condition()
        driving = self._driving()
        write = self._write()
        kept = kept_columns(write)
        rows = f"SETOF {ident(self.settings.runtime_schema)}.batch_written"
        returns = "bigint" if kept is None else rows
        routine = self._routine(self.inner.write, _batch(driving), self._write_names(), returns)
        identity, rules, suspects = self._identity(), self._rules(), self._suspects(driving)
        parameters = self.names.parameters
        texts = texts_of((table, parameters, condition, driving, write, routine, identity, rules, suspects))
        return PlannedStep(
            name=self.step.name,
            number=numbers[self.step.name],
            depends_on=tuple(sorted(numbers[name] for name in self.step.depends_on)),
            waits_for=self.step.depends_on,
            entity=target.name,
            origin=f"{operation.span.file}:{operation.span.start.line}",
            runtime=self.settings.runtime_schema,
            table=table,
            parameters=parameters,
            condition=condition,
            driving=driving,
            write=write,
            routine=routine,
            key=planned_key(self.records),
            identity=identity,
            rules=rules,
            suspects=suspects,
            validates=operation.validation.looks,
            settings=step_settings(self.step, kept),
            body=Body(search_path(self.records, self.settings), quote_of(texts), bool(self.names.clashing)),
            sources=tuple(item.source for item in fragments(self.records)),
        )

    # What it goes through

    def _driving(self) -> Driving:
        match self.operation.source:
            case RowSource():
                key = WalkedKey(self.records.key_columns())
                where = names_of(self.condition)
                return Rows(
                    key,
                    self._routine(self.inner.keys, (), where, key.returned),
                    self._routine(self.inner.between, key.bounds, where, key.returned),
                )
            case KeySource(parameter=name):
                key = WalkedKey(self.records.key_columns())
                return Keys(key, self._handed_in(name), self._matching(key))
            case RecordSource(parameter=name, csv=csv):
                return HandedIn(self.records.shape(), self._handed_in(name), csv)
            case RelationSource() as source:
                return Relation(self.records.shape(), self._reads(source))
            case SingleSource():
                return Single(self.records.shape())
            case Steps():
                raise AssertionError("a step has no steps")

    def _handed_in(self, name: str) -> PlannedParameter:
        found = self.names.named(name)
        assert found is not None, name
        return found

    def _matching(self, key: WalkedKey) -> Routine | None:
        """Of handed-in keys it has to be told which rows a failing batch would have written."""
        if self.condition is None or self.operation.errors.isolation is not ErrorIsolation.BATCH:
            return None
        return self._routine(self.inner.matching, key.listed, names_of(self.condition), key.returned)

    def _reads(self, source: RelationSource) -> Query | Output:
        match source.relation:
            case StepRows(step):
                return Output(step, self.names.step_numbers[step], source.names[-1])
            case relation:
                pass
        match relation:
            case ListRows(parameter=name):
                read = frozenset({name})
            case QueryRows(query):
                read = names_of(query)
            case _:
                read = frozenset()
        sql = relation_query(
            relation,
            variable=lambda name: self.names.reference(name, None),
            is_own=lambda name: (named := self.names.named(name)) is not None and named.is_own,
            sql=self.names.sql,
        )
        return Query(
            sql=sql,
            origin=f"{source.span.file}:{source.span.start.line}",
            routine=self._routine(self.inner.records, (), read, "SETOF jsonb"),
            same_columns=not isinstance(relation, ListRows),
        )

    # What it does with a batch

    def _write(self) -> Write:
        operation, assignments, returning = self.operation, self.assignments, self._returning()
        match operation.type:
            case OperationType.UPDATE:
                return Update(assignments, returning)
            case OperationType.DELETE:
                return Delete(returning)
            case OperationType.SELECT:
                assert returning is not None
                return Select(returning)
            case OperationType.INSERT:
                return Insert(assignments, self._kept(returning))
            case OperationType.UPSERT:
                return Upsert(
                    assignments, self._kept(returning), operation.conflict_target, operation.update_columns
                )
            case OperationType.CUSTOM_FUNCTION:
                assert operation.call is not None
                return self._call(operation.call)
            case OperationType.STEPS:
                raise AssertionError("a step has no steps")

    def _returning(self) -> Returning | None:
        operation = self.operation
        columns = operation.select_fields or operation.returning
        if not columns:
            return None
        told = dict.fromkeys((*self.target.primary_key, *operation.conflict_target, *columns))
        return Returning(columns, tuple(told))

    def _kept(self, returning: Returning | None) -> KeptRows | None:
        if returning is None:
            return None
        computed = self.records.kept(self.assignments)
        return KeptRows(
            returning=returning,
            computed=computed,
            tied_by=self.operation.conflict_target or self.target.primary_key,
            draws_keys=len(computed) > len(self.assignments),
        )

    def _call(self, call: FunctionCall) -> Call:
        schema = f"{ident(call.schema)}." if call.schema else ""
        return Call(
            function=f"{schema}{ident(call.name)}",
            arguments=tuple(self._argument(item) for item in call.arguments),
            collected=any(item.collected for item in call.arguments),
            kept=self.step.kept,
            origin=f"function, {call.span.file}:{call.span.start.line}",
        )

    def _argument(self, item: Argument) -> str:
        match item.value:
            case Literal(data):
                value = literal(str(data))
            case Reference(name, field):
                value = self.names.reference(name, field)
            case Expression(fragment):
                value = self.names.sql(fragment)
        return f"{ident(item.name)} => {value}" if item.name else value

    def _assignments(self) -> tuple[PlannedAssignment, ...]:
        """Return what is written; a query has no DEFAULT, so there a column that is to get it is left out."""
        found = (
            PlannedAssignment(item.column, self.names.value(item.value, item.column))
            for item in self.operation.data
        )
        queried = self.operation.type in INSERTING and isinstance(
            self.operation.source, RecordSource | RelationSource
        )
        return tuple(item for item in found if not (queried and item.value == "DEFAULT"))

    # What is told of records

    def _identity(self) -> Identity | None:
        key, values = identity_key(self.records), self.records.identity(self.assignments)
        if key is None or not values:
            return None
        names = frozenset(item.name for item in self.records.identity_parameters())
        return Identity(
            routine=self._routine(self.inner.identity, RECORDS, names, "text[]"),
            values=values,
            label=", ".join(self.records.identity_columns()),
            key=key,
            fields=self.records.identity_fields(),
        )

    def _rules(self) -> Rules | None:
        rules = self.beforehand.rules()
        if not rules:
            return None
        names = frozenset(item.name for item in self.beforehand.rule_parameters())
        return Rules(
            routine=self._routine(self.inner.invalid, RECORDS, names, "jsonb"),
            rules=rules,
            columns=self.beforehand.rule_columns(self.assignments),
        )

    def _suspects(self, driving: Driving) -> Suspects | None:
        sieve = self.beforehand.sieve(self.assignments)
        if sieve is None:
            return None
        batch = driving.key.listed if isinstance(driving, Rows | Keys) else RECORDS
        looked_at = {item.column for item in sieve.columns}
        read = (value_names(item.value) for item in self.operation.data if item.column in looked_at)
        return Suspects(
            routine=self._routine(self.inner.suspects, batch, frozenset[str]().union(*read), "integer[]"),
            conditions=sieve.conditions,
            columns=sieve.columns,
            place=sieve.place,
        )

    # Names

    def _condition(self) -> SqlFragment | None:
        """The condition that batches repeat; ``true`` needs no repeating."""
        match self.operation.source:
            case KeySource(remainder=remainder):
                return remainder
            case _:
                where = self.operation.where
                return None if where and where.source.strip().lower() == "true" else where

    def _planned_condition(self) -> Condition | None:
        if self.condition is None:
            return None
        return Condition(self.names.sql(self.condition), self.names.origin(self.condition, "where_condition"))

    def _value_names(self) -> frozenset[str]:
        values = [item.value for item in self.operation.data]
        values += [item.value for item in self.operation.call.arguments] if self.operation.call else []
        return frozenset(name for value in values for name in value_names(value))

    def _write_names(self) -> frozenset[str]:
        return names_of(self.condition) | self._value_names()

    def _routine(
        self,
        name: QualifiedName,
        batch: tuple[FunctionArgument, ...],
        names: frozenset[str],
        returns: str,
    ) -> Routine:
        return Routine(name, (*batch, *arguments(self.names.parameters, names)), returns)


def _batch(driving: Driving) -> tuple[FunctionArgument, ...]:
    """Return how the function that writes takes a batch."""
    match driving:
        case Rows(key=key):
            return (*key.listed, *key.bounds)
        case Keys(key=key):
            return key.listed
        case HandedIn() | Relation():
            return RECORDS
        case Single():
            return ()


def arguments(
    parameters: tuple[PlannedParameter, ...], names: frozenset[str]
) -> tuple[FunctionArgument, ...]:
    """Return the arguments by which a function takes parameters, of those the named ones."""
    return tuple(
        FunctionArgument(item.variable, item.type, item.name) for item in parameters if item.name in names
    )
