"""From one valid batch operation to its plan."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from specgen.plan import naming
from specgen.plan.functions import functions_of, quote_of
from specgen.plan.naming import QualifiedName
from specgen.plan.parameters import TypedParameter, parameter_type
from specgen.plan.planned import (
    FLOATS,
    KeyColumn,
    Match,
    OwnTable,
    PlannedAssignment,
    PlannedCall,
    PlannedItemField,
    PlannedOperation,
    PlannedOutput,
    PlannedParameter,
    PlannedPrecondition,
    PlannedRule,
)
from specgen.plan.relations import relation_query
from specgen.plan.settings import LOG_TABLE, METRICS_TABLE, settings_of
from specgen.plan.sieve import Sieve, refusals
from specgen.plan.sqltext import constant, ident, literal, one_line_strings, qualify
from specgen.spec.model import (
    BatchOperation,
    Defaulted,
    Entity,
    Expression,
    Field,
    KeySource,
    ListRows,
    Literal,
    OperationType,
    QueryRows,
    RecordSource,
    Reference,
    RelationSource,
    RowSource,
    Settings,
    SingleSource,
    StepRows,
    Steps,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.spec.fragments import ParameterName, SqlFragment
    from specgen.spec.model import Argument, OutputList


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
        self.columns = tuple(item.name for item in target.fields)
        self.clashing = frozenset(name for name in self.columns if _is_variable(name))
        self.table = QualifiedName(target.schema, target.table)
        self.item_alias = naming.free("item", (target.table,))
        self.parameters = (
            *(self._parameter(item) for item in parameters),
            *(self._list(item) for item in operation.lists),
        )
        fields = self._item_fields()
        taken = (*self.columns, *(item.name for item in fields), *(item.alias for item in fields))
        self.number_alias = naming.free("item_number", taken)

    def _parameter(self, item: TypedParameter) -> PlannedParameter:
        variable = naming.free(f"p_{item.name}", (*self.columns, *_VARIABLES))
        return PlannedParameter(item.name, variable, item.type, item.reason, item.default, item.description)

    def _list(self, item: OutputList) -> PlannedParameter:
        element = parameter_type(item.type)
        number = (self.step_numbers or {})[item.step]
        output = PlannedOutput(item.step, number, item.column, element)
        variable = naming.free(f"p_{item.name}", (*self.columns, *_VARIABLES))
        reason = f"the column {item.column} of what the step {item.step} yields"
        return PlannedParameter(item.name, variable, f"{element}[]", reason, None, None, output)

    def plan(self) -> PlannedOperation:
        """Put it together."""
        operation, target = self.operation, self.target
        source = operation.source
        condition = self._condition()
        handed_in = self._named(source.parameter) if isinstance(source, KeySource | RecordSource) else None
        names = naming.operation_names(target.schema, operation.name)
        where_names = _names(condition)
        values = [item.value for item in operation.data]
        values += [item.value for item in operation.call.arguments] if operation.call else []
        write_names = where_names | {name for value in values for name in _value_names(value)}
        source_names = self._source_names()
        assignments = tuple(
            PlannedAssignment(item.column, self._value(item.value, item.column)) for item in operation.data
        )
        kept = self._kept(assignments)
        returning = operation.select_fields or operation.returning
        sieve = self._sieve(assignments)
        rules = operation.validation.rules
        planned = PlannedOperation(
            name=operation.name,
            type=str(operation.type),
            entity=target.name,
            origin=f"{operation.span.file}:{operation.span.start.line}",
            description=operation.description,
            runtime=self.settings.runtime_schema,
            search_path=tuple(
                ident(name) for name in dict.fromkeys(("pg_catalog", *self.settings.search_path, "pg_temp"))
            ),
            table=self.table,
            names=names,
            parameters=self.parameters,
            kept_parameters=tuple(
                item
                for item in self.parameters
                if item.output is None and (item != handed_in or self.step_numbers is not None)
            ),
            where_parameters=tuple(item for item in self.parameters if item.name in where_names),
            write_parameters=tuple(item for item in self.parameters if item.name in write_names),
            handed_in=handed_in,
            walks_rows=isinstance(source, RowSource),
            hands_in_keys=isinstance(source, KeySource),
            hands_in_records=isinstance(source, RecordSource),
            keys=self._keys(),
            condition=self._sql(condition) if condition else None,
            condition_origin=self._origin(condition, "where_condition") if condition else "",
            assignments=assignments,
            assignments_kept=kept,
            conflict_target=operation.conflict_target,
            update_columns=operation.update_columns,
            returning=returning,
            returning_all=tuple(dict.fromkeys((*target.primary_key, *operation.conflict_target, *returning))),
            tie_columns=operation.conflict_target or target.primary_key,
            item_alias=self.item_alias,
            number_alias=self.number_alias,
            item_fields=self._item_fields(),
            item_key_fields=self._item_key_fields(),
            matches=self._matches(),
            meets_many=self._meets_many(),
            sieve=sieve.conditions,
            sieve_columns=sieve.columns,
            sieve_place=sieve.place,
            identity=self._identity(assignments),
            identity_label=", ".join(self._identity_columns()),
            identity_fields=self._identity_fields(),
            identity_parameters=self._identity_parameters(),
            rules=self._rules(),
            rule_columns=self._rule_columns(assignments),
            rule_parameters=self._rule_parameters(),
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
            clashes=bool(self.clashing),
            grants=operation.grants,
            functions=(),
            relation=self._relation(),
            relation_origin=f"{source.span.file}:{source.span.start.line}"
            if isinstance(source, RelationSource)
            else "",
            reads_step=self._reads_step(),
            reads_as=source.names[-1] if isinstance(source, RelationSource) else "",
            reads_rows=isinstance(source, RelationSource) and not isinstance(source.relation, ListRows),
            source_parameters=tuple(item for item in self.parameters if item.name in source_names),
            call_function=self._call(),
            is_step=self.step_numbers is not None,
            returns_floats=any(target.field(name).type.base in FLOATS for name in returning),
        )
        return _with_functions(planned, settings_of(operation, planned))

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

    def _named(self, name: str) -> PlannedParameter | None:
        return next((item for item in self.parameters if item.name == name), None)

    # What a step goes through, and what it calls

    def _source_names(self) -> frozenset[str]:
        match self.operation.source:
            case KeySource(parameter=name) | RelationSource(relation=ListRows(parameter=name)):
                return frozenset({name})
            case RelationSource(relation=QueryRows(query)):
                return _names(query)
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
                    variable=lambda name: self._reference(name, None),
                    sql=self._sql,
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
                value = self._reference(name, field)
            case Expression(fragment):
                value = self._sql(fragment)
        return f"{ident(item.name)} => {value}" if item.name else value

    # The user's SQL

    def _condition(self) -> SqlFragment | None:
        """The condition that batches repeat; ``true`` needs no repeating."""
        match self.operation.source:
            case KeySource(remainder=remainder):
                return remainder
            case _:
                where = self.operation.where
                return None if where and where.source.strip().lower() == "true" else where

    def _sql(self, fragment: SqlFragment) -> str:
        text = self._hashed(one_line_strings(fragment.render(self._variable).strip()))
        return qualify(text, self.clashing, self.target.table)

    def _hashed(self, text: str) -> str:
        """Return a condition that looks outputs up in a hash: they may be as long as the table."""
        for item in self.parameters:
            if item.output:
                listed = rf"= ANY\(\s*{re.escape(ident(item.variable))}\s*\)"
                text = re.sub(
                    listed, f"= ANY(SELECT unnest({ident(item.variable)}))", text, flags=re.IGNORECASE
                )
        return text

    def _variable(self, name: ParameterName) -> str:
        return self._reference(name.name, name.field)

    def _reference(self, name: str, field: str | None) -> str:
        if field is not None:
            alias = field if self.operation.type in _MAKING else self._item_column(field)
            return f"{ident(self.item_alias)}.{ident(alias)}"
        parameter = self._named(name)
        return ident(parameter.variable) if parameter else "NULL"

    def _value(self, value: Value, column: str) -> str:
        match value:
            case Literal(data):
                return constant(data, self.target.field(column).type)
            case Reference(name, field):
                return self._reference(name, field)
            case Defaulted(Reference(name, field)):
                return f"coalesce({self._reference(name, field)}, {self._drawn(column)})"
            case Expression(fragment):
                return self._sql(fragment)

    def _origin(self, fragment: SqlFragment, key: str) -> str:
        return f"{key}, {fragment.span.file}:{fragment.span.start.line}"

    def _preconditions(self) -> tuple[PlannedPrecondition, ...]:
        return tuple(
            PlannedPrecondition(
                condition=self._sql(item.fragment),
                aggregate=item.aggregate,
                message=f"{self.operation.name}: precondition not met: {item.fragment.source.strip()}",
                origin=f"{item.fragment.span.file}:{item.fragment.span.start.line}",
            )
            for item in self.operation.preconditions
        )

    # What the spec's rules tell beforehand

    def _rules(self) -> tuple[PlannedRule, ...]:
        return tuple(self._rule(item) for item in self.operation.validation.rules)

    def _rule(self, rule: SqlFragment) -> PlannedRule:
        columns = tuple(dict.fromkeys(item.name for item in rule.columns))
        only = columns[0] if len(columns) == 1 else None
        return PlannedRule(
            condition=self._sql(rule),
            source=rule.source.strip(),
            column=only,
            column_qualified=f"{ident(self.target.table)}.{ident(only)}" if only else "",
            origin=f"validation_rules, {rule.span.file}:{rule.span.start.line}",
        )

    def _rule_columns(self, assignments: tuple[PlannedAssignment, ...]) -> tuple[PlannedAssignment, ...]:
        """The row as it will be, as far as rules look at it, and its place in the batch."""
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
        inserting = self.operation.type in _INSERTING
        if value is None and inserting and isinstance(field.default, Literal | Expression):
            value = self._value(field.default, field.name)
        return f"({value})::{field.type.sql}" if value else self._untouched(field, inserting)

    def _rule_parameters(self) -> tuple[PlannedParameter, ...]:
        ruled = self._ruled_columns()
        names = {name for rule in self.operation.validation.rules for name in _names(rule)}
        for item in self.operation.data:
            if item.column in ruled:
                names |= _value_names(item.value)
        return tuple(item for item in self.parameters if item.name in names)

    # What the entity's constraints tell beforehand

    def _sieve(self, assignments: tuple[PlannedAssignment, ...]) -> Sieve:
        conditions = refusals(self.target, frozenset(item.column for item in assignments))
        if not conditions or isinstance(self.operation.source, SingleSource | Steps) or self.operation.call:
            return Sieve()
        inserting = self.operation.type in _INSERTING
        given = {item.column: item.value for item in assignments}
        place = naming.free("batch_place", self.columns)
        columns = [
            PlannedAssignment(item.name, given.get(item.name) or self._untouched(item, inserting))
            for item in self.target.fields
        ]
        columns.append(PlannedAssignment(place, self._place()))
        return Sieve(conditions, tuple(columns), ident(place))

    def _untouched(self, field: Field, inserting: bool) -> str:  # noqa: FBT001
        return f"NULL::{field.type.sql}" if inserting else f"{ident(self.target.table)}.{ident(field.name)}"

    def _place(self) -> str:
        keys = self._keys()
        match self.operation.source:
            case RecordSource() | RelationSource():
                return f"{ident(self.item_alias)}.{ident(self.number_alias)}::integer"
            case _ if len(keys) == 1:
                return f"array_position({keys[0].array}, {keys[0].column_qualified})"
            case _:
                return "batch_key.n::integer"

    # Keys and records

    def _keys(self) -> tuple[KeyColumn, ...]:
        names = self.target.primary_key
        return tuple(self._key(name, "" if len(names) == 1 else f"_{n}") for n, name in enumerate(names, 1))

    def _key(self, name: str, suffix: str) -> KeyColumn:
        return KeyColumn(
            column=name,
            column_qualified=f"{ident(self.target.table)}.{ident(name)}",
            type=self.target.field(name).type.sql,
            alias=naming.free(f"batch_key{suffix}", self.columns),
            array=f"v_keys{suffix}",
            slice=f"v_slice{suffix}",
            from_=f"v_from{suffix}",
            upto=f"v_upto{suffix}",
        )

    def _item_column(self, field: str) -> str:
        return naming.free(f"item_{field}", self.columns)

    def _item_fields(self) -> tuple[PlannedItemField, ...]:
        match self.operation.source:
            case RelationSource(relation=ListRows(parameter, records=False)):
                named = self._named(parameter)
                element = named.type.removesuffix("[]") if named else "text"
                return (PlannedItemField("value", element, self._item_column("value")),)
            case RecordSource(fields=fields) | RelationSource(fields=fields):
                return tuple(
                    PlannedItemField(item.name, item.type.sql, self._item_column(item.name))
                    for item in fields
                )
            case _:
                return ()

    def _item_key_fields(self) -> tuple[str, ...]:
        match self.operation.source:
            case (
                RecordSource(fields=fields, match_on=match_on)
                | RelationSource(fields=fields, match_on=match_on)
            ):
                read = {item.name for item in fields}
                wanted = match_on or self.operation.conflict_target or self.target.primary_key
                return tuple(name for name in wanted if name in read)
            case _:
                return ()

    def _matches(self) -> tuple[Match, ...]:
        match self.operation.source:
            case RecordSource(match_on=match_on) | RelationSource(match_on=match_on):
                return tuple(
                    Match(
                        name,
                        f"{ident(self.target.table)}.{ident(name)}",
                        f"{ident(self.item_alias)}.{ident(self._item_column(name))}",
                    )
                    for name in match_on
                )
            case _:
                return ()

    def _meets_many(self) -> bool:
        """Whether nothing in the spec promises that a record meets one row at most."""
        target = self.target
        match self.operation.source:
            case RecordSource(match_on=columns) | RelationSource(match_on=columns) if columns:
                unique = [target.primary_key, *((item.name,) for item in target.fields if item.unique)]
                unique += [item.columns for item in target.indexes if item.unique and item.where is None]
                return not any(names and set(names) <= set(columns) for names in unique)
            case _:
                return False

    def _identity_columns(self) -> tuple[str, ...]:
        """The columns that must not repeat among the records; none for an insert."""
        match self.operation.source:
            case RecordSource(match_on=match_on) | RelationSource(match_on=match_on):
                return match_on or self.operation.conflict_target
            case _:
                return ()

    def _identity_values(self) -> tuple[Value, ...]:
        if self.operation.type is not OperationType.UPSERT:
            return ()
        return tuple(item.value for item in self.operation.data if item.column in self._identity_columns())

    def _identity_fields(self) -> tuple[PlannedItemField, ...]:
        names = set(self._identity_columns()) if self.operation.type is not OperationType.UPSERT else set()
        names |= {name for value in self._identity_values() for name in _field_names(value)}
        return tuple(item for item in self._item_fields() if item.name in names)

    def _identity_parameters(self) -> tuple[PlannedParameter, ...]:
        names = {name for value in self._identity_values() for name in _value_names(value)}
        return tuple(item for item in self.parameters if item.name in names)

    def _identity(self, assignments: tuple[PlannedAssignment, ...]) -> tuple[str, ...]:
        columns = self._identity_columns()
        if self.operation.type is OperationType.UPSERT:
            values = {item.column: item.value for item in assignments}
            plain = {item.column for item in self.operation.data if isinstance(item.value, Reference)}
            # As its column will hold it: equal is what is equal there.
            return tuple(
                values[name] if name in plain else f"({values[name]})::{self.target.field(name).type.sql}"
                for name in columns
                if name in values
            )
        return tuple(f"{ident(self.item_alias)}.{ident(name)}" for name in columns)

    def _kept(self, assignments: tuple[PlannedAssignment, ...]) -> tuple[PlannedAssignment, ...]:
        """The assignments of an insert that keeps its rows, with keys drawn beforehand."""
        operation, target = self.operation, self.target
        if not operation.returning or operation.type not in _INSERTING or operation.conflict_target:
            return assignments
        given = {item.column for item in assignments}
        drawn = tuple(
            PlannedAssignment(name, self._drawn(name)) for name in target.primary_key if name not in given
        )
        return drawn + assignments

    def _drawn(self, name: str) -> str:
        field = self.target.field(name)
        match field.default:
            case Expression() | Literal():
                return self._value(field.default, name)
            case _ if field.type.base == "uuid":
                return "gen_random_uuid()"
            case _:
                table = f"{ident(self.table.schema)}.{ident(self.table.name)}"
                return f"nextval(pg_get_serial_sequence({literal(table)}, {literal(name)}))"


_INSERTING = (OperationType.INSERT, OperationType.UPSERT)
_MAKING = (*_INSERTING, OperationType.CUSTOM_FUNCTION)
"""What has no rows of the target in sight, so that a record's fields keep their names."""
_VARIABLES = ("p_operation", "p_range", "p_keys", "p_items", "p_options", "p_submitted", "p_confirm")


def _is_variable(column: str) -> bool:
    """Whether a column is called as a variable of the generated functions may be, or as PL/pgSQL's own."""
    return column.startswith("v_") or column == "found" or column in _VARIABLES


def _names(fragment: SqlFragment | None) -> frozenset[str]:
    if fragment is None:
        return frozenset()
    return frozenset(item.name for item in fragment.parameters if item.field is None)


def _value_names(value: Value) -> frozenset[str]:
    match value:
        case Reference(name, None):
            return frozenset({name})
        case Expression(fragment):
            return _names(fragment)
        case _:
            return frozenset()


def _field_names(value: Value) -> frozenset[str]:
    """The item fields that a value reads."""
    match value:
        case Reference(_, str(field)) | Defaulted(Reference(_, str(field))):
            return frozenset({field})
        case Expression(fragment):
            return frozenset(item.field for item in fragment.parameters if item.field is not None)
        case _:
            return frozenset()


def _with_functions(planned: PlannedOperation, settings: dict[str, object]) -> PlannedOperation:
    return replace(planned, settings=settings, functions=functions_of(planned), quote=quote_of(planned))
