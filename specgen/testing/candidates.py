"""Values worth trying for a column: some of its type, and those that conditions and checks mention.

Nothing here decides whether a value fits; the database does, when it searches (``solve``).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from specgen.spec.types import is_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OF_TYPE: dict[str, tuple[str, ...]] = {
    "number": ("1", "10", "0", "-1", "1000"),
    "text": ("'value'", "''", "'x'", "repeat('long', 20)"),
    "boolean": ("false", "true"),
    "date": ("current_date", "current_date - 400", "current_date + 400", "date_trunc('month', now())::date"),
    "time": ("'10:00'", "'00:00'", "'23:59'"),
    "timestamp": ("now()", "now() - interval '2 years'", "now() + interval '2 years'"),
    "interval": ("interval '1 day'", "interval '1 year'", "interval '-1 day'"),
    "uuid": ("'00000000-0000-4000-8000-00000000abcd'", "'00000000-0000-4000-8000-00000000abce'"),
    "json": ("'{}'", "'[]'", "'{\"a\": 1}'", "'1'"),
    "bytea": ("'\\x00'", "'\\x'"),
    "inet": ("'10.0.0.1'", "'::1'"),
}
_FAMILY = {
    "smallint": "number", "integer": "number", "bigint": "number", "numeric": "number", "real": "number",
    "double precision": "number", "text": "text", "character varying": "text", "varchar": "text",
    "character": "text", "citext": "text", "boolean": "boolean", "date": "date", "time": "time",
    "timestamp": "timestamp", "timestamptz": "timestamp", "interval": "interval", "uuid": "uuid",
    "json": "json", "jsonb": "json", "bytea": "bytea", "inet": "inet", "cidr": "inet",
}  # fmt: skip
_OF_WORDS = (
    "text", "json", "character", "varchar", "bpchar", "name", '"char"', "bytea", "tsquery", "tsvector", "xml",
    "refcursor",
)  # fmt: skip
MOST = 14


def family(kind: str) -> str | None:
    """The kind of values that a type holds, nothing if it is not known."""
    plain = re.sub(r"\(.*?\)", "", kind).strip().lower()
    plain = plain.removesuffix(" with time zone").removesuffix(" without time zone")
    return _FAMILY.get(plain)


def refuses_words(kind: str) -> bool:
    """Whether a word is no value of a type; of an extension's, or one's own, nobody knows."""
    return not is_own(kind) and not kind.startswith(_OF_WORDS)


def of_type(kind: str, *, labels: Sequence[str] = (), element: str | None = None) -> list[str]:
    """Values of a type, as SQL."""
    if labels:
        return [f"'{label}'" for label in (text.replace("'", "''") for text in labels)]
    if kind.endswith("[]"):
        inner = of_type(element or kind[:-2])
        return ["'{}'", *(f"ARRAY[{value}]" for value in inner[:2])]
    known = family(kind) or family(element or "")
    return list(_OF_TYPE[known]) if known else []


def of_domain(checks: Iterable[str]) -> list[str]:
    """Values that a domain's checks mention, as SQL; whether they are values of it the database decides."""
    return mentions(checks).values.get("value", [])


def nth(kind: str, number: int, element: str | None = None) -> Any:
    """The value number ``number`` of a type, ascending; as JSON holds it. None if the type is not known."""
    match family(kind) or family(element or ""):
        case "number":
            return number
        case "text":
            return _text(number, _length(kind) or _length(element or "") or _LENGTH)
        case "uuid":
            return f"00000000-0000-4000-8000-{number:012d}"
        case "date":
            # The first of a month, which most rules about dates allow.
            return f"{2001 + number // 12}-{number % 12 + 1:02d}-01"
        case "timestamp":
            return f"{2001 + number // 12}-{number % 12 + 1:02d}-01T00:00:00+00:00"
        case "bytea":
            return f"\\x{number:08x}"
        case "inet":
            return f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
        case _:
            return None


_LENGTH = 6
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_GROUP = 5_000
_SHARES = (0.0, 0.5, 0.5, 0.72, 0.72, 0.84, 0.92, 1.0)
"""Where in the texts that there are the numbers from 0, from 5,000 and so on begin."""


def _length(kind: str) -> int | None:
    """The number of characters that a type has room for, where it says one."""
    found = re.match(r"(?:character varying|varchar|character|char|bpchar)\((\d+)\)", kind.lower())
    return int(found[1]) if found else None


def _text(number: int, room: int) -> str:
    """Text number ``number``; where there is room for few, most of them are for the small numbers.

    Tests count what they are about from 1, and what lies beside it from thousands on.
    """
    if room >= _LENGTH:
        return f"k{number:05d}"
    texts = len(_DIGITS) ** room
    group, place = divmod(min(number, _GROUP * (len(_SHARES) - 1) - 1), _GROUP)
    first, end = (round(texts * share) for share in _SHARES[group : group + 2])
    value = min(first + place, max(first, end - 1))
    found = ""
    for _ in range(room):
        value, digit = divmod(value, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found


@dataclass(slots=True)
class Mentions:
    """What expressions say about names: the values they are compared with, and who meets whom."""

    values: dict[str, list[str]] = field(default_factory=dict)
    partners: dict[str, set[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def add(self, name: str, *values: str) -> None:
        """Note values for a name."""
        self.values.setdefault(name, []).extend(values)

    def join(self, one: str, other: str) -> None:
        """Note that two names are compared with each other."""
        self.partners.setdefault(one, set()).add(other)
        self.partners.setdefault(other, set()).add(one)


def mentions(expressions: Iterable[str]) -> Mentions:
    """Read expressions for the names in them and the values that decide about each."""
    found = Mentions()
    for text in expressions:
        one = _mentions(text)
        for name, values in one.values.items():
            found.add(name, *values)
        for name, partners in one.partners.items():
            found.partners.setdefault(name, set()).update(partners)
        found.names |= one.names
    return found


@lru_cache(maxsize=1024)
def _mentions(text: str) -> Mentions:
    """The same of one expression; read once, since every test of an operation asks again."""
    from pglast import parse_sql
    from pglast.parser import ParseError

    found = Mentions()
    with suppress(ParseError):
        _walk(parse_sql(f"SELECT ({text})")[0].stmt, found)
    return found


def tables_of(query: str) -> frozenset[str]:
    """The tables that a query names, as SQL writes them; none where it cannot be read."""
    from pglast import parse_sql
    from pglast.parser import ParseError
    from pglast.visitors import Visitor

    found: set[str] = set()
    local: set[str] = set()

    class Tables(Visitor):
        def visit_RangeVar(self, _: Any, node: Any) -> None:  # noqa: N802 - as pglast calls it
            schema = f'"{node.schemaname}".' if node.schemaname else ""
            found.add(f'{schema}"{node.relname}"')

        def visit_CommonTableExpr(self, _: Any, node: Any) -> None:  # noqa: N802 - as pglast calls it
            local.add(f'"{node.ctename}"')

    with suppress(ParseError):
        Tables()(parse_sql(query))
    return frozenset(found - local)


def _walk(node: Any, found: Mentions) -> None:
    from pglast import ast

    if isinstance(node, tuple | list):
        for item in node:
            _walk(item, found)
        return
    if not isinstance(node, ast.Node):
        return
    if isinstance(node, ast.ColumnRef):
        found.names.add(_name(node) or "")
    if isinstance(node, ast.A_Expr):
        _compare(node, found)
    if isinstance(node, ast.BooleanTest | ast.NullTest):
        _walk(node.arg, found)
        if (name := _name(node.arg)) is not None:
            found.add(name, "NULL")
    for slot in node:
        _walk(getattr(node, slot, None), found)


def _compare(node: Any, found: Mentions) -> None:
    for one, other in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        name, stretch = _subject(one)
        if name is None:
            continue
        partner = _name(other)
        if partner is not None:
            found.join(name, partner)
            continue
        operator = node.name[-1].sval if node.name else "="
        for value in other if isinstance(other, tuple | list) else (other,):
            _value(name, value, operator, found, stretch=stretch)


def _value(name: str, node: Any, operator: str, found: Mentions, *, stretch: bool) -> None:
    from pglast import ast
    from pglast.stream import RawStream

    if isinstance(node, ast.A_ArrayExpr):
        for item in node.elements or ():
            _value(name, item, operator, found, stretch=stretch)
        return
    if isinstance(node, ast.TypeCast) and isinstance(node.arg, ast.A_ArrayExpr):
        _value(name, node.arg, operator, found, stretch=stretch)
        return
    if node is None or _mentions_columns(node):
        return
    text = RawStream()(node)
    if stretch:
        found.add(name, *(f"repeat('a', ({text})::integer + {by})" for by in (0, 1, -1)))
    elif operator in ("~~", "~~*"):
        found.add(name, f"replace(replace({text}, '%', ''), '_', 'a')", f"replace(({text}), '%', 'a')")
    else:
        # The bound itself comes last: a bound that moves, such as now(), may be passed by the time of a call.
        if operator in ("<", "<=", ">", ">=", "BETWEEN", "<>"):
            found.add(name, *(f"specgen_test.nearby({text}, {by})" for by in (1, -1)))
        found.add(name, text)


def _subject(node: Any) -> tuple[str | None, bool]:
    """The name that a side of a comparison is about, and whether it is about its length."""
    from pglast import ast

    if isinstance(node, ast.FuncCall) and node.funcname and node.args and len(node.args) == 1:
        function = node.funcname[-1].sval
        inner = _name(node.args[0])
        if function in ("length", "char_length", "character_length", "octet_length") and inner:
            return inner, True
        return (inner, False) if function in ("lower", "upper", "trim", "btrim") else (None, False)
    return _name(node), False


def _name(node: Any) -> str | None:
    from pglast import ast

    while isinstance(node, ast.TypeCast):
        node = node.arg
    if isinstance(node, ast.ColumnRef) and node.fields and isinstance(node.fields[-1], ast.String):
        return str(node.fields[-1].sval)
    return None


def _mentions_columns(node: Any) -> bool:
    inner = Mentions()
    _walk(node, inner)
    return any(not name.startswith("p_") for name in inner.names)
