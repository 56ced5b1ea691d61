"""What a condition makes of its parameters alone: the casts and calls that refuse a value, whatever the rows.

``to_tsquery('simple', :q)`` fails while the operation is planned, in the middle of a long statement. Tried by
itself, with the value that was given, the expression tells which parameter it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specgen.plan.parts import PlannedParameter
    from specgen.plan.planned import PlannedOperation

_PATTERNS = ("~", "~*", "!~", "!~*")
"""Operators whose right side is a text that has a grammar of its own."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression of parameters alone.

    Attributes:
        parameters: Name, variable and type of each that it names.
        sql: The expression, with the variables.
    """

    parameters: tuple[tuple[str, str, str], ...]
    sql: str


def readings(operation: PlannedOperation) -> tuple[Reading, ...]:
    """Return what an operation's conditions make of parameters alone, the inner expressions first."""
    texts = [step.condition.sql for step in operation.steps if step.condition]
    texts += [item.condition for item in operation.preconditions]
    known = {item.variable: item for step in operation.steps for item in step.parameters if not item.output}
    known |= {item.variable: item for item in operation.parameters}
    found: dict[str, Reading] = {}
    for text in texts:
        for reading in _of_condition(text, known):
            found.setdefault(reading.sql, reading)
    return tuple(found.values())


def _of_condition(text: str, known: Mapping[str, PlannedParameter]) -> Iterator[Reading]:
    import pglast
    from pglast.stream import RawStream

    if not any(variable in text for variable in known):
        return
    try:
        statement: Any = pglast.parse_sql(f"SELECT ({text})")[0].stmt
    except pglast.parser.ParseError:
        return  # rendering says so
    for node, pattern in _expressions(statement.targetList[0].val):
        names = columns_of(node)
        if names and names <= known.keys():  # any other name keeps it from standing alone
            sql = RawStream()(node)
            parameters = tuple((known[name].name, name, known[name].type) for name in sorted(names))
            yield Reading(parameters, f"'' ~ {sql}" if pattern else sql)


def _expressions(node: Any) -> Iterator[tuple[Any, bool]]:
    """Yield what may refuse a value, inner expressions first, and whether it is a regular expression."""
    from pglast import ast

    for child in _children(node):
        yield from _expressions(child)
    if isinstance(node, ast.FuncCall | ast.TypeCast):
        yield node, False
    elif isinstance(node, ast.A_Expr) and node.name and node.name[-1].sval in _PATTERNS:
        yield node.rexpr, True


def columns_of(node: Any) -> set[str]:
    """Return the names that an expression of a parse tree reads, variables as well; a star for a subquery."""
    from pglast import ast

    if isinstance(node, ast.ColumnRef):
        words = [getattr(part, "sval", "*") for part in node.fields or ()]
        return {words[0] if len(words) == 1 else ".".join(words)}
    if isinstance(node, ast.SubLink):
        return {"*"}
    return {name for child in _children(node) for name in columns_of(child)}


def _children(node: Any) -> Iterator[Any]:
    from pglast import ast

    if isinstance(node, ast.Node):
        for name in node:
            yield from _children_of_value(getattr(node, name))


def _children_of_value(value: Any) -> Iterator[Any]:
    from pglast import ast

    if isinstance(value, tuple | list):
        for item in value:
            yield from _children_of_value(item)
    elif isinstance(value, ast.Node):
        yield value
