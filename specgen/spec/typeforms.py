"""Types written as other languages write them: ``list[int]``, ``string(20)``, ``Optional[str]``."""

from __future__ import annotations

import re

_WORDS = {
    "str": "text",
    "string": "text",
    "int": "integer",
    "int32": "integer",
    "int64": "bigint",
    "long": "bigint",
    "float": "float",
    "float64": "double",
    "number": "decimal",
    "bool": "boolean",
    "datetime": "timestamp",
    "bytes": "bytea",
    "any": "jsonb",
    "dict": "jsonb",
    "object": "jsonb",
}
"""What other languages call a type that stands inside of another."""
_LIST = re.compile(r"(?:list|array|set|sequence|tuple|vec)\s*[\[<(]\s*([\w ().,]+?)\s*[\]>)]", re.IGNORECASE)
_MAP = re.compile(r"(?:dict|map|hash|record|object|struct)\s*[\[<(].*[\]>)]", re.IGNORECASE)
_OPTIONAL = re.compile(
    r"(?:optional|nullable|maybe)\s*[\[<(]\s*([\w ().,]+?)\s*[\]>)]|(\w+)\?", re.IGNORECASE
)
_ENUM = re.compile(r"enum\s*[:\[<{]\s*\[?([^\]>}]*)[\]>}]*", re.IGNORECASE)
_REFERENCE = re.compile(
    r"ref(?:erence)?s?(?:\s+|\s*:\s*)(\w+)|ref\s*\(\s*(\w+)\s*\)\s*\.\s*\w+", re.IGNORECASE
)


def type_meant(text: str) -> str | None:
    """Return what is to be written instead of a text that is no type, where it is one elsewhere."""
    if match := _LIST.fullmatch(text):
        return f"an array is written {_named(match[1])}[]"
    if _MAP.fullmatch(text):
        return "a map is written jsonb"
    if match := _OPTIONAL.fullmatch(text):
        return f"write {{type: {_named(match[1] or match[2])}, nullable: true}}, which is the default"
    if match := _ENUM.fullmatch(text):
        return f"write enum({match[1].strip()})"
    if match := _REFERENCE.fullmatch(text):
        return f"write ref({match[1] or match[2]})"
    if match := re.fullmatch(r"string\s*\((\d+)\)", text, re.IGNORECASE):
        return f"write varchar({match[1]})"
    return None


def _named(word: str) -> str:
    return _WORDS.get(word.lower(), word)
