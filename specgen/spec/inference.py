"""Whose type an expression has: which of its parameters share it, and what tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specgen.spec.pgcatalog import ARITHMETIC, RESULT_TYPES, VALUE_FUNCTIONS, Node, constant_type, type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCALING = ("*", "/")


@dataclass(frozen=True, slots=True)
class TypeSource:
    """Where a type comes from: a column of the target, or a type's name, which a constant may have shown."""

    column: str | None = None
    qualifier: str | None = None
    sql_type: str | None = None
    constant: bool = False


def free_holes(node: Node, *, own: bool) -> Iterator[tuple[int, str, TypeSource | None]]:
    """Yield the parameters whose type is that of the expression, with what joins them to it."""
    hole = hole_of(node)
    if hole is not None:
        yield hole, "", None
        return
    name, inner = next(iter(node.items()))
    if name == "A_Expr" and (operator := _arithmetic(inner)):
        for side in ("lexpr", "rexpr"):
            sibling = inner.get("rexpr" if side == "lexpr" else "lexpr")
            source = type_source(sibling, own=own) if sibling else None
            for found, nested, nearest in free_holes(inner.get(side) or {"Null": {}}, own=own):
                if operator in _SCALING and source and source.column and nearest and nearest.constant:
                    # price * (1 + :percent / 100): the column tells more than the numbers written beside it.
                    yield found, operator, source
                else:
                    yield found, nested or operator, nearest or source
    else:
        source = type_source(node, own=own)
        for child in _alternatives(name, inner):
            for found, nested, nearest in free_holes(child, own=own):
                yield found, nested, nearest or source


def type_source(node: Node, *, own: bool) -> TypeSource | None:
    """Return where the type of an expression comes from, a column first."""
    name, inner = next(iter(node.items()))
    match name:
        case "ColumnRef":
            return _column_source(inner) if own else None
        case "CollateClause":
            return type_source(inner["arg"], own=own)
        case "A_Expr" if _arithmetic(inner):
            children = [inner[side] for side in ("lexpr", "rexpr") if side in inner]
        case "CoalesceExpr" | "MinMaxExpr" | "CaseExpr" | "A_Expr":
            children = list(_alternatives(name, inner))
        case _:
            kind = _known_type(name, inner)
            return TypeSource(sql_type=kind, constant=name == "A_Const") if kind else None
    sources = [source for child in children if (source := type_source(child, own=own))]
    return next((source for source in sources if source.column), sources[0] if sources else None)


def _column_source(node: Node) -> TypeSource | None:
    names = [field["String"].get("sval", "") for field in node["fields"] if "String" in field]
    if not names:
        return None
    return TypeSource(column=names[-1], qualifier=names[-2] if len(names) > 1 else None)


def hole_of(node: Node | None) -> int | None:
    """Return the index of the parameter that an expression is, if it is one and nothing else."""
    if node and "ParamRef" in node:
        return int(node["ParamRef"]["number"]) - 1
    return None


def _arithmetic(node: Node) -> str:
    operator = node["name"][-1]["String"]["sval"]
    return str(operator) if node["kind"] == "AEXPR_OP" and operator in ARITHMETIC else ""


def _alternatives(name: str, node: Any) -> Iterator[Node]:
    """Yield the parts of an expression that all have its own type."""
    if name in ("CoalesceExpr", "MinMaxExpr"):
        yield from node["args"]
    elif name == "A_Expr" and node["kind"] == "AEXPR_NULLIF":
        yield from (node["lexpr"], node["rexpr"])
    elif name == "CaseExpr":
        yield from (when["CaseWhen"]["result"] for when in node["args"])
        if "defresult" in node:
            yield node["defresult"]


def _known_type(name: str, node: Node) -> str | None:
    """Return the type of an expression that shows it without any column."""
    match name:
        case "TypeCast":
            return type_name(node["typeName"])
        case "A_Const":
            return constant_type(node)
        case "SQLValueFunction":
            return VALUE_FUNCTIONS.get(node["op"])
        case "FuncCall":
            return RESULT_TYPES.get(node["funcname"][-1]["String"].get("sval", ""))
        case _:
            return None
