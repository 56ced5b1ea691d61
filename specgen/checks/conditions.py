"""Which columns a condition tests in a way that an index could answer, and which an index's own wants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from specgen.plan.readings import columns_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_RANGES = ("<", "<=", ">", ">=", "@>", "<@", "&&", "@@", "~~")


@dataclass(frozen=True, slots=True)
class Test:
    """A column that is compared with what does not depend on the row; ``equality`` if with single values."""

    column: str
    equality: bool


def tested_columns(condition: str, table: str, variables: Collection[str]) -> tuple[Test, ...]:
    """Return what the condition tests at its top level; nothing where a part of it may go by another way.

    Args:
        condition: As generated SQL has it, its parameters being variables.
        table: The table's name, by which columns may be qualified.
        variables: Names that are no columns.
    """
    import pglast

    try:
        statement: Any = pglast.parse_sql(f"SELECT ({condition})")[0].stmt
    except pglast.parser.ParseError:
        return ()
    found: list[Test] = []
    for part in _conjuncts(statement.targetList[0].val):
        test = _test(part, table, variables)
        if test is None:
            # A function of a column, an OR, a subquery: which index would answer it is not told here.
            return ()
        found.append(test)
    return tuple(found)


@lru_cache(maxsize=1024)
def only_present(condition: str) -> frozenset[str]:
    """Return the columns that a condition wants to be not NULL; none where it wants anything else.

    Args:
        condition: Of an index, as somebody has written it or as the catalog has it.
    """
    import pglast

    try:
        statement: Any = pglast.parse_sql(f"SELECT ({condition}\n)")[0].stmt
    except pglast.parser.ParseError:
        return frozenset()
    parts = [_present(part) for part in _conjuncts(statement.targetList[0].val)]
    return frozenset(filter(None, parts)) if all(parts) else frozenset()


def _present(node: Any) -> str | None:
    from pglast import ast
    from pglast.enums import NullTestType

    if not isinstance(node, ast.NullTest) or node.nulltesttype != NullTestType.IS_NOT_NULL:
        return None
    if not isinstance(node.arg, ast.ColumnRef) or not node.arg.fields:
        return None
    return str(getattr(node.arg.fields[-1], "sval", ""))


def _conjuncts(node: Any) -> Iterator[Any]:
    from pglast import ast
    from pglast.enums import BoolExprType

    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        for item in node.args or ():
            yield from _conjuncts(item)
    else:
        yield node


def _test(node: Any, table: str, variables: Collection[str]) -> Test | None:
    from pglast import ast

    if isinstance(node, ast.NullTest | ast.BooleanTest):
        column = _column(node.arg, table, variables)
        return Test(column, equality=True) if column else None
    if not isinstance(node, ast.A_Expr) or not node.name:
        return None
    for one, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        column = _column(one, table, variables)
        if column is not None and _names(other) <= set(variables):
            return _compared(node, column)
    return None


def _compared(node: Any, column: str) -> Test | None:
    from pglast.enums import A_Expr_Kind

    operator = str(getattr(node.name[-1], "sval", ""))
    equal = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_IN)
    if node.kind in equal and operator == "=":
        return Test(column, equality=True)
    between = node.kind == A_Expr_Kind.AEXPR_BETWEEN
    if between or (node.kind == A_Expr_Kind.AEXPR_OP and operator in _RANGES):
        return Test(column, equality=False)
    return None


def _names(node: Any) -> set[str]:
    if isinstance(node, tuple | list):
        return {name for item in node for name in _names(item)}
    return columns_of(node)


def _column(node: Any, table: str, variables: Collection[str]) -> str | None:
    """Return the column that an expression is, if it is one."""
    from pglast import ast

    if not isinstance(node, ast.ColumnRef):
        return None
    words = [str(getattr(part, "sval", "*")) for part in node.fields or ()]
    if len(words) == 1:
        return None if words[0] in variables else words[0]
    return words[-1] if words[-2] == table else None
