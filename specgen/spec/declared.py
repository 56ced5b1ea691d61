"""What an operation declares: its parameters, and what must hold before it begins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from specgen.spec.fragments import Scope, SqlFragment, parse_fragment
from specgen.spec.model import DeclaredParameter, Precondition
from specgen.spec.names import check_name
from specgen.spec.records import refuse_item_fields
from specgen.spec.types import TypeProblem, parse_type

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.entities import Draft
    from specgen.spec.settled import Settled


def read_parameters(keys: Settled, findings: Findings) -> tuple[DeclaredParameter, ...]:
    """Read ``parameters``."""
    node = keys.get("parameters")
    if node is None:
        return ()
    return tuple(_parameter(name, item, findings) for name, item in node.items())


def _parameter(name: str, node: Node, findings: Findings) -> DeclaredParameter:
    check_name(name, node.key_span, "parameter name", findings)
    if not isinstance(node.value, dict):
        return DeclaredParameter(name, _declared_type(node, findings), None, None, node.key_span)
    type_node, default_node = node.get("type"), node.get("default")
    return DeclaredParameter(
        name=name,
        type=_declared_type(type_node, findings) if type_node else None,
        default=_parameter_default(default_node, findings) if default_node else None,
        description=node.value.get("description"),
        span=node.key_span,
    )


def _declared_type(node: Node, findings: Findings) -> Any:
    parsed = parse_type(node.value)
    if isinstance(parsed, TypeProblem):
        findings.error(parsed.code, node.span, parsed.message, parsed.help)
        return None
    return parsed


def _parameter_default(node: Node, findings: Findings) -> SqlFragment | None:
    value = node.value
    if isinstance(value, str):
        scope = Scope(None, condition=False, parameters=False, what="a parameter's default")
        return parse_fragment(value, node.locate, scope, findings)
    return SqlFragment(node.raw, node.span, (_constant(value, node.raw),))


def read_preconditions(keys: Settled, target: Draft, findings: Findings) -> tuple[Precondition, ...]:
    """Read ``preconditions``; with an aggregate they look at the target's rows."""
    node = keys.get("preconditions")
    if node is None:
        return ()
    found: list[Precondition] = []
    for item in node.each():
        scope = target.scope("a precondition", aggregates=True)
        fragment = parse_fragment(item.value, item.locate, scope, findings)
        if fragment is None:
            continue
        refuse_item_fields(((part.name, part.field, part.span) for part in fragment.parameters), findings)
        if fragment.columns and not fragment.aggregate:
            findings.error(
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
