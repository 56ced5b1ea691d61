"""How values of PostgreSQL's types are written behind ``-p``: an example of each that works."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDS = '[{"name": "value"}]'

_EXAMPLES = {
    "smallint": ("1", "2"),
    "integer": ("1", "2"),
    "bigint": ("1", "2"),
    "oid": ("16384", "16385"),
    "numeric": ("9.90", "12.50"),
    "real": ("0.5", "1.5"),
    "double precision": ("0.5", "1.5"),
    "money": ("9.90", "12.50"),
    "boolean": ("true", "false"),
    "date": ("2026-01-31", "2026-02-28"),
    "time": ("12:30:00", "18:00:00"),
    "timetz": ("12:30:00+01:00", "18:00:00+01:00"),
    "timestamp": ("2026-01-31 12:30:00", "2026-02-28 18:00:00"),
    "timestamptz": ("2026-01-31T12:30:00Z", "2026-02-28T18:00:00Z"),
    "interval": ("90 days", "2 hours"),
    "uuid": ("6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11", "0e0a5a4c-3b1f-4bb0-8f36-5d2c8c1f7a10"),
    "json": ('{"name": "value"}', '{"name": "other"}'),
    "jsonb": ('{"name": "value"}', '{"name": "other"}'),
    "jsonpath": ("$.name", "$.items[*]"),
    "bytea": (r"\xdeadbeef", r"\x00ff"),
    "bit": ("1", "0"),
    "bit varying": ("101", "0011"),
    "inet": ("192.0.2.1", "2001:db8::1"),
    "cidr": ("192.0.2.0/24", "2001:db8::/32"),
    "macaddr": ("08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    "point": ("(1,2)", "(3,4)"),
    "tsquery": ("cat & dog", "cat | dog"),
    "tsvector": ("cat dog", "cat"),
    "int4range": ("[1,10)", "[10,20)"),
    "int8range": ("[1,10)", "[10,20)"),
    "numrange": ("[1.5,2.5)", "[2.5,3.5)"),
    "daterange": ("[2026-01-01,2026-02-01)", "[2026-02-01,2026-03-01)"),
    "tsrange": ("[2026-01-01 00:00,2026-02-01 00:00)", "[2026-02-01 00:00,2026-03-01 00:00)"),
    "tstzrange": ("[2026-01-01T00:00Z,2026-02-01T00:00Z)", "[2026-02-01T00:00Z,2026-03-01T00:00Z)"),
    "int4multirange": ("{[1,10),[20,30)}", "{[1,10)}"),
    "int8multirange": ("{[1,10),[20,30)}", "{[1,10)}"),
    "nummultirange": ("{[1.5,2.5),[3,4)}", "{[1.5,2.5)}"),
    "datemultirange": ("{[2026-01-01,2026-02-01)}", "{[2026-02-01,2026-03-01)}"),
    "regclass": ("public.users", "public.orders"),
    "regtype": ("integer", "text"),
    "regproc": ("public.my_function", "public.other_function"),
    "regconfig": ("simple", "english"),
    "text": ("a", "b"),
    "varchar": ("a", "b"),
    "character varying": ("a", "b"),
    "bpchar": ("a", "b"),
    "character": ("a", "b"),
    "name": ("a", "b"),
}
_LONG_NAMES = {
    "time without time zone": "time",
    "time with time zone": "timetz",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
_NUMBERS = frozenset(
    ("smallint", "integer", "bigint", "oid", "numeric", "real", "double precision", "boolean")
)
_WITHOUT_COMMA = _NUMBERS | {"uuid"}
"""Types of which no value is written with a comma; a date is, as in January 8, 1999."""


def _known(kind: str) -> str:
    base = kind.removesuffix("[]").removeprefix("pg_catalog.")
    return _LONG_NAMES.get(base, base)


def has_no_comma(kind: str) -> bool:
    """Whether no value of a type, or element of an array, can hold a comma."""
    return _known(kind) in _WITHOUT_COMMA


def is_text(kind: str) -> bool:
    """Whether every text is a value of the type."""
    return _known(kind) in ("text", "varchar", "character varying", "bpchar", "character", "name")


def example(name: str, kind: str, values: Sequence[str] = ()) -> str | None:
    """Return ``-p name=value`` with a value of the type, as a shell takes it; nothing for an unknown type.

    Args:
        name: The parameter.
        kind: Its type.
        values: Some that it is known to take, instead of those that any parameter of the type takes.
    """
    given = tuple(values) or _EXAMPLES.get(_known(kind), ())
    if not given:
        return None
    return array_forms(name, kind, given[:2]) if kind.endswith("[]") else _option(name, given[0])


def array_forms(name: str, kind: str, values: Sequence[str]) -> str:
    """Return the ways in which an array is given, in words, with some elements."""
    *forms, last = forms_of_array(name, kind, values)
    return f"{', '.join(forms)}, or {last} with one a line"


def forms_of_array(name: str, kind: str, values: Sequence[str]) -> list[str]:
    """Return the ways in which an array is given; the last is a file."""
    base = _known(kind)
    json = base in ("json", "jsonb")
    listed = ",".join(value if json or base in _NUMBERS else _quoted(value) for value in values)
    forms = [_option(name, f"[{listed}]")]
    if not any(value.startswith(("{", "[", "@")) for value in values):
        forms.insert(0, " ".join(_option(name, value) for value in values))
    if not json:
        elements = ",".join(
            value if has_no_comma(kind) or value.isalnum() else _quoted(value) for value in values
        )
        forms.append(_option(name, f"{{{elements}}}"))
    return [*forms, _option(name, "@FILE")]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _option(name: str, value: str) -> str:
    return f"-p {shlex.quote(f'{name}={value}')}"
