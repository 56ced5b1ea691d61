"""Functions that steps call: whether they are there, take what they get, and return what is read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.checks.assigning import becomes
from specgen.checks.probe import Column, Trouble
from specgen.checks.refusals import (
    AMBIGUOUS_FUNCTION,
    NO_FUNCTION,
    NO_SCHEMA,
    near_function,
    report_refusal,
    takes,
)
from specgen.plan.sqltext import ident
from specgen.spec.model import RelationSource
from specgen.spec.records import references
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specgen.checks.catalog import Candidate, Catalog
    from specgen.checks.parts import Part
    from specgen.diagnostics import Findings, Span
    from specgen.spec.model import Argument, FunctionCall

_MISFITS = (NO_FUNCTION, AMBIGUOUS_FUNCTION)


def check_call(
    part: Part, call: FunctionCall, catalog: Catalog, findings: Findings
) -> tuple[Column, ...] | None:
    """Check the call of a ``custom_function``; return what it returns, or nothing where it is wrong."""
    name = ident(call.name) if call.schema is None else f"{ident(call.schema)}.{ident(call.name)}"
    statement = part.statement("SELECT value.* FROM ")
    called = len(statement.text)
    statement.add(f"{name}(")
    for number, argument in enumerate(call.arguments):
        statement.add(", " if number else "")
        statement.add(f"{ident(argument.name)} => " if argument.name else "")
        statement.value(argument.value, None, collected=argument.collected)
    statement.add(") AS value")
    answer = catalog.probe.describe(statement.text, statement.types)
    if not isinstance(answer, Trouble):
        return tuple(item for item in answer if item.type != "void")
    about_call = answer.position in (None, called) and answer.sqlstate in (*_MISFITS, NO_SCHEMA)
    found = _found(call, catalog)
    if about_call and not found:
        findings.error(
            "unknown-function",
            call.span,
            f'the database has no function "{_name(call)}"',
            near_function(call.schema or "", call.name, catalog),
        )
    elif found and all(item.kind != "f" for item in found):
        findings.error(
            "unknown-function",
            call.span,
            f'"{_name(call)}" is {_KINDS[found[0].kind]}, and only a function can be called for records',
            "wrap it in a function",
        )
    elif about_call:
        findings.error(
            "function-arguments",
            call.span,
            f"{_name(call)} is called with ({_given(part, call, catalog)}), which "
            + ("several take" if answer.sqlstate == AMBIGUOUS_FUNCTION else "it does not take"),
            takes(found),
        )
    else:
        report_refusal(answer, statement, call.span, catalog, findings)
    return None


_KINDS = {"p": "a procedure", "a": "an aggregate", "w": "a window function"}


def _name(call: FunctionCall) -> str:
    return f"{call.schema}.{call.name}" if call.schema else call.name


def _found(call: FunctionCall, catalog: Catalog) -> list[Candidate]:
    found = catalog.functions(call.name)
    return [item for item in found if (item.schema == call.schema if call.schema else item.visible)]


def _given(part: Part, call: FunctionCall, catalog: Catalog) -> str:
    """Return the arguments of a call as a signature would write them."""
    return ", ".join(
        f"{item.name} {_type(part, item, catalog)}" if item.name else _type(part, item, catalog)
        for item in call.arguments
    )


def _type(part: Part, argument: Argument, catalog: Catalog) -> str:
    statement = part.statement("SELECT ").value(argument.value, None, collected=argument.collected)
    answer = catalog.probe.describe(statement.text, statement.types)
    return "?" if isinstance(answer, Trouble) else answer[0].type


def check_outputs(
    part: Part,
    returned: Mapping[str, tuple[Column, ...]],
    calls: Mapping[str, str],
    catalog: Catalog,
    findings: Findings,
) -> None:
    """Check what a step reads of the functions that earlier steps call.

    Args:
        part: The step.
        returned: What the function of each step returns, by the step's name.
        calls: The function of each step.
        catalog: For types.
        findings: Gets what is wrong.
    """
    for step, column, kind, span in _read(part):
        if step not in returned:
            continue
        known = {item.name: item.type for item in returned[step]}
        if column not in known:
            listed = ", ".join(f"{name} {type_}" for name, type_ in known.items())
            findings.error(
                "unknown-output-field",
                span,
                f'the step "{step}" yields no "{column}": {calls[step]} does not return it',
                did_you_mean(column, known) or (f"it returns: {listed}" if listed else "it returns nothing"),
            )
        elif not becomes(known[column], kind, catalog):
            findings.error(
                "output-type",
                span,
                f"{column} is {known[column]} ({calls[step]} of the step {step}), and it is read as {kind}",
                f"let the function return {kind}, or a type that becomes it",
            )


def _read(part: Part) -> Iterator[tuple[str, str, str, Span]]:
    """Yield what is read of other steps: the step, the column, the type it is read as, and where."""
    operation, step = part.operation, part.reads
    for item in operation.lists:
        yield item.step, item.column, item.type.sql, item.span
    source = operation.source
    if step is None or not isinstance(source, RelationSource):
        return
    for item_field in part.planned.fields:
        yield step, item_field.name, item_field.type, field_span(part, item_field.name, source.span)


def field_span(part: Part, field: str, otherwise: Span) -> Span:
    """Return where a field of the current record is named first."""
    operation = part.operation
    named = references(operation.data, operation.where, operation.call)
    return next((span for _, name, span in named if name == field), otherwise)
