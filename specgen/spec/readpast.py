"""Steps that delete what the step before them was to keep, and failed to.

``find`` -> ``archive`` -> ``delete`` is what many write, and the ``delete`` must read what ``archive`` has
written: what ``find`` yields has the records in it that could not be archived. The same holds for an
update that takes its rows off the list of the next run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.spec.model import (
    Defaulted,
    ErrorHandling,
    OperationType,
    Reference,
    RelationSource,
    StepRows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from specgen.diagnostics import Findings, Span
    from specgen.spec.model import BatchOperation, Step
    from specgen.spec.outputs import StepOutput

_KEEPING = (OperationType.INSERT, OperationType.UPSERT, OperationType.CUSTOM_FUNCTION)


@dataclass(frozen=True, slots=True)
class Flow:
    """What is known of the steps of an operation besides the steps.

    Attributes:
        outputs: What each leaves.
        independent: Those that say that they wait for none but whose outputs they read.
        atomic: Whether any error undoes the whole operation.
    """

    outputs: Mapping[str, StepOutput]
    independent: frozenset[str]
    atomic: bool


def report_read_past(steps: Sequence[Step], flow: Flow, findings: Findings) -> None:
    """Warn of each step that takes away what a step before it may have failed to keep.

    Args:
        steps: In the order in which they run.
        flow: What else is known of them.
        findings: Gets the warnings.
    """
    origins: dict[str, frozenset[str]] = {}
    for step in steps:
        origins[step.name] = _origins(step, origins)
    for place, step in enumerate(steps):
        if step.name in flow.independent:
            continue
        for source in _taken_from(step, steps[:place]):
            past = [
                item
                for item in steps[:place]
                if source in origins[item.name]
                and item.name not in origins[step.name]
                and _keeps(item.operation, step.operation)
                and _goes_on(item.operation, atomic=flow.atomic)
            ]
            if past:
                _warn(step, source, past[-1], flow, findings)


def _origins(step: Step, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the steps that a step's records come from, directly or through others."""
    reads = step.operation.reads
    return frozenset(reads).union(*(known.get(item, frozenset()) for item in reads))


def _taken_from(step: Step, before: Sequence[Step]) -> Iterator[str]:
    """Yield the steps whose records are gone for the next run when this step is done."""
    operation = step.operation
    for source in operation.reads:
        if operation.type is OperationType.DELETE:
            yield source
        elif operation.type is OperationType.UPDATE:
            found = next((item.operation for item in before if item.name == source), None)
            if found is not None and _ticks_off(operation, found):
                yield source


def _ticks_off(operation: BatchOperation, source: BatchOperation) -> bool:
    """Say whether an update writes what the records were selected by."""
    if source.type is not OperationType.SELECT or source.entity != operation.entity or source.where is None:
        return False
    return not {item.name for item in source.where.columns}.isdisjoint(item.column for item in operation.data)


def _keeps(operation: BatchOperation, taking: BatchOperation) -> bool:
    """Say whether a step carries what it reads to somewhere that another one does not take it from."""
    if operation.type is OperationType.UPDATE:
        match operation.source:
            case RelationSource(relation=StepRows()):
                return operation.entity != taking.entity
            case _:
                return False
    return operation.type in _KEEPING


def _goes_on(operation: BatchOperation, *, atomic: bool) -> bool:
    """Say whether the steps behind a step are done although it has left records out."""
    if operation.validation.rules and operation.validation.skip_invalid:
        return True
    errors = operation.errors
    return not (atomic or errors.handling is ErrorHandling.STOP_ON_ERROR or errors.max_errors.count == 0)


def _warn(step: Step, source: str, past: Step, flow: Flow, findings: Findings) -> None:
    skips = past.operation.validation.rules and past.operation.validation.skip_invalid
    left_out = "fails in or is skipped by" if skips else "fails in"
    verb = "deletes" if step.operation.type is OperationType.DELETE else "updates"
    span, column = _place(step, source)
    stop = (
        ""
        if skips
        else f', or let the first failure in "{past.name}" end the operation: error_handling: stop_on_error'
    )
    findings.warning(
        "reads-past-failures",
        span,
        f'"{step.name}" {verb} what "{source}" yields, and so what {left_out} "{past.name}" too',
        f'read what "{past.name}" succeeded with: {_instead(past, column, flow)}{stop}; '
        "if all of it is meant: depends_on: []",
    )


def _place(step: Step, source: str) -> tuple[Span, str | None]:
    """Return where a step names the output of another, and the column if it is one as an array."""
    for item in step.operation.lists:
        if item.step == source:
            return item.span, item.column
    match step.operation.source:
        case RelationSource(span=span):
            return span, None
        case _:
            return step.span, None


def _instead(past: Step, column: str | None, flow: Flow) -> str:
    """Return the name that has in it what a step succeeded with."""
    output = flow.outputs[past.name]
    others = [item for name, item in flow.outputs.items() if name != past.name]
    if column is None:
        own = [name for name in output.names if not any(name in item.names for item in others)]
        return f"the rows of :{own[0]}" if own else _named_first()
    carried = _carried(past.operation, column)
    if carried is None:
        # A column of the same name is not the same: it may be the key that the other table has drawn.
        return f"let it write {column} too, and read that"
    keys = sorted(output.key_lists) if carried == output.key else []
    names = [*(f"{base}_{carried}s" for base in output.names), *keys]
    own = [name for name in names if not any(item.column_of(name) for item in others)]
    return f":{own[0]}" if own else _named_first(carried)


def _carried(operation: BatchOperation, column: str) -> str | None:
    """Return the column of a step's output that a column of what it reads is found again in."""
    if operation.type is OperationType.CUSTOM_FUNCTION:
        return column
    if isinstance(operation.source, RelationSource) and column in operation.source.match_on:
        return column
    for item in operation.data:
        match item.value:
            case Reference(field=field) | Defaulted(Reference(field=field)) if field == column:
                return item.column
            case _:
                pass
    return None


def _named_first(column: str | None = None) -> str:
    example = f":kept_{column}s" if column else "the rows of :kept"
    return f"{example}, with output: kept in it"
