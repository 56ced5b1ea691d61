"""Batch operations: one pattern of an entity file to one :class:`BatchOperation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.spec import csvfiles, policies
from specgen.spec.calls import read_call
from specgen.spec.declared import read_parameters, read_preconditions
from specgen.spec.entities import Catalog, Draft, is_unique, read_columns, unknown_column
from specgen.spec.fragments import Scope, SqlFragment, parse_fragment
from specgen.spec.keytypes import check_columns, check_lists
from specgen.spec.matching import report_moved
from specgen.spec.model import (
    Assignment,
    BatchOperation,
    FunctionCall,
    Literal,
    OperationType,
    RecordSource,
    RelationSource,
)
from specgen.spec.notifications import read_notifications
from specgen.spec.required import report_left_out
from specgen.spec.settled import Settled, type_of
from specgen.spec.sources import SourceReader, collected
from specgen.spec.validation import read_validation
from specgen.spec.values import read_value
from specgen.spec.workers import read_workers

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.outputs import Outputs


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
        through = SourceReader(
            keys=keys,
            target=self.target,
            catalog=self.catalog,
            findings=findings,
            outputs=self.outputs,
            type=self.type,
            file=self.file,
            match_on=self._match_on(),
            where=where,
            data=data,
            call=call,
        )
        source = through.read()
        if self.type is OperationType.UPDATE and isinstance(source, (RecordSource, RelationSource)):
            report_moved(data, source.match_on, self.target, findings)
        if where is not None:
            check_lists(where, self.target, findings)
        conflict = self._columns("conflict_target")
        self._check_keys("conflict_target")
        parameters = read_parameters(keys, findings)
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
            preconditions=read_preconditions(keys, self.target, findings),
            validation=read_validation(
                keys.own, keys.get, self.target, self.type, source=source, findings=findings
            ),
            limits=policies.read_limits(keys.get, findings),
            errors=policies.read_errors(keys.get, findings),
            reporting=policies.read_reporting(keys.own.get, keys.get, findings),
            notifications=read_notifications(keys.get, keys.own.get, findings),
            workers=read_workers(keys.get, keys.own.get, findings),
            grants=policies.read_grants(keys.get, findings),
            call=collected(call, source),
            lists=through.lists(),
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
        self._check_keys("match_on")
        return self._columns("match_on") or self.target.primary_key

    def _check_keys(self, key: str) -> None:
        node = self.keys.get(key)
        if node is not None:
            check_columns(self.target, node, self.findings)

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
        if self.type is OperationType.CUSTOM_FUNCTION:
            message = "what a function returns is kept as it is, so returning cannot choose among its columns"
            self.findings.error("wrong-mix", node.span, message, "returning: true")
            return key
        columns = read_columns(node, self.target, self.findings)
        return (*key, *(column for column in columns if column not in key))

    def _call(self) -> FunctionCall | None:
        node = self.keys.get("function")
        if node is None or self.type is not OperationType.CUSTOM_FUNCTION:
            return None
        return read_call(node, self.keys.get("input"), self.findings)
