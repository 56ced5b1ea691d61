"""An operation's parameters: their order, their types, and where each type comes from.

A type is inferred from every use: the column a parameter is assigned to or compared with, a cast, a
constant. Uses that disagree are reported, as is a parameter that no use tells anything about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from specgen.spec.model import (
    BatchOperation,
    Entity,
    Expression,
    FieldType,
    KeySource,
    ListRows,
    QueryRows,
    RecordSource,
    Reference,
    RelationSource,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from specgen.diagnostics import Findings, Span
    from specgen.spec.fragments import Evidence, SqlFragment
    from specgen.spec.model import OutputList

Part: TypeAlias = "tuple[BatchOperation, Entity]"
"""What uses parameters: an operation or one of its steps, and the entity it works on."""

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_TEXTS = ("text", "varchar", "character varying")
_ANY_LENGTH = {"character": "bpchar", "bit": "bit varying"}
"""What means one character or bit where it stands without a length, and what means any number."""
RESERVED = frozenset({"dry_run", "confirm", "options"})
LOCALS = frozenset(
    (
        "found",
        *(f"v_{n}" for n in ("planned", "operation", "before", "range", "began", "errors", "items", "work")),
    )
)
"""Variables of the public function, which keeps its parameters' names."""


@dataclass(frozen=True, slots=True)
class TypedParameter:
    """A parameter with its type.

    Attributes:
        type: As SQL writes it, without length or precision, which PostgreSQL ignores in parameters.
        reason: Where the type comes from, for ``specgen explain``.
        default: A SQL expression, or nothing.
    """

    name: str
    type: str
    reason: str
    default: str | None = None
    description: str | None = None


@dataclass(slots=True)
class _Use:
    span: Span
    types: list[tuple[str, str]] = field(default_factory=list)
    weak: list[tuple[str, str]] = field(default_factory=list)


def parameter_type(kind: FieldType) -> str:
    """Return the type of a parameter that holds a column's value."""
    base = _ANY_LENGTH.get(kind.base, kind.base)
    return f"{base}[]" if kind.array else base


def typed_parameters(
    operation: BatchOperation, parts: Sequence[Part], findings: Findings
) -> tuple[TypedParameter, ...]:
    """Return an operation's parameters in the order of its function.

    Declared ones come first, then those of the condition, the data, the preconditions and the source.
    PostgreSQL wants parameters with a default behind those without.

    Args:
        operation: The operation that declares parameters.
        parts: Its steps and itself, or only itself.
        findings: Gets what is wrong.
    """
    uses: dict[str, _Use] = {}
    for part, target in parts:
        _add_part(part, target, uses, findings)
    declared = {item.name: item for item in operation.parameters}
    result: list[TypedParameter] = []
    for name in dict.fromkeys((*declared, *uses)):
        entry = declared.get(name)
        use = uses.get(name)
        span = entry.span if entry else uses[name].span
        if name in RESERVED:
            findings.error(
                "reserved-parameter",
                span,
                f'"{name}" is an argument that every operation has',
                "choose another name for the parameter",
            )
            continue
        if name in LOCALS:
            findings.error(
                "reserved-parameter",
                span,
                f'"{name}" is a variable of the generated function',
                "choose another name for the parameter",
            )
            continue
        if use is None:
            findings.error("unused-parameter", span, f'nothing uses the parameter ":{name}"', "remove it")
            continue
        if entry and entry.type:
            kind, reason = parameter_type(entry.type), "declared"
        else:
            inferred = _infer(name, use, findings)
            if inferred is None:
                continue
            kind, reason = inferred
        result.append(
            TypedParameter(
                name,
                kind,
                reason,
                entry.default.source if entry and entry.default else None,
                entry.description if entry else None,
            )
        )
    _check_lists(parts, result, findings)
    return tuple(sorted(result, key=lambda item: item.default is not None))


def _check_lists(parts: Sequence[Part], parameters: Iterable[TypedParameter], findings: Findings) -> None:
    """Report what is handed to a function as a list and is none."""
    types = {item.name: item.type for item in parameters}
    for part, _ in parts:
        match part.source:
            case RelationSource(relation=ListRows(name, records=False, span=span)):
                kind = types.get(name, "[]")
                if not kind.endswith("[]"):
                    findings.error(
                        "not-a-list",
                        span,
                        f'":{name}" is {kind}, and input: :{name} hands over a list, a batch at a time',
                        f"declare it as {kind}[], or name the argument: input: {{argument: :{name}}}",
                    )
            case _:
                pass


def _add_part(operation: BatchOperation, target: Entity, uses: dict[str, _Use], findings: Findings) -> None:
    """Add what one step, or an operation by itself, tells of parameters; names of outputs are none."""
    own: dict[str, _Use] = {}
    _collect(operation, target, own)
    lists = {item.name: item for item in operation.lists}
    for name, use in own.items():
        if name in lists:
            _check_list(lists[name], use, findings)
            continue
        shared = uses.setdefault(name, _Use(use.span))
        shared.types += use.types
        shared.weak += use.weak


def _check_list(item: OutputList, use: _Use, findings: Findings) -> None:
    kind = f"{parameter_type(item.type)}[]"
    for other, reason in (*use.types, *use.weak):
        given, wanted = kind.removesuffix("[]"), other.removesuffix("[]")
        if not other.endswith("[]") or _common(given, wanted) is None:
            findings.error(
                "output-type",
                item.span,
                f'":{item.name}" is {kind} (column {item.column} of the step {item.step}), '
                f"and it is used as {other} ({reason})",
                "compare it with = ANY(...)" if not other.endswith("[]") else f"cast it: ::{other}",
            )
            return


def _collect(operation: BatchOperation, target: Entity, uses: dict[str, _Use]) -> None:
    for fragment in _fragments(operation.where):
        _add_fragment(fragment, target, uses)
    for assignment in operation.data:
        kind = target.field(assignment.column).type
        match assignment.value:
            case Reference(name, None, span):
                use = uses.setdefault(name, _Use(span))
                use.types.append((parameter_type(kind), f"assigned to {assignment.column}"))
            case value:
                _add_value(value, target, uses)
    for argument in operation.call.arguments if operation.call else ():
        _add_value(argument.value, target, uses)
    for rule in operation.validation.rules:
        _add_fragment(rule, target, uses)
    for precondition in operation.preconditions:
        _add_fragment(precondition.fragment, target, uses)
    _add_source(operation, target, uses)


def _add_source(operation: BatchOperation, target: Entity, uses: dict[str, _Use]) -> None:
    match operation.source:
        case RelationSource(relation=QueryRows(query)):
            _add_fragment(query, target, uses)
        case RelationSource(relation=ListRows(parameter, records, span)):
            use = uses.setdefault(parameter, _Use(span))
            if records:
                use.types.append(("jsonb", "the records"))
        case RecordSource(parameter, span=span):
            uses.setdefault(parameter, _Use(span)).types.append(("jsonb", "the records"))
        case KeySource(parameter, column, _, span):
            kind = target.field(column).type
            use = uses.setdefault(parameter, _Use(span))
            use.types.append((f"{parameter_type(kind)}[]", f"keys of {column}"))
        case _:
            pass


def _add_value(value: Value, target: Entity, uses: dict[str, _Use]) -> None:
    match value:
        case Reference(name, None, span):
            uses.setdefault(name, _Use(span))
        case Expression(fragment):
            _add_fragment(fragment, target, uses)
        case _:
            pass


def _fragments(fragment: SqlFragment | None) -> Iterator[SqlFragment]:
    if fragment is not None:
        yield fragment


def _add_fragment(fragment: SqlFragment, target: Entity, uses: dict[str, _Use]) -> None:
    for name in fragment.parameters:
        if name.field is None:
            uses.setdefault(name.name, _Use(name.span))
    for item in fragment.evidence:
        if item.parameter.field is None:
            _add_evidence(item, target, uses[item.parameter.name])


def _add_evidence(item: Evidence, target: Entity, use: _Use) -> None:
    if item.column:
        use.types.append((parameter_type(target.field(item.column).type), f"compared with {item.column}"))
    elif item.array_of:
        kind = parameter_type(target.field(item.array_of).type)
        use.types.append((f"{kind}[]", f"a list of {item.array_of}"))
    elif item.sql_type:
        use.weak.append((item.sql_type, f"used as {item.sql_type}"))


def _infer(name: str, use: _Use, findings: Findings) -> tuple[str, str] | None:
    found = use.types or use.weak
    if not found:
        findings.error(
            "unknown-parameter-type",
            use.span,
            f'the type of ":{name}" cannot be told from its uses',
            f"declare it: parameters: {{{name}: <type>}}",
        )
        return None
    kind, reason = found[0]
    for other, other_reason in found[1:]:
        wider = _common(kind, other)
        if wider is None:
            findings.error(
                "contradicting-parameter-types",
                use.span,
                f'":{name}" is {kind} ({reason}) and {other} ({other_reason})',
                f"declare the one you mean: parameters: {{{name}: {kind}}}",
            )
            return None
        if wider != kind:
            kind, reason = wider, other_reason
    return kind, reason


def _common(one: str, other: str) -> str | None:
    """Return the type that holds both, or nothing."""
    if one == other:
        return one
    if one in _NUMBERS and other in _NUMBERS:
        return max(one, other, key=_NUMBERS.index)
    if one in _TEXTS and other in _TEXTS:
        return "text"
    return None
