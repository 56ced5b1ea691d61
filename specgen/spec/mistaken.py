"""SQL that is some other language's, or that nobody can mean: what is right instead.

Of two kinds: what PostgreSQL's grammar takes although it cannot work or is never true (``status == 'x'``,
``qty = NULL``), and what it does not take, where its own message says less than is known (``${since}``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.spec.pgcatalog import Node

_OPERATORS = {"==": "=", "===": "=", "!==": "<>", "=!": "<>", "=<": "<=", "=>": ">=", "=~": "~"}
"""Operators of other languages that PostgreSQL's grammar takes for ones of somebody's own."""
_JOINING = {"&&": "AND", "||": "OR"}
_TRUTHS = ("BoolExpr", "NullTest", "BooleanTest", "SubLink")

Mistake = tuple[str, int, int, str, str]
"""Code of a finding, start and end in the text, message and help."""


def mistake_in(node: Node, text: str, place: Callable[[int], int]) -> Mistake | None:
    """Return what cannot be meant of an operator and its sides.

    Args:
        node: An ``A_Expr`` of the parse tree.
        text: The fragment.
        place: The offset in the fragment of a node's location.
    """
    names = [part["String"]["sval"] for part in node["name"]]
    if len(names) == 1 and node["kind"] == "AEXPR_OP" and "location" in node:
        start = place(node["location"])
        wrong = _operator(names[0], node, start)
        wrong = wrong or _date(names[0], node, text, place)
        if wrong:
            return wrong
    return _null(names[-1], node, text, place)


def _operator(operator: str, node: Node, start: int) -> Mistake | None:
    end = start + len(operator)
    if operator in _OPERATORS:
        right = _OPERATORS[operator]
        return "unknown-operator", start, end, f"PostgreSQL has no operator {operator}", f"write {right}"
    if operator == "!" and "lexpr" not in node:
        return "unknown-operator", start, end, "PostgreSQL has no operator !", "write NOT"
    sides = (node.get("lexpr"), node.get("rexpr"))
    if operator in _JOINING and any(_is_truth(side) for side in sides):
        right = _JOINING[operator]
        return "unknown-operator", start, end, f"{operator} does not join conditions", f"write {right}"
    return None


def _date(operator: str, node: Node, text: str, place: Callable[[int], int]) -> Mistake | None:
    """Return a date that is a difference of numbers, since it has no quotes."""
    left = node.get("lexpr", {}).get("A_Expr", {}).get("lexpr", {}).get("A_Const", {})
    if operator != "-" or "ival" not in left:
        return None
    start = place(left["location"])
    date = _DATE.match(text, start)
    if date is None:
        return None
    message = f"{date[0]} is a number here, one number less the others"
    return "bad-literal", start, date.end(), message, f"a date stands in quotes: '{date[0]}'"


def _is_truth(node: Any) -> bool:
    """Say whether a side is a condition, whatever its columns are."""
    if not isinstance(node, dict):
        return False
    expression = node.get("A_Expr")
    if expression:
        return expression["name"][-1]["String"]["sval"] in ("=", "<>", "<", ">", "<=", ">=")
    return any(kind in node for kind in _TRUTHS)


def _null(operator: str, node: Node, text: str, place: Callable[[int], int]) -> Mistake | None:
    if operator not in ("=", "<>") or "location" not in node:
        return None
    start = place(node["location"])
    if node["kind"] == "AEXPR_IN":
        null = next((found for item in node["rexpr"]["List"]["items"] if (found := _null_in(item))), None)
        if null is None:
            return None
        at = place(null["location"])
        if operator == "=":
            message = "NULL in a list equals nothing: rows without a value are not found"
            return "null-comparison", at, at + 4, message, "leave it out of the list, and add: OR ... IS NULL"
        message = "NOT IN with NULL in its list is never true"
        return (
            "null-comparison",
            at,
            at + 4,
            message,
            "leave it out of the list, and add: AND ... IS NOT NULL",
        )
    if node["kind"] != "AEXPR_OP":
        return None
    null = _null_in(node.get("rexpr")) or _null_in(node.get("lexpr"))
    if null is None:
        return None
    at = place(null["location"])
    first, last = min(start, at), max(start + len(operator), at + 4)
    right = "IS NULL" if operator == "=" else "IS NOT NULL"
    other = node["lexpr"] if _null_in(node.get("rexpr")) else node["rexpr"]
    named = other.get("ColumnRef", {}).get("fields", [])
    column = ".".join(item["String"]["sval"] for item in named if "String" in item)
    said = text[first:last].strip()
    return (
        "null-comparison",
        first,
        last,
        f'"{said}" is never true',
        f"write {column} {right}".replace("  ", " "),
    )


def _null_in(node: Any) -> Node | None:
    """Return the constant NULL that an expression is, cast or not."""
    if not isinstance(node, dict):
        return None
    if "TypeCast" in node:
        return _null_in(node["TypeCast"]["arg"])
    constant: Node = node.get("A_Const", {})
    return constant if constant.get("isnull") and "location" in constant else None


_PARENTHESES = re.compile(r"\([^()]*\)")
_STRING = re.compile(r"'(?:[^']|'')*'")
_NUMBER_OF = r"\d+\s*(?:second|minute|hour|day|week|month|year)s?\b"
_WORDS = "user|order|group|table|check|column|grant|limit|offset|primary|references|window|end|case|to"
"""Words that PostgreSQL reserves, among those that tables are called."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
_FOREIGN = (
    (r"\{\{\s*(\w+)\s*\}\}", "there are no templates here: a parameter is written :{0}"),
    (r"[$#]\{\s*(\w+)\s*\}", "a parameter is written :{0}"),
    (r"\{\s*(\w+)\s*\}", "a parameter is written :{0}"),
    (r"%\((\w+)\)s", "a parameter is written :{0}"),
    # jsonb has an operator ?, which an operand follows.
    (r"%s\b|\?\s*(?:\Z|[),]|\b(?:and|or)\b)", "a parameter has a name and is written :name"),
    (r"`(\w+)`", "a name of SQL's own stands in double quotes, a text in single ones"),
    # In YAML the quotes around a text are no part of it, unless they are not YAML's.
    (
        r"[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]",
        "quotes are straight ones: \" around the text of the YAML, ' around a text in SQL",
    ),
    (rf"\b({_WORDS})\.(\w+)", '{0} is a word of SQL: write "{0}".{1}, or {1} alone'),
    (r"\A\s*where\b", "only the condition is said: leave out WHERE"),
    (
        r"\A\s*(?:update|delete|insert)\b",
        "only an expression is said here: leave out the statement around it",
    ),
    (r"(?<!\bis)\s+not\s+null\b", "write IS NOT NULL"),
    (r"\bin\s*\[", "a list stands in parentheses: IN ('a', 'b'), or = ANY(:names)"),
    (r"\bin\s*(:\w+)", "a list stands in parentheses: IN ({0})"),
    (r"\bin\s*(?=['\d])", "a list stands in parentheses: IN ('a', 'b')"),
    (r"\b(any|all)\s+(:\w+)", "the array stands in parentheses: {0}({1})"),
    (r"\bbetween\b[^,()]*,", "write BETWEEN 1 AND 10"),
    (rf"\binterval\s+({_NUMBER_OF})", "write interval '{0}'"),
    (rf"[-+]\s*({_NUMBER_OF})", "write interval '{0}'"),
    (r"\bis\s+(?:not\s+)?[\"']", "IS stands before NULL, TRUE and FALSE; compare a text with = 'text'"),
    (r"[=<>][^=<>&]*&&[^=<>&]*[=<>]", "conditions are joined by AND"),
    (r"[=<>][^=<>|]*\|\|[^=<>|]*[=<>]", "conditions are joined by OR; || joins texts"),
    # In parentheses it names an argument.
    (r"\A[^(]*=>", "write >="),
    (r"\blike\s+\"", "a text stands in single quotes"),
)

_OUTSIDE = (
    (r"\blimit\s+(\d+)", "how many are done at most is said beside the condition: max_records: {0}"),
    (r"\border\s+by\b", "leave out ORDER BY: records are done in the order of their keys"),
)
"""What is wrong where it stands in no parentheses; in them it may be a query's."""


def syntax_help(text: str) -> str | None:
    """Return what is right instead of what a fragment that does not parse seems to hold."""
    bare = _STRING.sub(lambda match: "'" + " " * (len(match[0]) - 2) + "'", text)
    outside, inner = bare, 1
    while inner:
        outside, inner = _PARENTHESES.subn(lambda match: " " * len(match[0]), outside)
    for patterns, looked_at in ((_OUTSIDE, outside), (_FOREIGN, bare)):
        for pattern, help in patterns:
            match = re.search(pattern, looked_at, re.IGNORECASE)
            if match:
                return help.format(*(text[start:end] for start, end in match.regs[1:]))
    return None


@dataclass(frozen=True, slots=True)
class NameHelp:
    """What a name that is no column may be.

    Attributes:
        text: What it is, and how that is written.
        certain: Whether a column cannot have been meant.
    """

    text: str
    certain: bool = False


def name_help(text: str, name: str, start: int, end: int, *, parameters: bool) -> NameHelp | None:
    """Return what a name that is no column may be, where what stands around it tells.

    Args:
        text: The fragment.
        name: The name.
        start: Where it stands.
        end: Where it ends.
        parameters: Whether there may be parameters.
    """
    before = text[:start].rstrip()
    as_text, as_parameter = f"a text stands in single quotes: '{name}'", f"a parameter is written :{name}"
    if text[start:end].startswith('"'):
        return NameHelp(as_text)
    if parameters and text[:start].endswith("@"):
        return NameHelp(as_parameter, certain=True)
    listed = re.search(r"\b(?:any|all|in)\s*\(\Z", before, re.IGNORECASE) and text[end:].lstrip()[:1] == ")"
    if parameters and listed:
        return NameHelp(as_parameter, certain=True)
    if re.search(r"(?:[<>=]|\b(?:i?like|between))\Z", before, re.IGNORECASE):
        return NameHelp(f"{as_parameter}, and a text '{name}'" if parameters else as_text)
    return None


_PLACEHOLDER = re.compile(
    r"\s*(?:\{\{\s*(\w+)\s*\}\}|[$#]?\{\s*(\w+)\s*\}|%\((\w+)\)s|[$@](\w*[A-Za-z]\w*))\s*"
)


def placeholder(value: Any) -> str | None:
    """Return the name of the parameter that a value in another language's writing stands for.

    ``${since}``, ``{{ since }}``, ``{since}``, ``%(since)s``, ``$since``, ``@since``; without quotes, YAML
    makes a map of the third.
    """
    if isinstance(value, dict) and len(value) == 1 and None in value.values():
        return str(next(iter(value)))
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return next(filter(None, match.groups())) if match else None
