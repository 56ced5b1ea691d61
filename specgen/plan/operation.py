"""From one valid batch operation to its plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.beforehand import Beforehand
from specgen.plan.expressions import INSERTING, Expressions, names_of, value_names
from specgen.plan.functions import functions_of, quote_of
from specgen.plan.keys import identity_key, planned_key
from specgen.plan.naming import QualifiedName
from specgen.plan.parts import OwnTable, PlannedAssignment, PlannedCall, PlannedPrecondition
from specgen.plan.path import fragments, search_path
from specgen.plan.planned import PlannedOperation
from specgen.plan.records import Records
from specgen.plan.relations import relation_query
from specgen.plan.settings import LOG_TABLE, METRICS_TABLE, settings_of
from specgen.plan.sqltext import ident, literal
from specgen.spec.model import (
    BatchOperation,
    Entity,
    Expression,
    KeySource,
    ListRows,
    Literal,
    QueryRows,
    RecordSource,
    Reference,
    RelationSource,
    RowSource,
    Settings,
    StepRows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.plan.parameters import TypedParameter
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.model import Argument


def plan_operation(
    operation: BatchOperation,
    target: Entity,
    settings: Settings,
    parameters: tuple[TypedParameter, ...],
    step_numbers: Mapping[str, int] | None = None,
) -> PlannedOperation:
    """Decide everything about one operation, or one step.

    Args:
        operation: A valid operation.
        target: The entity it works on.
        settings: The project's settings.
        parameters: The parameters of the operation, for a step those of the operation it belongs to.
        step_numbers: For a step, the number of each step by its name.
    """
    return _Planner(operation, target, settings, parameters, step_numbers).plan()


class _Planner:
    def __init__(
        self,
        operation: BatchOperation,
        target: Entity,
        settings: Settings,
        parameters: tuple[TypedParameter, ...],
        step_numbers: Mapping[str, int] | None,
    ) -> None:
        self.operation = operation
        self.target = target
        self.settings = settings
        self.step_numbers = step_numbers
        self.table = QualifiedName(target.schema, target.table)
        self.names = Expressions(operation, target, parameters, step_numbers or {}, settings.runtime_schema)
        self.records = Records(self.names)
        self.beforehand = Beforehand(self.names, self.records)

    def plan(self) -> PlannedOperation:
        """Put it together."""
        operation, target = self.operation, self.target
        source = operation.source
        condition = self._condition()
        handed_in = (
            self.names.named(source.parameter) if isinstance(source, KeySource | RecordSource) else None
        )
        names = naming.operation_names(target.schema, operation.name)
        where_names = names_of(condition)
        values = [item.value for item in operation.data]
        values += [item.value for item in operation.call.arguments] if operation.call else []
        write_names = where_names | {name for value in values for name in value_names(value)}
        source_names = self._source_names()
        assignments = self._assignments()
        kept = self.records.kept(assignments)
        returning = operation.select_fields or operation.returning
        sieve = self.beforehand.sieve(assignments)
        rules = operation.validation.rules
        planned = PlannedOperation(
            name=operation.name,
            type=str(operation.type),
            entity=target.name,
            origin=f"{operation.span.file}:{operation.span.start.line}",
            description=operation.description,
            runtime=self.settings.runtime_schema,
            search_path=search_path(self.records, self.settings),
            table=self.table,
            names=names,
            parameters=self.names.parameters,
            kept_parameters=tuple(
                item
                for item in self.names.parameters
                if item.output is None and (item != handed_in or self.step_numbers is not None)
            ),
            where_parameters=tuple(item for item in self.names.parameters if item.name in where_names),
            write_parameters=tuple(item for item in self.names.parameters if item.name in write_names),
            handed_in=handed_in,
            walks_rows=isinstance(source, RowSource),
            hands_in_keys=isinstance(source, KeySource),
            hands_in_records=isinstance(source, RecordSource),
            keys=self.records.keys(),
            condition=self.names.sql(condition) if condition else None,
            condition_origin=self.names.origin(condition, "where_condition") if condition else "",
            assignments=assignments,
            assignments_kept=kept,
            conflict_target=operation.conflict_target,
            update_columns=operation.update_columns,
            returning=returning,
            returning_all=tuple(dict.fromkeys((*target.primary_key, *operation.conflict_target, *returning))),
            tie_columns=operation.conflict_target or target.primary_key,
            item_alias=self.names.item_alias,
            number_alias=self.records.number_alias,
            item_fields=self.records.fields(),
            item_key_fields=self.records.key_fields(),
            matches=self.records.matches(),
            meets_many=self.records.meets_many(),
            sieve=sieve.conditions,
            sieve_columns=sieve.columns,
            sieve_place=sieve.place,
            identity=self.records.identity(assignments),
            identity_label=", ".join(self.records.identity_columns()),
            identity_fields=self.records.identity_fields(),
            identity_parameters=self.records.identity_parameters(),
            rules=self.beforehand.rules(),
            rule_columns=self.beforehand.rule_columns(assignments),
            rule_parameters=self.beforehand.rule_parameters(),
            validates=bool(rules) or operation.validation.skip_invalid,
            csv=source.csv if isinstance(source, RecordSource) else None,
            reject_file=operation.validation.reject_file,
            preconditions=self._preconditions(),
            settings={},
            requires_confirmation=operation.limits.requires_confirmation,
            atomic=operation.limits.atomic,
            progress_tracking=operation.reporting.progress_tracking,
            lock_timeout_ms=operation.limits.lock_timeout_ms,
            own_tables=self._own_tables(),
            clashes=bool(self.names.clashing),
            grants=operation.grants,
            functions=(),
            relation=self._relation(),
            relation_origin=f"{source.span.file}:{source.span.start.line}"
            if isinstance(source, RelationSource)
            else "",
            reads_step=self._reads_step(),
            reads_as=source.names[-1] if isinstance(source, RelationSource) else "",
            reads_rows=isinstance(source, RelationSource) and not isinstance(source.relation, ListRows),
            source_parameters=tuple(item for item in self.names.parameters if item.name in source_names),
            call_function=self._call(),
            is_step=self.step_numbers is not None,
            key=planned_key(self.records),
            identity_key=identity_key(self.records),
            sources=tuple(item.source for item in fragments(self.records)),
        )
        return _with_functions(planned, settings_of(operation, planned))

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

    def _own_tables(self) -> tuple[OwnTable, ...]:
        reporting, runtime = self.operation.reporting, self.settings.runtime_schema
        chosen = (
            (reporting.log_table, LOG_TABLE),
            (reporting.metrics_table, METRICS_TABLE),
        )
        return tuple(
            OwnTable(QualifiedName(runtime, name), QualifiedName(runtime, standard))
            for name, standard in chosen
            if name not in (None, standard)
        )

    def _source_names(self) -> frozenset[str]:
        match self.operation.source:
            case KeySource(parameter=name) | RelationSource(relation=ListRows(parameter=name)):
                return frozenset({name})
            case RelationSource(relation=QueryRows(query)):
                return names_of(query)
            case _:
                return frozenset()

    def _relation(self) -> str | None:
        """Return the query of the records of a relation."""
        match self.operation.source:
            case RelationSource(relation=relation):
                return relation_query(
                    relation,
                    runtime=self.settings.runtime_schema,
                    step_numbers=self.step_numbers or {},
                    variable=lambda name: self.names.reference(name, None),
                    is_own=lambda name: (named := self.names.named(name)) is not None and named.is_own,
                    sql=self.names.sql,
                )
            case _:
                return None

    def _reads_step(self) -> str | None:
        match self.operation.source:
            case RelationSource(relation=StepRows(step)):
                return step
            case _:
                return None

    def _call(self) -> PlannedCall | None:
        call = self.operation.call
        if call is None:
            return None
        schema = f"{ident(call.schema)}." if call.schema else ""
        return PlannedCall(
            function=f"{schema}{ident(call.name)}",
            arguments=tuple(self._argument(item) for item in call.arguments),
            collected=any(item.collected for item in call.arguments),
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

    def _condition(self) -> SqlFragment | None:
        """The condition that batches repeat; ``true`` needs no repeating."""
        match self.operation.source:
            case KeySource(remainder=remainder):
                return remainder
            case _:
                where = self.operation.where
                return None if where and where.source.strip().lower() == "true" else where

    def _preconditions(self) -> tuple[PlannedPrecondition, ...]:
        return tuple(
            PlannedPrecondition(
                condition=self.names.sql(item.fragment),
                aggregate=item.aggregate,
                message=f"{self.operation.name}: precondition not met: {item.fragment.source.strip()}",
                origin=f"{item.fragment.span.file}:{item.fragment.span.start.line}",
            )
            for item in self.operation.preconditions
        )


def _with_functions(planned: PlannedOperation, settings: dict[str, object]) -> PlannedOperation:
    return replace(planned, settings=settings, functions=functions_of(planned), quote=quote_of(planned))
