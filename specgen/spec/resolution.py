"""Whether all that a piece of SQL names is PostgreSQL's own, so that no schema need be searched for it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from specgen.spec.builtins import COLLATIONS, FUNCTIONS, OPERATORS
from specgen.spec.lexing import LexError, cut
from specgen.spec.pgcatalog import SQL_NAMES, Node
from specgen.spec.rewriting import parse_text
from specgen.spec.types import is_built_in

if TYPE_CHECKING:
    from collections.abc import Iterator


@lru_cache(maxsize=4096)
def foreign_names(text: str) -> tuple[str, ...]:
    """Return what a valid fragment names that may be somebody's own, as it names it.

    Functions, operators, types and collations that are not known to be PostgreSQL's, whatever schema they
    stand in, and tables: whose columns may be of types that bring operators of their own.
    """
    from pglast.parser import ParseError, parse_sql_json

    try:
        query, _ = parse_text(cut(text))
        return tuple(dict.fromkeys(_foreign(json.loads(parse_sql_json(query)))))
    except (LexError, ParseError):  # cannot be: a fragment that is planned has been parsed
        return (text,)


@lru_cache(maxsize=4096)
def called_names(text: str) -> tuple[str, ...]:
    """Return the functions that a valid fragment names without a schema."""
    from pglast.parser import ParseError, parse_sql_json

    try:
        query, _ = parse_text(cut(text))
        calls = _nodes(json.loads(parse_sql_json(query)), "FuncCall")
    except (LexError, ParseError):
        return ()
    names = (_names(call["funcname"]) for call in calls)
    return tuple(dict.fromkeys(name[0] for name in names if len(name) == 1))


def _nodes(node: Any, wanted: str) -> Iterator[Node]:
    if isinstance(node, list):
        for item in node:
            yield from _nodes(item, wanted)
    elif isinstance(node, dict):
        for name, inner in node.items():
            if name == wanted:
                yield inner
            yield from _nodes(inner, wanted)


def _foreign(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _foreign(item)
    elif isinstance(node, dict):
        for name, inner in node.items():
            if name in _JUDGED and isinstance(inner, dict):
                yield from _JUDGED[name](inner)
            elif name in ("typeName", "typename") and isinstance(inner, dict):
                yield from _type(inner.get("TypeName", inner))
            yield from _foreign(inner)


def _function(node: Node) -> Iterator[str]:
    yield from _unless(_names(node["funcname"]), FUNCTIONS)


def _operator(node: Node) -> Iterator[str]:
    if "BETWEEN" in node.get("kind", ""):
        return  # compares with <= and >=
    names = _names(node.get("name") or node.get("operName") or node.get("opname") or [])
    if names == ["%"] and _is_number(node.get("rexpr")):
        return  # the remainder; between texts it would be an extension's
    yield from _unless(names, OPERATORS)


def _is_number(node: Node | None) -> bool:
    constant = (node or {}).get("A_Const", {})
    return "ival" in constant or "fval" in constant


def _type(node: Node) -> Iterator[str]:
    names = _names(node.get("names", []))
    own = names[-1] if len(names) == 1 or names[0] == "pg_catalog" else None
    if node.get("pct_type") or own is None or not is_built_in(SQL_NAMES.get(own, own)):
        yield ".".join(names)


def _collation(node: Node) -> Iterator[str]:
    yield from _unless(_names(node["collname"]), COLLATIONS)


def _relation(node: Node) -> Iterator[str]:
    yield node["relname"]


_JUDGED = {
    "FuncCall": _function,
    "A_Expr": _operator,
    "SubLink": _operator,
    "CollateClause": _collation,
    "RangeVar": _relation,
}


def _unless(names: list[str], known: frozenset[str]) -> Iterator[str]:
    if names and names[0] != "pg_catalog" and (len(names) > 1 or names[0] not in known):
        yield ".".join(names)


def _names(nodes: list[Node]) -> list[str]:
    return [part["String"].get("sval", "") for part in nodes if "String" in part]
