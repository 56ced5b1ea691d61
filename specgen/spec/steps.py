"""A whole operation: by itself, or as steps in the order in which they run (LANGUAGE, "Steps").

A step is an operation of its own. What calls a function or goes through a relation is always planned as
a step, so an operation that does nothing else is an operation of one step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from specgen.spec import policies
from specgen.spec.model import (
    BatchOperation,
    OperationType,
    RelationSource,
    Step,
    StepRows,
    Steps,
)
from specgen.spec.names import check_name
from specgen.spec.operations import OperationReader
from specgen.spec.outputs import Names, Outputs, StepOutput
from specgen.spec.readpast import Flow, report_read_past
from specgen.spec.settled import Settled, find_target, type_of
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.entities import Catalog, Draft
    from specgen.spec.model import FieldType

_DATA_OF = {
    OperationType.UPDATE: "update_data",
    OperationType.INSERT: "insert_data",
    OperationType.UPSERT: "upsert_data",
}
_NEEDS_ROWS = (OperationType.UPDATE, OperationType.DELETE)


def build_operation(
    keys: Settled, home: Draft, catalog: Catalog, broken: frozenset[str], findings: Findings
) -> BatchOperation | None:
    """Read one operation.

    Args:
        keys: What it says.
        home: The entity whose file it stands in.
        catalog: All entities.
        broken: Names of entities that could not be read and were reported.
        findings: Gets what is wrong.
    """
    name = keys.own["operation"]
    check_name(name.value, name.span, "operation name", findings)
    target = find_target(keys, home, catalog, broken, findings)
    if target is None:
        return None
    if keys.own.get("steps") is not None:
        return _StepsReader(keys, target, home, catalog, broken, findings).operation()
    operation = OperationReader(keys, target, catalog, findings).operation(name)
    alone = isinstance(operation.source, RelationSource) or operation.type is OperationType.CUSTOM_FUNCTION
    return _of_one_step(operation) if alone else operation


def _of_one_step(operation: BatchOperation) -> BatchOperation:
    """Return an operation whose only step does what it says."""
    name = str(operation.type)
    inner = replace(operation, name=f"{operation.name}_{name}", preconditions=(), parameters=(), grants=())
    kept = bool(operation.returning)
    step = Step(name=name, span=operation.span, operation=inner, depends_on=(), kept=kept)
    return _outer(operation, (step,))


def _outer(operation: BatchOperation, steps: tuple[Step, ...]) -> BatchOperation:
    return replace(
        operation,
        type=OperationType.STEPS,
        source=Steps(steps),
        data=(),
        where=None,
        conflict_target=(),
        update_columns=(),
        select_fields=(),
        returning=(),
        call=None,
        lists=(),
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A step whose name, target and own words about its order are read."""

    keys: Settled
    name: str
    target: Draft
    output: StepOutput
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _StepsReader:
    keys: Settled
    target: Draft
    home: Draft
    catalog: Catalog
    broken: frozenset[str]
    findings: Findings

    def operation(self) -> BatchOperation | None:
        """Read the operation and its steps."""
        name = self.keys.own["operation"]
        drafts = self._drafts()
        if drafts is None:
            return None
        names = self._names(drafts)
        steps = [self._step(item, drafts, names) for item in drafts]
        outer = OperationReader(self.keys, self.target, self.catalog, self.findings).operation(name)
        ordered = self._ordered(steps)
        if ordered is not None:
            report_read_past(ordered, _flow(drafts, outer), self.findings)
        return _outer(outer, _keeping(ordered)) if ordered is not None else None

    def _names(self, drafts: list[_Draft]) -> Names:
        return Names(
            declared=frozenset(self.keys.plain("parameters", {})),
            mentioned={item.name: _mentioned(item.keys.own) for item in drafts},
            waiting={item.name: _waiting(item.name, drafts) for item in drafts},
        )

    def _drafts(self) -> list[_Draft] | None:
        nodes = self.keys.own["steps"].each()
        names = [node["name"].value for node in nodes]
        drafts: list[_Draft] = []
        whole = True
        for index, node in enumerate(nodes):
            keys = Settled(node, self.keys.defaults, self.keys)
            name = node["name"]
            check_name(name.value, name.span, "step name", self.findings)
            if name.value in names[:index]:
                message = f'there are two steps "{name.value}"'
                self.findings.error("duplicate-step", name.span, message, "rename one of them")
                whole = False
            target = find_target(keys, self.home, self.catalog, self.broken, self.findings)
            if target is None:
                whole = False
                continue
            said = self._said(node, names, index)
            drafts.append(_Draft(keys, name.value, target, _output(keys, target), said))
        return drafts if whole else None

    def _said(self, node: Node, names: list[str], index: int) -> tuple[str, ...]:
        """Return what a step says it depends on: by default the step before."""
        given = node.get("depends_on")
        if given is None:
            return (names[index - 1],) if index else ()
        known: list[str] = []
        for item in given.each():
            if item.value == names[index]:
                message = f'the step "{item.value}" depends on itself'
                self.findings.error("step-cycle", item.span, message, "name another step, or none: []")
            elif item.value in names:
                known.append(item.value)
            else:
                others = [name for name in names if name != names[index]]
                listed = f"the other steps: {', '.join(others)}" if others else "it is the only step"
                near = did_you_mean(item.value, others) or listed
                self.findings.error("unknown-step", item.span, f'there is no step "{item.value}"', near)
        return tuple(known)

    def _step(self, draft: _Draft, drafts: list[_Draft], names: Names) -> Step:
        place = drafts.index(draft)
        others = Outputs(
            draft.name,
            (item.output for item in drafts[:place]),
            (item.output for item in drafts[place + 1 :]),
            names,
            self.findings,
        )
        before = len(self.findings.items)
        name = draft.keys.own["name"]
        reader = OperationReader(draft.keys, draft.target, self.catalog, self.findings, others)
        operation = reader.operation(name)
        through_rows = operation.type in _NEEDS_ROWS and not isinstance(operation.source, RelationSource)
        if through_rows and not operation.where and len(self.findings.items) == before:
            self.findings.error(
                "missing-where",
                name.key_span,
                f'step "{draft.name}" does not say which rows it goes through',
                'add where_condition, or name a field of an output; for the whole table: "true"',
            )
        whole = f"{self.keys.own['operation'].value}_{draft.name}"
        return Step(
            name=draft.name,
            span=name.span,
            operation=replace(operation, name=whole, grants=(), parameters=(), preconditions=()),
            depends_on=tuple(dict.fromkeys((*draft.said, *operation.reads))),
            timeout_ms=policies.read_interval(draft.keys.own.get("timeout"), self.findings),
            kept=bool(operation.returning or operation.select_fields),
        )

    def _ordered(self, steps: list[Step]) -> list[Step] | None:
        """Return the steps in the order in which they run: as they stand, where nothing else is asked."""
        places = {step.name: place for place, step in enumerate(steps)}
        sorter = TopologicalSorter({step.name: step.depends_on for step in steps})
        try:
            sorter.prepare()
        except CycleError as error:
            around = list(reversed(error.args[1]))
            first = next(step for step in steps if step.name == around[0])
            self.findings.error(
                "step-cycle",
                first.span,
                f"the steps wait for one another: {' needs '.join(around)}",
                "take one depends_on out of the circle",
            )
            return None
        ordered: list[Step] = []
        ready = list(sorter.get_ready())
        while ready:
            ready.sort(key=places.__getitem__)
            name = ready.pop(0)
            ordered.append(steps[places[name]])
            sorter.done(name)
            ready += sorter.get_ready()
        return ordered


def _flow(drafts: list[_Draft], outer: BatchOperation) -> Flow:
    return Flow(
        outputs={item.name: item.output for item in drafts},
        independent=frozenset(item.name for item in drafts if _waits_for_none(item.keys.own)),
        atomic=outer.limits.atomic,
    )


def _waits_for_none(node: Node) -> bool:
    given = node.get("depends_on")
    return given is not None and not given.value


def _waiting(name: str, drafts: list[_Draft]) -> frozenset[str]:
    """Return the steps that say that they wait for one, directly or through others."""
    found: set[str] = set()
    todo = [name]
    while todo:
        before = todo.pop()
        after = {item.name for item in drafts if before in item.said} - found
        found |= after
        todo += after
    return frozenset(found)


_PLAIN_NAME = re.compile(r"(?<!:):([A-Za-z_]\w*)(?![.\w])")


def _mentioned(node: Node) -> frozenset[str]:
    """Return the plain ``:names`` in a step; one in a string of its SQL may be among them."""
    return frozenset(_PLAIN_NAME.findall(repr(node.value)))


def _output(keys: Settled, target: Draft) -> StepOutput:
    node = keys.own.get("output")
    key = target.primary_key[0] if len(target.primary_key) == 1 else None
    return StepOutput(
        step=keys.own["name"].value,
        output=node.value if node else None,
        entity=target.name,
        key=key,
        key_type=target.types[key] if key else None,
        columns=_columns(keys, target),
        selected=type_of(keys) is OperationType.SELECT,
    )


def _columns(keys: Settled, target: Draft) -> Mapping[str, FieldType] | None:
    kind = type_of(keys)
    if kind is OperationType.CUSTOM_FUNCTION:
        return None
    names = list(target.primary_key)
    if kind is OperationType.SELECT:
        fields = keys.own.get("select_fields")
        names = [item.value for item in fields.each()] if fields else []
    elif kind in _DATA_OF:
        data = keys.own.get(_DATA_OF[kind])
        names += list(data.value) if data else []
    returning = keys.own.get("returning")
    if returning is not None and not isinstance(returning.value, bool):
        names += [item.value for item in returning.each()]
    return {name: target.types[name] for name in dict.fromkeys(names) if name in target.types}


def _keeping(steps: list[Step]) -> tuple[Step, ...]:
    """Return the steps with what later ones read of them marked to be kept."""
    wanted: dict[str, list[str]] = {}
    for step in steps:
        for item in step.operation.lists:
            wanted.setdefault(item.step, []).append(item.column)
        match step.operation.source:
            case RelationSource(relation=StepRows(source), fields=fields):
                wanted.setdefault(source, []).extend(item.name for item in fields)
            case _:
                pass
    return tuple(_kept(step, wanted[step.name]) if step.name in wanted else step for step in steps)


def _kept(step: Step, columns: list[str]) -> Step:
    operation = step.operation
    match operation.type:
        case OperationType.SELECT:
            fields = tuple(dict.fromkeys((*operation.select_fields, *columns)))
            operation = replace(operation, select_fields=fields)
        case OperationType.CUSTOM_FUNCTION:
            pass
        case _:
            operation = replace(operation, returning=tuple(dict.fromkeys((*operation.returning, *columns))))
    return replace(step, operation=operation, kept=True)
