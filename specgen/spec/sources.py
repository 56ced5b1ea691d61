"""What an operation or a step goes through: rows, keys, records, a relation, an earlier step's output."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specgen.spec import csvfiles
from specgen.spec.fragments import find_key_test
from specgen.spec.model import (
    Argument,
    Assignment,
    FunctionCall,
    ItemField,
    KeySource,
    ListRows,
    OperationType,
    OutputList,
    RecordSource,
    Reference,
    Relation,
    RelationSource,
    RowSource,
    SingleSource,
    Source,
    StepRows,
)
from specgen.spec.records import item_fields, list_type, references, refuse_item_fields
from specgen.spec.relations import check_assignable, check_fields, read_relation

if TYPE_CHECKING:
    from specgen.diagnostics import Findings, Span
    from specgen.spec.documents import Node
    from specgen.spec.entities import Catalog, Draft
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.outputs import ListMeaning, Outputs, StepOutput
    from specgen.spec.settled import Settled

_OVER_ROWS = (OperationType.UPDATE, OperationType.DELETE, OperationType.SELECT)


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Tells from all that an operation says what it goes through.

    Attributes:
        keys: What it says.
        target: The entity it works on.
        catalog: All entities.
        findings: Gets what is wrong.
        outputs: For a step, the outputs of the others.
        type: What it does.
        file: The file it reads, if it does.
        match_on: The columns by which a record finds its row.
        where: Its condition.
        data: What it writes.
        call: What it calls.
    """

    keys: Settled
    target: Draft
    catalog: Catalog
    findings: Findings
    outputs: Outputs | None
    type: OperationType
    file: csvfiles.FileSource | None
    match_on: tuple[str, ...]
    where: SqlFragment | None
    data: tuple[Assignment, ...]
    call: FunctionCall | None

    def read(self) -> Source:
        """Return what is gone through."""
        node = self.keys.get("data_source")
        if node is not None:
            return self._given(node)
        named = list(references(self.data, self.where, self.call))
        driving = self._driving(named)
        if driving is not None and self.outputs is not None:
            others = frozenset(base for item in self.outputs.outputs for base in item.names)
            return self._relation(StepRows(driving.step), driving, span=named[0][2], reported=others)
        refuse_item_fields(named, self.findings, self.outputs)
        if self.type not in _OVER_ROWS:
            return (self._listed(self.call) if self.call else None) or SingleSource()
        return (self._keys() if self.where else None) or RowSource()

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
        *,
        span: Span,
        reported: frozenset[str] = frozenset(),
    ) -> RelationSource:
        match_on = self.match_on
        names = output.names if output else ()
        if output:
            named = tuple(references(self.data, self.where, self.call))
            said = {name for name, _, _ in named}
            names = tuple(sorted(names, key=said.__contains__))
            matched = ((output.names[0], column, span) for column in match_on)
            check_fields(output, (*named, *matched), self.findings)
            check_assignable(output, self.data, self.target, self.findings)
        fields = item_fields(
            self.target,
            match_on,
            self.data,
            self.where,
            self.findings,
            names=names,
            call=self.call,
            known=output.type_of if output else lambda _field: None,
            reported=reported,
        )
        return RelationSource(relation, ("item", self.target.name, *names), fields, match_on, span)

    def _given(self, node: Node) -> Source:
        if isinstance(node.value, dict):
            relation = read_relation(node, self.catalog, self.target, self.findings)
            if relation is None:
                return SingleSource()
            return self._relation(relation, None, span=node.span)
        if self.file is not None:
            return self._records(node)
        name = node.value.strip()[1:]
        declared = self.outputs is not None and name in self.outputs.names.declared
        output = self.outputs.rows(name, node.span) if self.outputs and not declared else None
        if output is not None:
            return self._relation(StepRows(output.step), output, span=node.span)
        near = self.outputs.near(name, "") if self.outputs and not declared else None
        if near:
            self._warn_close(name, node.span, near)
        if self.outputs is not None or self.call is not None:
            rows = ListRows(name, records=True, span=node.span)
            return self._relation(rows, None, span=node.span)
        return self._records(node)

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

    def _untyped(self, meaning: ListMeaning, span: Span) -> None:
        self.findings.error(
            "unknown-output-type",
            span,
            f'the type of the column {meaning.column} that "{meaning.output.step}" yields cannot be told: '
            "only its function knows",
            f'compare it with a column, or read it row by row: {{sql: ":{meaning.output.names[0]}.'
            f'{meaning.column}::integer"}}',
        )

    def lists(self) -> tuple[OutputList, ...]:
        """Return the plain names that are columns of earlier outputs; warn of those that nearly are."""
        found: dict[str, OutputList] = {}
        if self.outputs is None:
            return ()
        for name, field, span in references(self.data, self.where, self.call):
            if field is not None or name in found:
                continue
            meaning = self.outputs.column(name, span)
            if meaning is not None:
                kind = meaning.output.type_of(meaning.column) or list_type(
                    name, self.target, self.data, self.where
                )
                if kind is not None:
                    found[name] = OutputList(name, meaning.output.step, meaning.column, kind, span)
                else:
                    self._untyped(meaning, span)
                continue
            near = self.outputs.near(name, None)
            if near:
                self._warn_close(name, span, near)
        return tuple(found.values())

    def _warn_close(self, name: str, span: Span, near: str) -> None:
        message = f'":{name}" is no output of a step, so it is a parameter'
        help = f"{near} If it is a parameter, declare it: parameters: {{{name}: ...}}"
        self.findings.warning("close-to-output", span, message, help)

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

    def _records(self, node: Node) -> RecordSource:
        match_on = self.match_on
        fields = item_fields(self.target, match_on, self.data, self.where, self.findings)
        if self.file is None:
            return RecordSource(node.value.strip()[1:], fields, match_on, node.span)
        self.file.report_unread(fields, self.findings)
        format = csvfiles.read_format(self.keys, self.file.columns, fields, self.findings)
        return RecordSource(csvfiles.CSV_FILE, fields, match_on, node.span, format)


def collected(call: FunctionCall | None, source: Source) -> FunctionCall | None:
    """Return the call with the list it is handed named as the field of the current record."""
    if call is None or not isinstance(source, RelationSource):
        return call
    column = source.fields[0].name if source.fields else "value"
    arguments = tuple(
        Argument(item.name, Reference("item", column, source.span), collected=True)
        if isinstance(item.value, Reference) and item.value.field is None and item.value.span == source.span
        else item
        for item in call.arguments
    )
    return replace(call, arguments=arguments)
