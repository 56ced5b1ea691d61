"""SQL text from values: identifiers, literals, typed constants.

Every identifier and literal in a generated file goes through here; nothing else quotes. No text made
here holds a raw line break, so templates may indent what they include without changing a value.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.spec.model import Data, FieldType

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
BODY_TAG = re.compile(r"\$(?=(?:function|procedure|do|sql|json)\$)")
"""The dollar sign of a tag that quotes a body in our files; no name and no text may hold one as it is."""
_UNSAFE = re.compile(rf"[\r\n]|{BODY_TAG.pattern}")


@lru_cache(maxsize=1)
def _keywords() -> frozenset[str]:
    """Words that PostgreSQL takes as something else than a name in some place where we write one."""
    from pglast import keywords

    return frozenset(
        keywords.RESERVED_KEYWORDS | keywords.TYPE_FUNC_NAME_KEYWORDS | keywords.COL_NAME_KEYWORDS
    )


@lru_cache(maxsize=65536)
def ident(name: str) -> str:
    """Return a name as an identifier, quoted only where it must be."""
    if _PLAIN.match(name) and name not in _keywords():
        return name
    escaped = name.replace('"', '""')
    if _UNSAFE.search(escaped):
        coded = escaped.replace("\\", "\\\\").replace("\r", "\\000D").replace("\n", "\\000A")
        coded = BODY_TAG.sub(r"\\0024", coded)
        return f'U&"{coded}"'
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Return a text as a string constant, whatever ``standard_conforming_strings`` says."""
    escaped = text.replace("'", "''")
    if "\\" not in text and not _UNSAFE.search(text):
        return f"'{escaped}'"
    coded = escaped.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    return "E'" + BODY_TAG.sub(r"\\x24", coded) + "'"


def constant(value: Data, kind: FieldType) -> str:
    """Return a checked YAML value as a constant of a column's type."""
    match value:
        case None:
            return "NULL"
        case _ if kind.base in ("json", "jsonb") and not kind.array:
            return f"{literal(json.dumps(_plain(value), ensure_ascii=False))}::{kind.base}"
        case tuple():
            return f"{literal(_array(value))}::{kind.sql}"
        case bool():
            return "true" if value else "false"
        case int() | float() if kind.base not in ("text", "varchar"):
            return str(value)
        case dict():
            return f"{literal(json.dumps(_plain(value), ensure_ascii=False))}::{kind.sql}"
        case _:
            text = literal(str(value))
            return text if kind.base in ("text", "varchar") else f"{text}::{kind.sql}"


def _plain(value: Data) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _array(value: tuple[Data, ...]) -> str:
    return "{" + ",".join(_element(item) for item in value) + "}"


def _element(item: Data) -> str:
    match item:
        case None:
            return "NULL"
        case tuple():
            return _array(item)
        case bool():
            return "true" if item else "false"
        case dict():
            text = json.dumps(_plain(item), ensure_ascii=False)
        case _:
            text = str(item)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def one_line_strings(sql: str, *, settled: bool = False) -> str:
    """Return SQL in which no string or name runs over a line end, or holds the tag of a body's quotes.

    A fragment's lines are indented where it is used, and it is used inside a body; neither must reach
    into a string.

    Args:
        sql: A fragment.
        settled: Whether it stands outside of functions, which pin ``standard_conforming_strings``: then
            strings with a backslash are written as no setting reads them otherwise. A SET before it
            would come too late where a file is sent as one message.
    """
    unsafe = re.compile(rf"{_UNSAFE.pattern}|\\") if settled else _UNSAFE
    if not unsafe.search(sql) or not re.search(r"['\"$]", sql):
        return sql
    from pglast.parser import scan

    pieces: list[str] = []
    done = 0
    for token in scan(sql):
        text = sql[token.start : token.end + 1]
        if unsafe.search(text) and token.name in ("SCONST", "IDENT", "USCONST", "UIDENT"):
            pieces += [sql[done : token.start], _one_line(text)]
            done = token.end + 1
    return "".join([*pieces, sql[done:]])


def qualify(sql: str, columns: frozenset[str], table: str) -> str:
    """Return SQL in which these columns, where they stand alone, are qualified by their table.

    Inside PL/pgSQL a column that is called as a variable would be ambiguous, or be taken for it.
    """
    if not any(name in sql for name in columns):
        return sql
    from pglast.parser import scan

    tokens = [(sql[item.start : item.end + 1], item.start) for item in scan(sql)]
    pieces: list[str] = []
    done = 0
    for number, (text, start) in enumerate(tokens):
        around = {tokens[place][0] for place in (number - 1, number + 1) if 0 <= place < len(tokens)}
        if text.strip('"') in columns and "." not in around:
            pieces += [sql[done:start], f"{ident(table)}."]
            done = start
    return "".join([*pieces, sql[done:]])


def hashed(sql: str, variables: set[str]) -> str:
    """Return SQL in which ``= ANY(variable)`` looks the variable's elements up in a hash.

    Args:
        sql: A fragment.
        variables: Arrays, as SQL names them.
    """
    if not any(name in sql for name in variables):
        return sql
    from pglast.parser import scan

    tokens = [(sql[item.start : item.end + 1], item.start, item.end + 1) for item in scan(sql)]
    pieces: list[str] = []
    done = 0
    for number, (text, start, end) in enumerate(tokens):
        before = [word.lower() for word, _, _ in tokens[max(number - 3, 0) : number]]
        after = [word for word, _, _ in tokens[number + 1 : number + 2]]
        if text in variables and before == ["=", "any", "("] and after == [")"]:
            pieces += [sql[done:start], f"SELECT unnest({text})"]
            done = end
    return "".join([*pieces, sql[done:]])


def _one_line(token: str) -> str:
    if token.startswith('"'):
        return ident(token[1:-1].replace('""', '"'))
    if token.startswith("'"):
        return literal(token[1:-1].replace("''", "'"))
    if token.startswith("$"):
        tag = token[: token.index("$", 1) + 1]
        return literal(token[len(tag) : -len(tag)])
    return BODY_TAG.sub(r"\\x24", token.replace("\r", "\\r").replace("\n", "\\n"))
