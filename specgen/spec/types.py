"""Field types: the short names of the language and PostgreSQL's own, checked when generating."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache

from specgen.spec.builtins import EXTENSION_TYPES, TYPES
from specgen.spec.model import FieldType
from specgen.spec.pgcatalog import Node, built_in_name, quoted_name
from specgen.spec.suggest import closest, did_you_mean

SHORT_TYPES = {
    "uuid": "uuid",
    "string": "text",
    "text": "text",
    "varchar": "varchar",
    "integer": "integer",
    "int": "integer",
    "bigint": "bigint",
    "smallint": "smallint",
    "decimal": "numeric",
    "numeric": "numeric",
    "float": "double precision",
    "double": "double precision",
    "real": "real",
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "time": "time",
    "timestamp": "timestamptz",
    "timestamptz": "timestamptz",
    "interval": "interval",
    "json": "json",
    "jsonb": "jsonb",
    "bytea": "bytea",
}
"""The language's names and what PostgreSQL calls them."""

_ELSEWHERE = {
    **dict.fromkeys(("str", "long_text", "longtext", "mediumtext", "tinytext", "clob", "nvarchar"), "text"),
    **dict.fromkeys(("int32", "uint32", "mediumint"), "integer"),
    **dict.fromkeys(("int64", "uint64", "long"), "bigint"),
    **dict.fromkeys(("int16", "uint16", "byte", "tinyint"), "smallint"),
    **dict.fromkeys(("number", "bigdecimal", "currency"), "decimal"),
    **dict.fromkeys(("float32",), "real"),
    **dict.fromkeys(("float64", "double_precision"), "double"),
    **dict.fromkeys(("datetime", "datetime2", "timestamp_tz"), "timestamp"),
    **dict.fromkeys(("guid",), "uuid"),
    **dict.fromkeys(("blob", "binary", "varbinary", "bytes"), "bytea"),
    **dict.fromkeys(("object", "dict", "map", "hash", "struct"), "jsonb"),
    **dict.fromkeys(("list", "array", "set"), "text[]"),
}
"""What other systems call a type, and what it is here."""

_A_TYPO = 0.8
"""How near a name of no known type must be to one to be taken for it: own types may be called alike."""

_MODIFIERS = re.compile(r"\([^()]*\)\Z")
_SHORT = re.compile(r"\s*([A-Za-z]+)\s*(?:\(([^()]*)\))?\s*(\[\])?\s*", re.DOTALL)
_ENUM = re.compile(r"\s*enum\s*\((.*)\)\s*(\[\])?\s*", re.DOTALL | re.IGNORECASE)
_ENUM_VALUE = re.compile(r"""\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([^,'"]+?))\s*(?:,|\Z)""")
_REF = re.compile(r"\s*ref\s*\(\s*(.+?)\s*\)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TypeProblem:
    """Why a text is not a type."""

    code: str
    message: str
    help: str | None = None


def referenced_entity(text: str) -> str | None:
    """Return the entity of ``ref(entity)``, if that is what the text says."""
    match = _REF.fullmatch(text)
    return match[1].strip("\"'") if match else None


def element_type(sql: str) -> str:
    """Return a type, or that of an array's elements, without its modifiers."""
    return _MODIFIERS.sub("", sql.removesuffix("[]").removesuffix(" without time zone"))


def is_built_in(sql: str) -> bool:
    """Say whether a type, or that of an array's elements, is PostgreSQL's, and its values name nothing."""
    base = element_type(sql)
    return base in TYPES and not base.startswith("reg")


def is_own(sql: str) -> bool:
    """Say whether a type, or that of an array's elements, is an extension's or the user's own."""
    return element_type(sql) not in TYPES


def is_of_user(sql: str) -> bool:
    """Say whether a type, or that of an array's elements, is one that only a database knows."""
    return is_own(sql) and element_type(sql) not in EXTENSION_TYPES


@lru_cache(maxsize=1024)
def parse_type(text: str) -> FieldType | TypeProblem:
    """Return the type that a text names, or why it names none."""
    found = _parsed(text)
    if isinstance(found, TypeProblem):
        from specgen.spec.typeforms import type_meant  # most types are types

        return replace(found, help=type_meant(text.strip()) or found.help)
    return found


def _parsed(text: str) -> FieldType | TypeProblem:
    if match := _ENUM.fullmatch(text):
        return _enum(match[1], array=match[2] is not None)
    if match := _SHORT.fullmatch(text):
        name, modifier, array = match[1].lower(), match[2], match[3] is not None
        if name in SHORT_TYPES:
            return _short(name, modifier, array=array)
    return _other(text)


def _enum(text: str, *, array: bool) -> FieldType | TypeProblem:
    values: list[str] = []
    position = 0
    while position < len(text):
        match = _ENUM_VALUE.match(text, position)
        if match is None:
            break
        single, double, plain = match.groups()
        if single is not None:
            values.append(single.replace("''", "'"))
        elif double is not None:
            values.append(double.replace('""', '"'))
        else:
            values.append(plain.strip())
        position = match.end()
    if position < len(text):
        return TypeProblem(
            "unknown-type", f"the values of this enum cannot be read from {text[position:]!r} on", _ENUM_HELP
        )
    if not values or not all(values):
        return TypeProblem(
            "empty-enum", "an enum needs at least one value, and none may be empty", _ENUM_HELP
        )
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        return TypeProblem("duplicate-value", f'the enum has "{twice}" twice', "keep one")
    return FieldType("text[]" if array else "text", "text", array, tuple(values))


_ENUM_HELP = "write enum(new, active), values with commas or quotes in single quotes"


def _short(name: str, modifier: str | None, *, array: bool) -> FieldType | TypeProblem:
    base = SHORT_TYPES[name]
    sql = base
    if modifier is not None:
        numbers = [part.strip() for part in modifier.split(",")]
        if not all(re.fullmatch(r"-?[0-9]{1,6}", number) for number in numbers):
            return TypeProblem(
                "unknown-type", f"({modifier}) is no length or precision", f"for example: {_example(base)}"
            )
        problem = _modifier_problem(base, [int(number) for number in numbers])
        if problem:
            return TypeProblem("unknown-type", problem, f"for example: {_example(base)}")
        sql = f"{base}({','.join(numbers)})"
    return FieldType(sql + "[]" * array, base, array)


def _example(base: str) -> str:
    return {"varchar": "varchar(200)", "numeric": "decimal(10,2)"}.get(base, base)


def _modifier_problem(base: str, numbers: list[int]) -> str | None:
    match base, numbers:
        case "varchar", [length]:
            return None if 1 <= length <= 10_485_760 else "a varchar has a length from 1 to 10485760"
        case "numeric", [precision] | [precision, _]:
            if not 1 <= precision <= 1000:
                return "a decimal has 1 to 1000 digits"
            scale = numbers[1] if len(numbers) > 1 else 0
            return None if -1000 <= scale <= 1000 else "a decimal's scale is between -1000 and 1000"
        case "time" | "timestamptz" | "interval", [precision]:
            return None if 0 <= precision <= 6 else "fractions of a second have at most 6 digits"
        case _:
            return f"{base} does not take {'this' if len(numbers) == 1 else 'so many numbers'}"


def _other(text: str) -> FieldType | TypeProblem:
    """Parse a type that is not in the language's list by PostgreSQL's grammar."""
    names, modifiers, array = _parse_name(text)
    bare = text.strip()
    if not names:
        near = did_you_mean(re.split(r"[\s(\[]", bare)[0], [*SHORT_TYPES, "enum", "ref"]) if bare else None
        return TypeProblem("unknown-type", f'"{bare}" is not a type', near or _TYPES_HELP)
    if len(names) == 2 and names[0] == "pg_catalog":
        if not built_in_name(names[1]):
            near = did_you_mean(names[1], TYPES) or _TYPES_HELP
            return TypeProblem("unknown-type", f'PostgreSQL has no type "{names[1]}"', near)
        names = names[1:]
    if len(names) == 1 and (found := built_in_name(names[0])):
        base = found
        if modifiers and base == "interval":
            message = f'intervals of some fields only, as "{bare}", are not supported'
            return TypeProblem(
                "unknown-type", message, "write interval, which reads and writes such a column too"
            )
        sql = "timestamp without time zone" if base == "timestamp" else base
        if modifiers:
            sql = f"{base}({','.join(modifiers)})"
            sql += " without time zone" if base == "timestamp" else ""
    elif len(names) == 1 and (problem := _meant(names[0], quoted=bare.startswith('"'))):
        return problem
    else:
        # Put together again rather than copied: nothing else of the text comes along.
        base = ".".join(quoted_name(name) for name in names)
        sql = f"{base}({','.join(modifiers)})" if modifiers else base
    return FieldType(sql + "[]" * array, base, array)


def _meant(name: str, *, quoted: bool) -> TypeProblem | None:
    """Return what is wrong with a name that is neither a known type's nor that of one's own."""
    if quoted or name in EXTENSION_TYPES:
        return None
    known = [*SHORT_TYPES, *TYPES, *EXTENSION_TYPES, "enum", "ref"]
    other = _ELSEWHERE.get(name)
    # Two letters exchanged are a slip even in a short word, in which one that differs makes another: "rate".
    other = other or next((item for item in known if _exchanged(name, item)), None)
    near = f'did you mean "{other}"?' if other else did_you_mean(name, known, cutoff=_A_TYPO)
    own = "a type of your own is written with its schema, or in quotes"
    return TypeProblem("unknown-type", f'there is no type "{name}"', f"{near} ({own})") if near else None


def _exchanged(one: str, other: str) -> bool:
    return sorted(one) == sorted(other) and closest(one, (other,), within=1) is not None


_TYPES_HELP = "use one of the language's types, or name your own: app.my_type"


def _parse_name(text: str) -> tuple[list[str], list[str], bool]:
    """Return a type's name parts, its modifiers and whether it is an array; no parts if it is none."""
    from pglast.parser import ParseError, parse_sql_json

    try:
        statements = json.loads(parse_sql_json(f"SELECT NULL::{text}"))["stmts"]
        target = statements[0]["stmt"]["SelectStmt"]
        cast = target["targetList"][0]["ResTarget"]
        node = cast["val"]["TypeCast"]["typeName"]
        alone = len(statements) == 1 == len(target["targetList"]) and "name" not in cast
        alone = alone and not set(target) - {"targetList", "limitOption", "op"}
        alone = alone and "A_Const" in cast["val"]["TypeCast"]["arg"]
    except (ParseError, KeyError, IndexError, RecursionError):
        return [], [], False
    if not alone or "--" in text or "/*" in text or "setof" in node or "pct_type" in node:
        return [], [], False
    names = [part["String"].get("sval", "") for part in node["names"]]
    modifiers = [_modifier(item) for item in node.get("typmods", ())]
    if not all(modifiers):
        return [], [], False
    if names == ["pg_catalog", "bpchar"] and modifiers == ["1"] and "(" not in text:
        modifiers = []
    return names, modifiers, bool(node.get("arrayBounds"))


def _modifier(node: Node) -> str:
    """Return one of a type's modifiers, a number or a word; an empty text where it is neither."""
    match node:
        case {"A_Const": {"ival": number}}:
            return str(number.get("ival", 0))
        case {"ColumnRef": {"fields": [{"String": {"sval": word}}]}}:
            return quoted_name(word)
        case _:
            return ""
