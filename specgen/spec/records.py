"""Records that the caller hands in: which fields of an item an operation reads, and as what."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from specgen.spec.model import (
    Assignment,
    Defaulted,
    Expression,
    FieldType,
    FunctionCall,
    ItemField,
    Reference,
    Value,
)
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from specgen.diagnostics import Findings, Span
    from specgen.spec.entities import Draft
    from specgen.spec.fragments import Evidence, SqlFragment
    from specgen.spec.outputs import Outputs


_TEXT = FieldType("text", "text")
_TEXTS = ("text", "varchar", "character", "name", "citext")
"""Types that functions take for a text as they are."""


def references(
    data: tuple[Assignment, ...], where: SqlFragment | None, call: FunctionCall | None = None
) -> Iterator[tuple[str, str | None, Span]]:
    """Yield every ``:name`` and ``:name.field`` of an operation's data, arguments and condition."""
    for item in data:
        yield from _named(item.value)
    for argument in call.arguments if call else ():
        yield from _named(argument.value)
    if where:
        yield from ((part.name, part.field, part.span) for part in where.parameters)


def _named(value: Value) -> Iterator[tuple[str, str | None, Span]]:
    match value:
        case Reference(name, field, span) | Defaulted(Reference(name, field, span)):
            yield name, field, span
        case Expression(fragment):
            yield from ((part.name, part.field, part.span) for part in fragment.parameters)
        case _:
            pass


def refuse_item_fields(
    found: Iterable[tuple[str, str | None, Span]], findings: Findings, outputs: Outputs | None = None
) -> None:
    """Report fields of an item where there is no item."""
    for name, field, span in found:
        if field is None:
            continue
        near = outputs.near(name, field) if outputs else None
        if outputs is not None:
            message = f":{name}.{field}: no step yields rows called :{name}"
            names = ", ".join(f":{base}" for item in outputs.outputs for base in item.names)
            findings.error("unknown-output", span, message, near or f"the other steps yield: {names}")
        else:
            findings.error(
                "unknown-item",
                span,
                f":{name}.{field} is a field of an item, and there are no items here",
                f"add data_source: :records, or name a parameter: :{field}",
            )


def _untyped(_field: str) -> FieldType | None:
    return None


def item_fields(
    target: Draft,
    match_on: tuple[str, ...],
    data: tuple[Assignment, ...],
    where: SqlFragment | None,
    findings: Findings,
    *,
    names: tuple[str, ...] = (),
    call: FunctionCall | None = None,
    known: Callable[[str], FieldType | None] = _untyped,
    reported: frozenset[str] = frozenset(),
) -> tuple[ItemField, ...]:
    """Return the fields of the current item that an operation reads, with their types.

    A field that is a column of the target has that column's type. Another one has the type of what it
    is assigned to, compared with or cast to; and so has one of a column's name that is nothing but the
    text that a function makes the column's value of.

    Args:
        target: The entity that is written.
        match_on: The columns by which an update or delete finds its row.
        data: What is written.
        where: The condition.
        findings: Gets what is wrong.
        names: What the current item is called besides ``item`` and the entity.
        call: The function that is called.
        known: The type that a field has where it comes from, if that is known.
        reported: Names of other items; that they are not the current one has been said.
    """
    items = ("item", target.name, *names)
    found = {column: ItemField(column, known(column) or target.types[column]) for column in match_on}
    hints = _hints(target, data, where)
    written = _texts_for_functions(data, where, call)
    for argument in call.arguments if call else ():
        if isinstance(argument.value, Expression):
            _collect(argument.value.fragment.evidence, target, hints)
    for name, field, span in references(data, where, call):
        if field is None or field in found:
            continue
        if name not in items and name in reported:
            continue
        if name not in items:
            called = " or ".join(f":{item}" for item in dict.fromkeys(items))
            message = f":{name}.{field} is no field of the current item, which is called {called}"
            findings.error("unknown-item", span, message, did_you_mean(name, items) or f"write :item.{field}")
            continue
        kind = known(field) or target.types.get(field) or hints.get(field)
        if field in written and not known(field) and (kind is None or kind.array or kind.base not in _TEXTS):
            kind = _TEXT
        if kind is None:
            findings.error(
                "unknown-item-field",
                span,
                f'the type of the item\'s field "{field}" cannot be told: "{target.name}" has no such column',
                did_you_mean(field, target.types) or f"cast it: :{name}.{field}::text",
            )
            continue
        found[field] = ItemField(field, kind)
    return tuple(found.values())


def _texts_for_functions(
    data: tuple[Assignment, ...], where: SqlFragment | None, call: FunctionCall | None
) -> frozenset[str]:
    """Return the fields that stand nowhere but where a function wants a text."""
    values = (*(item.value for item in data), *(item.value for item in (call.arguments if call else ())))
    fragments = [value.fragment for value in values if isinstance(value, Expression)]
    uses = Counter(field for _, field, _ in references(data, where, call))
    arguments = Counter(
        item.parameter.field
        for fragment in (*fragments, *((where,) if where else ()))
        for item in fragment.evidence
        if item.argument
    )
    return frozenset(field for field, times in arguments.items() if field and times == uses[field])


def _hints(target: Draft, data: tuple[Assignment, ...], where: SqlFragment | None) -> dict[str, FieldType]:
    """Return the types that the uses of item fields tell."""
    hints: dict[str, FieldType] = {}
    for item in data:
        if isinstance(item.value, Reference) and item.value.field:
            hints.setdefault(item.value.field, target.types[item.column])
        elif isinstance(item.value, Expression):
            _collect(item.value.fragment.evidence, target, hints)
    if where:
        _collect(where.evidence, target, hints)
    return hints


def list_type(
    name: str, target: Draft, data: tuple[Assignment, ...], where: SqlFragment | None
) -> FieldType | None:
    """Return the type of the elements of a list, as its uses tell it."""
    fragments = [item.value.fragment for item in data if isinstance(item.value, Expression)]
    for fragment in (*fragments, *((where,) if where else ())):
        for item in fragment.evidence:
            if item.parameter.name != name or item.parameter.field is not None:
                continue
            if item.array_of:
                return target.types[item.array_of]
            if item.sql_type and item.sql_type.endswith("[]"):
                element = item.sql_type.removesuffix("[]")
                return FieldType(element, element)
    return None


def _collect(evidence: tuple[Evidence, ...], target: Draft, hints: dict[str, FieldType]) -> None:
    for item in evidence:
        field = item.parameter.field
        if field is None:
            continue
        if item.column:
            hints.setdefault(field, target.types[item.column])
        elif item.array_of:
            element = target.types[item.array_of]
            hints.setdefault(field, FieldType(element.sql + "[]", element.base, array=True))
        elif item.sql_type:
            array = item.sql_type.endswith("[]")
            hints.setdefault(field, FieldType(item.sql_type, item.sql_type.removesuffix("[]"), array))
