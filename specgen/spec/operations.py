"""Batch operations: one pattern of an entity file to one :class:`BatchOperation`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from specgen.spec import csvfiles, policies
from specgen.spec.calls import read_call
from specgen.spec.entities import Catalog, Draft, is_unique, read_columns, unknown_column
from specgen.spec.fragments import Scope, SqlFragment, find_key_test, parse_fragment
from specgen.spec.model import (
    Argument,
    Assignment,
    BatchOperation,
    DeclaredParameter,
    FunctionCall,
    ItemField,
    KeySource,
    ListRows,
    Literal,
    OperationType,
    OutputList,
    Precondition,
    RecordSource,
    Reference,
    Relation,
    RelationSource,
    RowSource,
    SingleSource,
    Source,
    StepRows,
)
from specgen.spec.names import check_name
from specgen.spec.notifications import read_notifications
from specgen.spec.records import item_fields, list_type, references, refuse_item_fields
from specgen.spec.relations import check_assignable, check_fields, read_relation
from specgen.spec.required import report_left_out
from specgen.spec.suggest import did_you_mean
from specgen.spec.types import TypeProblem, parse_type
from specgen.spec.validation import read_validation
from specgen.spec.values import read_value
from specgen.spec.workers import read_workers

if TYPE_CHECKING:
    from specgen.diagnostics import Findings, Span
    from specgen.spec.documents import Node
    from specgen.spec.outputs import ListMeaning, Outputs, StepOutput

_DATA_KEYS = {
    "update_data": OperationType.UPDATE,
    "insert_data": OperationType.INSERT,
    "upsert_data": OperationType.UPSERT,
    "select_fields": OperationType.SELECT,
    "function": OperationType.CUSTOM_FUNCTION,
}
_OVER_ROWS = (OperationType.UPDATE, OperationType.DELETE, OperationType.SELECT)


INHERITED = frozenset(
    (
        "target_entity",
        "batch_size",
        "max_records",
        "on_limit",
        "lock_timeout",
        "statement_timeout",
        "error_handling",
        "max_errors",
        "error_isolation",
        "retry",
        "logging_level",
    )
)
"""What an operation says for all its steps."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An operation's keys: its own, and the project's defaults for those it does not give.

    Attributes:
        outer: The keys of the operation that a step belongs to, which hold for the step too.
    """

    own: Node
    defaults: Node | None
    outer: Settled | None = None

    def get(self, key: str) -> Node | None:
        """Return the value of a key, if it has one."""
        found = self.own.get(key)
        if found is None and self.outer is not None:
            return self.outer.get(key) if key in INHERITED else None
        if found is None and self.defaults is not None:
            found = self.defaults.get(key)
        return found

    def plain(self, key: str, default: Any = None) -> Any:
        """Return the plain value of a key."""
        found = self.get(key)
        return default if found is None else found.value


def find_target(
    keys: Settled, home: Draft, catalog: Catalog, broken: frozenset[str], findings: Findings
) -> Draft | None:
    """Return the entity that an operation or a step works on; one that is not there is reported."""
    node = keys.get("target_entity")
    if node is None:
        return home
    if node.value in catalog:
        target = catalog[node.value]
        if not target.primary_key and target is not home:
            message = f'"{target.name}" has no key to go through its rows by'
            findings.error("no-primary-key", node.span, message, "give it a primary_key")
        return target
    if node.value not in broken:
        near = did_you_mean(node.value, catalog) or f"known entities: {', '.join(catalog)}"
        findings.error("unknown-entity", node.span, f'there is no entity "{node.value}"', near)
    return None


def type_of(keys: Settled) -> OperationType:
    """Return what an operation or a step does: what it says, or what its data says."""
    if keys.own.get("steps"):
        return OperationType.STEPS
    said = keys.plain("operation_type")
    if said is not None:
        return OperationType(said)
    given = (kind for key, kind in _DATA_KEYS.items() if keys.get(key))
    return next(given, OperationType.INSERT)  # what a file is for, where nothing else is said


class OperationReader:
    """Reads one operation, or one step; parts that are wrong are reported and left out.

    Args:
        keys: What it says.
        target: The entity it works on.
        catalog: All entities.
        findings: Gets what is wrong.
        outputs: For a step, the outputs of the others.
    """

    def __init__(
        self,
        keys: Settled,
        target: Draft,
        catalog: Catalog,
        findings: Findings,
        outputs: Outputs | None = None,
    ) -> None:
        self.keys = keys
        self.target = target
        self.catalog = catalog
        self.findings = findings
        self.outputs = outputs
        self.type = type_of(keys)
        self.file = csvfiles.read_file_source(keys, target, self.type, findings, is_step=outputs is not None)

    def operation(self, name: Node) -> BatchOperation:
        """Read everything.

        Args:
            name: What names it.
        """
        keys, findings = self.keys, self.findings
        where = self._fragment(keys.get("where_condition"), self.target.scope("where_condition"))
        data = self._data()
        call = self._call()
        source = self._source(where, data, call)
        conflict = self._columns("conflict_target")
        parameters = self._parameters()
        return BatchOperation(
            name=name.value,
            span=name.span,
            entity=self.target.name,
            type=self.type,
            source=source,
            description=keys.plain("description"),
            data=data,
            where=where,
            conflict_target=self._checked_conflict(conflict, data),
            update_columns=self._update_columns(data, conflict),
            select_fields=self._columns("select_fields"),
            returning=self._returning(),
            parameters=parameters,
            preconditions=self._preconditions(),
            validation=read_validation(
                keys.own, keys.get, self.target, self.type, source=source, findings=findings
            ),
            limits=policies.read_limits(keys.get, findings),
            errors=policies.read_errors(keys.get, findings),
            reporting=policies.read_reporting(keys.get, findings),
            notifications=read_notifications(keys.get, keys.own.get, findings),
            workers=read_workers(keys.get, keys.own.get, findings),
            grants=policies.read_grants(keys.get, findings),
            call=self._collected(call, source),
            lists=self._lists(where, data, call),
        )

    def _fragment(self, node: Node | None, scope: Scope) -> SqlFragment | None:
        return None if node is None else parse_fragment(node.value, node.locate, scope, self.findings)

    def _columns(self, key: str) -> tuple[str, ...]:
        node = self.keys.get(key)
        return () if node is None else read_columns(node, self.target, self.findings)

    # What is written

    def _data(self) -> tuple[Assignment, ...]:
        node = self.keys.get(f"{self.type}_data")
        if self.type is OperationType.SELECT:
            return ()
        given = node.items() if node else []
        assignments = [self._assignment(column, value) for column, value in given]
        derived = self._mapped_data({column for column, _ in given})
        conflict = self.keys.get("conflict_target")
        names = [item.value for item in conflict.each()] if conflict else []
        columns = {*names, *(column for column, _ in given), *(item.column for item in derived)}
        span = node.key_span if node else self.keys.own.key_span
        report_left_out(columns, self.type, self.target, span, self.findings)
        return derived + tuple(item for item in assignments if item)

    def _mapped_data(self, given: set[str]) -> tuple[Assignment, ...]:
        """What the columns of a file are assigned to; the operation's own data goes before it."""
        if self.file is None:
            return ()
        derived = self.file.derived(given | set(self._match_on()))
        node = self.file.node
        if self.type in (OperationType.UPDATE, OperationType.UPSERT) and not derived and not given:
            message = f"nothing says what this {self.type} writes"
            help = "name the columns of the file that are written: field_mapping: {price: csv_column_2, ...}"
            self.findings.error("missing-key", node.key_span, message, help)
        for item in derived:
            if self.type is OperationType.UPDATE and item.column in self.target.primary_key:
                self._refuse_key(item.column, self.file.at(item.column))
        return derived

    def _match_on(self) -> tuple[str, ...]:
        """Return the columns by which an update or delete over records finds its rows."""
        if self.type not in (OperationType.UPDATE, OperationType.DELETE):
            return ()
        return self._columns("match_on") or self.target.primary_key

    def _assignment(self, column: str, node: Node) -> Assignment | None:
        target, findings = self.target, self.findings
        if column not in target.types:
            unknown_column(column, node.key_span, target, findings)
            return None
        field = target.node["fields"].value[column]
        if isinstance(field, dict) and "generated" in field:
            message = f'"{column}" is generated, so nothing can be assigned to it'
            findings.error("generated-column", node.key_span, message, "remove it")
            return None
        if self.type is OperationType.UPDATE and column in target.primary_key:
            self._refuse_key(column, node)
            return None
        # The row that an insert writes is not there yet, so its values cannot name columns.
        columns = target.bases if self.type is OperationType.UPDATE else None
        scope = Scope(
            columns, target.qualifiers, condition=False, assigned=column, what=f"the value of {column}"
        )
        value = read_value(node, target.types[column], scope, findings)
        if isinstance(value, Literal) and value.value is None and self._is_required(column):
            message = f'"{column}" cannot be NULL'
            findings.error("null-value", node.span, message, "give a value, or allow NULL in the field")
            return None
        return Assignment(column, value, node.key_span) if value else None

    def _is_required(self, column: str) -> bool:
        field = self.target.node["fields"].value[column]
        return column in self.target.primary_key or (
            isinstance(field, dict) and field.get("nullable") is False
        )

    def _refuse_key(self, column: str, node: Node) -> None:
        self.findings.error(
            "key-update",
            node.key_span,
            f'"{column}" is part of the primary key; an operation walks by it and cannot change it',
            "remove it",
        )

    def _checked_conflict(self, columns: tuple[str, ...], data: tuple[Assignment, ...]) -> tuple[str, ...]:
        node = self.keys.get("conflict_target")
        if node and columns and self.target.managed and not is_unique(self.target, columns):
            self.findings.error(
                "no-unique-index",
                node.span,
                f'nothing promises that ({", ".join(columns)}) is unique in "{self.target.name}",'
                " so no conflict can arise",
                f"add it to the entity: indexes: [{{columns: [{', '.join(columns)}], unique: true}}]",
            )
        if node and self.type is OperationType.UPSERT:
            own = self.keys.get("upsert_data")
            given = {item.column for item in data} | set(own.value if own else ())
            key = "field_mapping" if self.file else "upsert_data"
            for column in columns:
                if column not in given:
                    message = f'conflict_target names "{column}", which {key} does not give'
                    self.findings.error("missing-column", node.span, message, f"add {column} to {key}")
        return columns

    def _update_columns(self, data: tuple[Assignment, ...], conflict: tuple[str, ...]) -> tuple[str, ...]:
        if self.type is not OperationType.UPSERT:
            return ()
        node = self.keys.get("update_columns")
        given = tuple(item.column for item in data)
        key = self.target.primary_key
        if node is None:
            return tuple(column for column in given if column not in conflict and column not in key)
        chosen: list[str] = []
        for item in node.each():
            if item.value not in self.target.types:
                unknown_column(item.value, item.span, self.target, self.findings)
            elif item.value in key:
                self._refuse_key(item.value, item)
            elif item.value not in given:
                message = f'update_columns names "{item.value}", which upsert_data does not give'
                self.findings.error("missing-column", item.span, message, f"add {item.value} to upsert_data")
            else:
                chosen.append(item.value)
        return tuple(chosen)

    def _returning(self) -> tuple[str, ...]:
        node = self.keys.get("returning")
        if node is None or node.value is False:
            return ()
        key = self.target.primary_key
        if node.value is True:
            return key
        columns = read_columns(node, self.target, self.findings)
        return (*key, *(column for column in columns if column not in key))

    # What is worked through

    def _source(
        self, where: SqlFragment | None, data: tuple[Assignment, ...], call: FunctionCall | None
    ) -> Source:
        node = self.keys.get("data_source")
        if node is not None:
            return self._given(node, where, data, call)
        named = list(references(data, where, call))
        driving = self._driving(named)
        if driving is not None:
            return self._relation(StepRows(driving.step), driving, where, data, call=call, span=named[0][2])
        refuse_item_fields(named, self.findings, self.outputs)
        if self.type not in _OVER_ROWS:
            return (self._listed(call) if call else None) or SingleSource()
        return (self._keys() if where else None) or RowSource()

    def _driving(self, named: list[tuple[str, str | None, Span]]) -> StepOutput | None:
        """Return the output whose rows the fields that are named belong to."""
        if self.outputs is None:
            return None
        found: dict[str, StepOutput] = {}
        for name, field, span in named:
            output = self.outputs.rows(name, span) if field is not None else None
            if output is None:
                continue
            found.setdefault(output.step, output)
            if len(found) > 1:
                first = next(iter(found))
                self.findings.error(
                    "two-outputs",
                    span,
                    f'a step goes through the rows of one output, and this one names those of "{first}" '
                    f'and of "{output.step}"',
                    f"use a column of one of them as a list, such as :{output.names[0]}_ids",
                )
                break
        return next(iter(found.values()), None)

    def _relation(
        self,
        relation: Relation,
        output: StepOutput | None,
        where: SqlFragment | None,
        data: tuple[Assignment, ...],
        *,
        call: FunctionCall | None,
        span: Span,
    ) -> RelationSource:
        match_on = self._match_on()
        names = output.names if output else ()
        if output:
            named = tuple(references(data, where, call))
            said = {name for name, _, _ in named}
            names = tuple(sorted(names, key=said.__contains__))
            matched = ((output.names[0], column, span) for column in match_on)
            check_fields(output, (*named, *matched), self.findings)
            check_assignable(output, data, self.target, self.findings)
        fields = item_fields(
            self.target,
            match_on,
            data,
            where,
            self.findings,
            names=names,
            call=call,
            known=output.type_of if output else lambda _field: None,
        )
        return RelationSource(relation, ("item", self.target.name, *names), fields, match_on, span)

    def _given(
        self,
        node: Node,
        where: SqlFragment | None,
        data: tuple[Assignment, ...],
        call: FunctionCall | None,
    ) -> Source:
        if isinstance(node.value, dict):
            relation = read_relation(node, self.catalog, self.target, self.findings)
            if relation is None:
                return SingleSource()
            return self._relation(relation, None, where, data, call=call, span=node.span)
        if self.file is not None:
            return self._records(node, where, data)
        name = node.value.strip()[1:]
        output = self.outputs.rows(name, node.span) if self.outputs else None
        if output is not None:
            return self._relation(StepRows(output.step), output, where, data, call=call, span=node.span)
        if self.outputs is not None or call is not None:
            rows = ListRows(name, records=True, span=node.span)
            return self._relation(rows, None, where, data, call=call, span=node.span)
        return self._records(node, where, data)

    # What a function is called with

    def _call(self) -> FunctionCall | None:
        node = self.keys.get("function")
        if node is None or self.type is not OperationType.CUSTOM_FUNCTION:
            return None
        return read_call(node, self.keys.get("input"), self.findings)

    def _listed(self, call: FunctionCall) -> RelationSource | None:
        """Return the list that a function is handed a batch at a time, if it is handed one."""
        for argument in call.arguments:
            match argument:
                case Argument(value=Reference(name, None, span)):
                    meaning = self.outputs.column(name, span) if self.outputs else None
                    if meaning is not None:
                        kind = meaning.output.type_of(meaning.column) or self.target.types.get(meaning.column)
                        if kind is None:
                            self._untyped(meaning, span)
                            return None
                        fields = (ItemField(meaning.column, kind),)
                        return RelationSource(StepRows(meaning.output.step), ("item",), fields, (), span)
                    if argument.collected:
                        rows = ListRows(name, records=False, span=span)
                        return RelationSource(rows, ("item",), (), (), span)
                case _:
                    pass
        return None

    @staticmethod
    def _collected(call: FunctionCall | None, source: Source) -> FunctionCall | None:
        """Return the call with the list it is handed named as the field of the current record."""
        if call is None or not isinstance(source, RelationSource):
            return call
        column = source.fields[0].name if source.fields else "value"
        arguments = tuple(
            Argument(item.name, Reference("item", column, source.span), collected=True)
            if isinstance(item.value, Reference)
            and item.value.field is None
            and item.value.span == source.span
            else item
            for item in call.arguments
        )
        return replace(call, arguments=arguments)

    def _untyped(self, meaning: ListMeaning, span: Span) -> None:
        self.findings.error(
            "unknown-output-type",
            span,
            f'the type of the column {meaning.column} that "{meaning.output.step}" yields cannot be told: '
            "only its function knows",
            f'compare it with a column, or read it row by row: {{sql: ":{meaning.output.names[0]}.'
            f'{meaning.column}::integer"}}',
        )

    def _lists(
        self, where: SqlFragment | None, data: tuple[Assignment, ...], call: FunctionCall | None
    ) -> tuple[OutputList, ...]:
        """Return the plain names that are columns of earlier outputs; warn of those that nearly are."""
        found: dict[str, OutputList] = {}
        if self.outputs is None:
            return ()
        for name, field, span in references(data, where, call):
            if field is not None or name in found:
                continue
            meaning = self.outputs.column(name, span)
            if meaning is not None:
                kind = meaning.output.type_of(meaning.column) or list_type(name, self.target, data, where)
                if kind is not None:
                    found[name] = OutputList(name, meaning.output.step, meaning.column, kind, span)
                else:
                    self._untyped(meaning, span)
                continue
            near = self.outputs.near(name, None)
            if near:
                self.findings.warning(
                    "close-to-output", span, f'":{name}" is no output of a step, so it is a parameter', near
                )
        return tuple(found.values())

    def _keys(self) -> KeySource | None:
        node = self.keys.get("where_condition")
        key = self.target.primary_key
        if node is None or len(key) != 1:
            return None
        scope = self.target.scope("where_condition")
        test = find_key_test(node.value, node.locate, scope, lambda name, _qualifier: name == key[0])
        if test is None or test.parameter.field is not None:
            return None
        if self._names_elsewhere(test.parameter.name):
            return None
        return KeySource(test.parameter.name, test.column, test.remainder, test.parameter.span)

    def _names_elsewhere(self, name: str) -> bool:
        """Say whether the data or a precondition names the array too; then it is more than a source."""
        texts: list[str] = []
        for key in ("update_data", "preconditions"):
            node = self.keys.get(key)
            if node is not None:
                texts.append(repr(node.value))
        return any(re.search(rf":{name}\b", text) for text in texts)

    def _records(self, node: Node, where: SqlFragment | None, data: tuple[Assignment, ...]) -> RecordSource:
        match_on = self._match_on()
        fields = item_fields(self.target, match_on, data, where, self.findings)
        if self.file is None:
            return RecordSource(node.value.strip()[1:], fields, match_on, node.span)
        format = csvfiles.read_format(self.keys.get, self.file.columns, fields, self.findings)
        return RecordSource(csvfiles.CSV_FILE, fields, match_on, node.span, format)

    # What is declared and asked for

    def _parameters(self) -> tuple[DeclaredParameter, ...]:
        node = self.keys.get("parameters")
        if node is None:
            return ()
        return tuple(self._parameter(name, item) for name, item in node.items())

    def _parameter(self, name: str, node: Node) -> DeclaredParameter:
        check_name(name, node.key_span, "parameter name", self.findings)
        if not isinstance(node.value, dict):
            return DeclaredParameter(name, self._declared_type(node), None, None, node.key_span)
        type_node, default_node = node.get("type"), node.get("default")
        return DeclaredParameter(
            name=name,
            type=self._declared_type(type_node) if type_node else None,
            default=self._parameter_default(default_node) if default_node else None,
            description=node.value.get("description"),
            span=node.key_span,
        )

    def _declared_type(self, node: Node) -> Any:
        parsed = parse_type(node.value)
        if isinstance(parsed, TypeProblem):
            self.findings.error(parsed.code, node.span, parsed.message, parsed.help)
            return None
        return parsed

    def _parameter_default(self, node: Node) -> SqlFragment | None:
        value = node.value
        if isinstance(value, str):
            scope = Scope(None, condition=False, parameters=False, what="a parameter's default")
            return parse_fragment(value, node.locate, scope, self.findings)
        return SqlFragment(node.raw, node.span, (_constant(value, node.raw),))

    def _preconditions(self) -> tuple[Precondition, ...]:
        node = self.keys.get("preconditions")
        if node is None:
            return ()
        found: list[Precondition] = []
        for item in node.each():
            scope = self.target.scope("a precondition", aggregates=True)
            fragment = parse_fragment(item.value, item.locate, scope, self.findings)
            if fragment is None:
                continue
            refuse_item_fields(
                ((part.name, part.field, part.span) for part in fragment.parameters), self.findings
            )
            if fragment.columns and not fragment.aggregate:
                self.findings.error(
                    "no-columns-here",
                    fragment.columns[0].span,
                    "a precondition without an aggregate looks at no row, so it cannot name a column",
                    "use an aggregate, such as bool_and(...) or COUNT(*) FILTER (WHERE ...)",
                )
            found.append(Precondition(fragment, fragment.aggregate))
        return tuple(found)


def _constant(value: float | None, raw: str) -> str:
    """Return a YAML scalar that is no text as SQL."""
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value).lower()
        case _:
            return raw if math.isfinite(value) else f"'{value}'::double precision"
