"""Values of ``*_data`` and of defaults: a parameter, SQL, or a literal (LANGUAGE, "Values")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specgen.spec.fragments import Scope, SqlFragment, parse_fragment
from specgen.spec.grammar import Analysis, analyse
from specgen.spec.lexing import NAME, QUOTED_NAME, unquoted
from specgen.spec.literals import LiteralProblem, fit_literal, frozen
from specgen.spec.mistaken import placeholder
from specgen.spec.model import Expression, FieldType, Literal, Reference, Value

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node

_REFERENCE = re.compile(rf"\s*:({NAME})(?:\.({NAME}|{QUOTED_NAME}))?\s*")
# What begins like one and is none, as ":item.first-name".
_LIKE_REFERENCE = re.compile(rf"\s*:({NAME})\b(?!:)")
# Without a blank before the parenthesis: "Sofa (used)" is a text.
_CALL = re.compile(r"\s*[\w.\"]+\(.*\)\s*", re.DOTALL)
_KEYWORDS = frozenset(("DEFAULT", "CURRENT_DATE", "CURRENT_TIMESTAMP", "CURRENT_USER"))


def read_value(node: Node, wanted: FieldType, scope: Scope, findings: Findings) -> Value | None:
    """Return what a value means for a column of a type, or nothing when it is wrong.

    Args:
        node: The value.
        wanted: The column's type.
        scope: What SQL in it may name.
        findings: Gets what is wrong.
    """
    value = node.value
    if isinstance(value, dict) and len(value) == 1:
        if "sql" in value:
            return _read_sql(node["sql"], scope, findings)
        if "value" in value:
            return read_literal(node["value"], wanted, findings)
    if isinstance(value, str):
        return _read_text(node, value, wanted, scope, findings)
    return read_literal(node, wanted, findings)


def _read_text(node: Node, text: str, wanted: FieldType, scope: Scope, findings: Findings) -> Value | None:
    if match := _REFERENCE.fullmatch(text):
        if not scope.parameters:
            findings.error(
                "no-parameters-here", node.span, f"{scope.what} cannot have parameters", "use a constant"
            )
            return None
        span = node.locate(match.start(1) - 1, match.end(match.lastindex or 1))
        return Reference(match[1], unquoted(match[2]) if match[2] else None, span)
    if text.strip() in _KEYWORDS:
        return Expression(SqlFragment(text, node.span, (text.strip(),)))
    if _CALL.fullmatch(text):
        analysis = analyse(text)
        if isinstance(analysis, Analysis) and analysis.single_call:
            return _read_sql(node, scope, findings)
    literal = read_literal(node, wanted, findings, columns=scope.columns or ())
    name = placeholder(text) if scope.parameters and not wanted.array else None
    if literal is not None and name:
        findings.warning(
            "looks-like-parameter",
            node.span,
            f'"{text}" is taken as text',
            f'a parameter is written :{name}; for the text write {{value: "{text}"}}',
        )
    elif literal is not None and reads_like_sql(text, scope.columns or ()):
        findings.warning(
            "looks-like-sql",
            node.span,
            f'"{text}" reads like SQL and is taken as text',
            _both_forms(text),
        )
    elif literal is not None and scope.parameters and (match := _LIKE_REFERENCE.match(text)):
        findings.warning(
            "looks-like-sql",
            node.span,
            f'"{text}" begins like the parameter :{match[1]} and is taken as text',
            'write {value: ...} for the text; a field that is no plain word is quoted: :item."first name"',
        )
    return literal


def _both_forms(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'write {{sql: "{quoted}"}} for SQL or {{value: "{quoted}"}} for the text'


def _read_sql(node: Node, scope: Scope, findings: Findings) -> Expression | None:
    if not isinstance(node.value, str):
        findings.error("wrong-type", node.span, "sql must be text", 'for example: {sql: "price * 1.1"}')
        return None
    if node.value.strip() in _KEYWORDS:
        return Expression(SqlFragment(node.value, node.span, (node.value.strip(),)))
    fragment = parse_fragment(node.value, node.locate, scope, findings)
    return Expression(fragment) if fragment else None


def read_literal(node: Node, wanted: FieldType, findings: Findings, columns: object = ()) -> Literal | None:
    """Return a literal of a type, or nothing when the value does not fit."""
    value = node.value
    raw = node.raw if isinstance(value, (int, float)) else ""
    fitted = fit_literal(value, raw, wanted)
    if isinstance(fitted, LiteralProblem):
        help = fitted.help
        names = columns if isinstance(columns, (dict, tuple)) else ()
        if name := placeholder(value):
            help = f"a parameter is written :{name}"
        if isinstance(value, str) and reads_like_sql(value, names):
            help = f"it reads like SQL; {_both_forms(value)}"
        findings.error("bad-literal", node.span, fitted.message, help)
        return None
    return Literal(frozen(fitted), node.span)


_SQL_SIGN = re.compile(r"\(|[-+*/%|<>=]|::|\b(interval|case|not|and|or|is)\b", re.IGNORECASE)


def reads_like_sql(text: str, columns: object) -> bool:
    """Say whether a text parses as SQL that computes something from a column, a call or a cast."""
    if not _SQL_SIGN.search(text):
        return False
    analysis = analyse(text)
    if not isinstance(analysis, Analysis) or len(analysis.words.tokens) < 2:
        return False
    if analysis.words.holes or (analysis.calls and re.search(r"\w\(", text)):
        return True
    known = columns if isinstance(columns, (dict, tuple)) else ()
    if any(column.name in known for column in analysis.columns):
        return True
    return (
        not analysis.columns
        and re.search(r"\binterval\b|::|\bcase\b|\bcurrent_", text, re.IGNORECASE) is not None
    )
