"""What PostgreSQL's grammar says about a fragment: its shape, its columns, and its parameters' types.

A fragment is parsed once as ``SELECT (...)`` with ``$1, $2, ...`` for its parameters. Nothing here knows
an entity or a file: results hold offsets into the fragment's text, so that equal texts are parsed once
(see ``analyse``). Positions and columns' types come in later, in ``fragments``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from specgen.spec.builtins import TEXT_ARGUMENTS
from specgen.spec.compared import ComparedText, texts_compared
from specgen.spec.inference import TypeSource, free_holes, hole_of, type_source
from specgen.spec.lexing import LexError, Words, cut
from specgen.spec.mistaken import mistake_in, syntax_help
from specgen.spec.parsererrors import error_message, error_place
from specgen.spec.pgcatalog import (
    AGGREGATES,
    COMPARISONS,
    SET_RETURNING,
    TEXT_FUNCTIONS,
    TEXT_OPERATORS,
    Node,
    constant_type,
    type_name,
)
from specgen.spec.rewriting import PREFIX, parse_text, render_parts


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column named at the fragment's own level."""

    name: str
    qualifier: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class HoleUse:
    """One use of a parameter that tells about its type.

    Attributes:
        hole: The parameter's index among the fragment's holes.
        source: Where its type comes from; nothing when it is the value of the whole fragment.
        operator: The arithmetic operator that joins it to ``source``, or the empty string.
        array: Whether it is an array of that type.
        argument: Whether it is a function's argument, which is of that type whatever is written with it.
    """

    hole: int
    source: TypeSource | None
    operator: str = ""
    array: bool = False
    argument: bool = False


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function called at the fragment's own level."""

    name: str
    start: int
    aggregate: bool
    window: bool
    set_returning: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known about a fragment's text alone.

    Attributes:
        parts: The text cut at its parameters; a number is the index of a hole.
        constant: The type of the constant that is all the fragment says, if it is one.
        subquery: Whether there is a subquery in it.
        single_call: Whether the fragment is one function call and nothing else.
        key_test: Column and hole of ``column = ANY(:x)`` or ``column IN (:x)``, if that is all.
        texts: Texts that columns are compared with, each with its end.
    """

    words: Words
    parts: tuple[str | int, ...]
    columns: tuple[ColumnUse, ...]
    uses: tuple[HoleUse, ...]
    calls: tuple[FunctionCall, ...]
    constant: str | None
    single_call: bool
    key_test: tuple[ColumnUse, int] | None
    subquery: bool
    texts: tuple[tuple[ComparedText, int], ...] = ()


@lru_cache(maxsize=4096)
def analyse(text: str) -> Analysis | LexError:
    """Parse a fragment's text; return what is in it, or what is wrong with it."""
    try:
        words = cut(text)
        return _Reader(words).analysis()
    except LexError as error:
        if error.code == "sql-syntax" and error.help is None:
            error.help = syntax_help(text)
        return error.with_traceback(None)
    except RecursionError:
        return LexError("sql-syntax", 0, 1, "this expression is nested too deeply", "split it up")


class _Reader:
    """Reads the parse tree of one fragment."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.text = words.text
        self.query, self.offsets = parse_text(words)
        self.ascii = self.query.isascii()
        self.columns: list[ColumnUse] = []
        self.uses: list[HoleUse] = []
        self.calls: list[FunctionCall] = []
        self.rewrites: list[tuple[int, int, str]] = []
        self.subquery = False
        self.texts: list[tuple[ComparedText, int]] = []

    def analysis(self) -> Analysis:
        root = self._root()
        self._visit(root, own=True)
        self._value_of_all(root)
        single = next(iter(root)) in ("FuncCall", "CoalesceExpr", "MinMaxExpr")
        return Analysis(
            words=self.words,
            parts=render_parts(self.words, self.rewrites),
            columns=tuple(sorted(self.columns, key=lambda column: column.start)),
            uses=tuple(self.uses),
            calls=tuple(self.calls),
            constant=constant_type(root.get("A_Const")),
            single_call=single and self.words.tokens[0].kind != "ASCII_40",
            key_test=self._key_test(root),
            subquery=self.subquery,
            texts=tuple(self.texts),
        )

    # The shape of the whole

    def _root(self) -> Node:
        first = self.words.tokens[0] if self.words.tokens else None
        if first and first.lower in ("select", "values", "with", "table"):
            raise LexError(
                "not-one-expression",
                first.start,
                first.end,
                "one SQL expression is wanted, and this is a query",
                "put a subquery in parentheses",
            )
        from pglast.parser import ParseError, parse_sql_json

        try:
            statements = json.loads(parse_sql_json(self.query))["stmts"]
        except ParseError as error:
            raise self._syntax_error(error) from None
        root: Node = statements[0]["stmt"]["SelectStmt"]["targetList"][0]["ResTarget"]["val"]
        row = root.get("RowExpr")
        if row and row.get("location") == len(PREFIX) - 1:
            raise LexError(
                "not-one-expression",
                0,
                len(self.text.rstrip()),
                "one SQL expression is wanted, and these are several",
                "combine conditions with AND",
            )
        return root

    def _syntax_error(self, error: Exception) -> LexError:
        message = error_message(error)
        start = self._source(error_place(self.query, error) or 0)
        visible = len(self.text.rstrip())
        if start >= visible:
            return LexError("sql-syntax", max(visible - 1, 0), visible, "this SQL stops too early")
        end = start + 1
        for token in self.words.tokens:
            if token.start <= start < token.end:
                end = token.end
        for hole in self.words.holes:
            if hole.start <= start < hole.end:
                start, end = hole.start, hole.end
        return LexError(
            "sql-syntax",
            start,
            end,
            f'syntax error at "{self.text[start:end]}"' if "syntax" in message else message,
        )

    def _source(self, index: int) -> int:
        """Return the offset in the fragment of a character of the query."""
        found = 0
        for query_start, text_start in self.offsets:
            if query_start > index:
                break
            found = text_start + (index - query_start)
        return min(max(found, 0), len(self.text))

    def _place(self, location: int) -> int:
        """Return the offset in the fragment of a node's byte location."""
        index = location if self.ascii else len(self.query.encode()[:location].decode(errors="ignore"))
        return self._source(index)

    # Columns, calls, and places that say something about a parameter's type

    def _visit(self, node: Any, *, own: bool) -> None:
        if isinstance(node, list):
            for item in node:
                self._visit(item, own=own)
            return
        if not isinstance(node, dict):
            return
        for name, inner in node.items():
            if name == "ColumnRef" and own:
                self._column(inner)
            elif name == "SubLink":
                self.subquery = True
                self._visit(inner.get("testexpr"), own=own)
                self._visit(inner.get("subselect"), own=False)
            else:
                self._judge(name, inner, own=own)
                self._visit(inner, own=own)

    def _judge(self, name: str, node: Any, *, own: bool) -> None:
        match name:
            case "A_Expr":
                mistake = mistake_in(node, self.text, self._place)
                if mistake:
                    raise LexError(*mistake)
                self._comparison(node, own=own)
            case "BoolExpr":
                self._booleans(node["args"])
            case "BooleanTest":
                self._booleans([node["arg"]])
            case "CaseWhen":
                self._booleans([node["expr"]])
            case "TypeCast":
                hole = hole_of(node["arg"])
                if hole is not None:
                    self.uses.append(HoleUse(hole, TypeSource(sql_type=type_name(node["typeName"]))))
                self._computed(node["arg"], own=own)
            case "FuncCall":
                self._call(node, own=own)
                for argument in node.get("args", ()):
                    self._computed(argument, own=own)

    def _computed(self, node: Node, *, own: bool) -> None:
        """Note parameters that are joined to a column before something else takes the result."""
        for hole, operator, source in free_holes(node, own=own):
            if operator and source and source.column:
                self.uses.append(HoleUse(hole, source, operator))

    def _column(self, node: Node) -> None:
        names = [field["String"].get("sval", "") if "String" in field else "*" for field in node["fields"]]
        start = self._place(node["location"])
        end = self._end_of_name(start, len(names))
        self.columns.append(ColumnUse(names[-1], names[-2] if len(names) > 1 else None, start, end))

    def _end_of_name(self, start: int, names: int) -> int:
        tokens = self.words.tokens
        for index, token in enumerate(tokens):
            if token.start == start:
                return tokens[min(index + 2 * names - 2, len(tokens) - 1)].end
        return start + 1

    def _call(self, node: Node, *, own: bool) -> None:
        name = node["funcname"][-1]["String"].get("sval", "")
        arguments = node.get("args", ())
        for place, argument in enumerate(arguments):
            hole = hole_of(argument)
            if hole is not None and (name, len(arguments), place) in TEXT_ARGUMENTS:
                self.uses.append(HoleUse(hole, TypeSource(sql_type="text"), argument=True))
            elif hole is not None and name in TEXT_FUNCTIONS and place == 0:
                self.uses.append(HoleUse(hole, TypeSource(sql_type="text")))
        if own:
            window = "over" in node
            marked = any(
                key in node
                for key in ("agg_star", "agg_distinct", "agg_filter", "agg_order", "agg_within_group")
            )
            aggregate = (marked or name in AGGREGATES) and not window
            start = self._place(node["location"])
            self.calls.append(FunctionCall(name, start, aggregate, window, name in SET_RETURNING))

    def _booleans(self, nodes: list[Node]) -> None:
        for node in nodes:
            hole = hole_of(node)
            if hole is not None:
                self.uses.append(HoleUse(hole, TypeSource(sql_type="boolean")))

    def _comparison(self, node: Node, *, own: bool) -> None:
        kind = node["kind"]
        left: Any = node.get("lexpr")
        right: Any = node.get("rexpr")
        operator = node["name"][-1]["String"]["sval"]
        self._texts(node, own=own)
        if kind in ("AEXPR_OP_ANY", "AEXPR_OP_ALL"):
            self._array(left, hole_of(right), own=own)
        elif kind == "AEXPR_IN":
            items = right["List"]["items"]
            if len(items) == 1 and (hole := hole_of(items[0])) is not None:
                self._array(left, hole, own=own)
                self._rewrite_in(node, negated=operator == "<>")
            else:
                self._same_type([left, *items], own=own)
        elif "BETWEEN" in kind:
            self._same_type([left, *right["List"]["items"]], own=own)
        elif kind in ("AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR"):
            for side in (left, right):
                if (hole := hole_of(side)) is not None:
                    self.uses.append(HoleUse(hole, TypeSource(sql_type="text")))
        elif kind in ("AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT") or operator in COMPARISONS:
            self._same_type([side for side in (left, right) if side], own=own)
        elif operator in TEXT_OPERATORS and (hole := hole_of(right)) is not None:
            self.uses.append(HoleUse(hole, TypeSource(sql_type="text")))

    def _texts(self, node: Node, *, own: bool) -> None:
        for item in texts_compared(node) if own else ():
            start = self._place(item.start)
            self.texts.append((replace(item, start=start), self._end_of_name(start, 1)))

    def _array(self, left: Node | None, hole: int | None, *, own: bool) -> None:
        if hole is None or left is None:
            return
        source = type_source(left, own=own)
        if source:
            self.uses.append(HoleUse(hole, source, array=True))

    def _rewrite_in(self, node: Node, *, negated: bool) -> None:
        """Note that ``IN (:x)`` is to read ``= ANY(:x)``."""
        start = self._place(node["location"])
        opening = self._place(node["rexpr_list_start"])
        self.rewrites.append((start, opening + 1, "<> ALL(" if negated else "= ANY("))

    def _same_type(self, sides: list[Node], *, own: bool) -> None:
        """Note the types of parameters among expressions that are compared with one another."""
        anchors = [type_source(side, own=own) for side in sides]
        for index, side in enumerate(sides):
            others = [anchor for place, anchor in enumerate(anchors) if place != index]
            for hole, operator, sibling in free_holes(side, own=own):
                self._relate(hole, operator, sibling, others)

    def _relate(
        self, hole: int, operator: str, sibling: TypeSource | None, others: list[TypeSource | None]
    ) -> None:
        if operator in ("+", "-") and sibling and sibling.sql_type == "interval":
            operator, sibling = "", None
        known = [source for source in (sibling, *others) if source]
        source = next((source for source in known if source.column), known[0] if known else None)
        if source:
            self.uses.append(HoleUse(hole, source, operator))

    def _value_of_all(self, root: Node) -> None:
        hole = hole_of(root)
        if hole is not None:
            self.uses.append(HoleUse(hole, None))
            return
        for free, operator, sibling in free_holes(root, own=True):
            self.uses.append(HoleUse(free, sibling, operator))

    def _key_test(self, root: Node) -> tuple[ColumnUse, int] | None:
        node = root.get("A_Expr")
        if not node or node["name"][-1]["String"]["sval"] != "=" or "ColumnRef" not in node.get("lexpr", {}):
            return None
        hole: int | None = None
        if node["kind"] == "AEXPR_OP_ANY":
            hole = hole_of(node["rexpr"])
        elif node["kind"] == "AEXPR_IN" and len(node["rexpr"]["List"]["items"]) == 1:
            hole = hole_of(node["rexpr"]["List"]["items"][0])
        if hole is None or len(self.columns) != 1:
            return None
        return self.columns[0], hole
