"""Plain data as YAML in the style of this project's own files."""

from __future__ import annotations

import json
import re
from typing import Any

WIDTH = 100
_PLAIN = re.compile(r":?[A-Za-z_][A-Za-z0-9_.]*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])


def yaml_text(value: Any, indent: int = 0) -> str:
    """Return a map as YAML: one key a line, each value on one line where it fits."""
    return "".join(_entry(str(key), item, indent) for key, item in value.items())


def _entry(key: str, value: Any, indent: int) -> str:
    space = " " * indent
    line = f"{space}{key}: {flow(value)}\n"
    if len(line) <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return line
    if isinstance(value, dict):
        return f"{space}{key}:\n{yaml_text(value, indent + 2)}"
    return f"{space}{key}:\n" + "".join(_item(item, indent + 2) for item in value)


def _item(value: Any, indent: int) -> str:
    if not isinstance(value, dict):
        return f"{' ' * indent}- {flow(value)}\n"
    text = yaml_text(value, indent + 2)
    return f"{' ' * indent}- {text[indent + 2 :]}"


def flow(value: Any) -> str:
    """Return any value as YAML on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(flow(item) for item in value) + "]"
        case str() if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
