"""The plan as plain data and readable JSON: the same bytes for the same plan.

What a value has not (nothing, no text, an empty list, false) is left out; of a union stands which kind it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.plan.project import Plan

_WIDTH = 100
"""Up to where a value stands on one line."""


def snapshot_text(plan: Plan) -> str:
    """Return the entities of a plan as the text of a file; the project's settings stand in its own."""
    return _json({"entities": snapshot_of(plan.entities)}, 0) + "\n"


def snapshot_of(value: object) -> Any:
    """Return a part of a plan as data that JSON can hold."""
    if is_dataclass(value):
        kind = getattr(value, "kind", None) if _has_kind(value) else None
        named = {item.name: snapshot_of(getattr(value, item.name)) for item in fields(value)}
        return _said({"kind": kind} | named)
    match value:
        case Mapping():
            return {str(name): snapshot_of(item) for name, item in value.items()}
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case Iterable():
            return [snapshot_of(item) for item in value]
        case _:
            raise TypeError(f"a plan holds no {type(value).__name__}")


def texts_of(value: object) -> Iterator[str]:
    """Yield every text in a part of a plan."""
    if is_dataclass(value):
        for item in fields(value):
            yield from texts_of(getattr(value, item.name))
        return
    match value:
        case str():
            yield value
        case Mapping():
            yield from (text for item in value.items() for text in texts_of(item))
        case Iterable():
            yield from (text for item in value for text in texts_of(item))
        case _:
            pass


def _has_kind(value: object) -> bool:
    """Whether a value is one of a union's: its kind is the class's own, and no field of it."""
    return isinstance(vars(type(value)).get("kind"), str)


def _said(named: dict[str, Any]) -> dict[str, Any]:
    nothing: tuple[Any, ...] = ("", [], {})
    return {
        name: item
        for name, item in named.items()
        if item is not None and item is not False and item not in nothing
    }


def _json(value: Any, indent: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= _WIDTH or not value or not isinstance(value, dict | list):
        return flat
    pad, further = " " * indent, " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{further}{json.dumps(name)}: {_json(item, indent + 2)}" for name, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{pad}}}"
    return "[\n" + ",\n".join(f"{further}{_json(item, indent + 2)}" for item in value) + f"\n{pad}]"
