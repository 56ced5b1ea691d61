"""``custom_function``: which function is called, and with what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specgen.spec.fragments import Scope, SqlFragment
from specgen.spec.model import Argument, Expression, FieldType, FunctionCall, Literal, Reference
from specgen.spec.names import split_name
from specgen.spec.values import read_value

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.model import Value

_TEXT = FieldType("text", "text")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def read_call(function: Node, given: Node | None, findings: Findings) -> FunctionCall | None:
    """Read ``function`` and ``input``.

    Args:
        function: The function's name, with its schema or without.
        given: ``input``: ``:list``, ``:row.field``, a list of values, or a map of named arguments.
        findings: Gets what is wrong.
    """
    parts = split_name(function.value)
    if parts is None or len(parts) > 2:
        findings.error(
            "bad-name",
            function.span,
            f'"{function.value}" is no function\'s name',
            "write its name without arguments, such as billing.calculate_usage; input holds the arguments",
        )
        return None
    schema, name = (None, *parts) if len(parts) == 1 else parts
    arguments = () if given is None else tuple(_arguments(given, findings))
    return FunctionCall(schema, name, arguments, function.span)


def _arguments(given: Node, findings: Findings) -> list[Argument]:
    found: list[Argument] = []
    match given.value:
        case dict() if set(given.value) not in ({"sql"}, {"value"}):
            for name, node in given.items():
                if not _ARGUMENT.fullmatch(name):
                    message = f'"{name}" cannot name an argument'
                    findings.error(
                        "bad-name", node.key_span, message, "use the name that the function declares"
                    )
                    continue
                value = _value(node, findings)
                if value is not None:
                    found.append(Argument(name, value))
        case list():
            values = [_value(node, findings) for node in given.each()]
            found += [Argument(None, value) for value in values if value is not None]
        case _:
            value = _value(given, findings)
            if value is not None:
                # A plain :list is handed over as an array, a batch at a time.
                listed = isinstance(value, Reference) and value.field is None
                found.append(Argument(None, value, collected=listed))
    return found


def _value(node: Node, findings: Findings) -> Value | None:
    scope = Scope(None, condition=False, what="an argument")
    match node.value:
        case bool() | int() | float() | None:
            # As SQL writes it: only the function knows the type that it wants.
            return Expression(SqlFragment(node.raw, node.span, (_constant(node),)))
        case list() | dict() if not (isinstance(node.value, dict) and set(node.value) <= {"sql", "value"}):
            findings.error(
                "wrong-type",
                node.span,
                "an argument must be one value",
                "for json write {sql: \"'[1, 2]'::jsonb\"}",
            )
            return None
        case _:
            value = read_value(node, _TEXT, scope, findings)
            return value if not isinstance(value, Literal) else Literal(value.value, node.span)


def _constant(node: Node) -> str:
    match node.value:
        case None:
            return "NULL"
        case bool():
            return str(node.value).lower()
        case _:
            return str(node.value)
