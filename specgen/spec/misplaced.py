"""Keys that stand in the wrong place, and values that are written as elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specgen.spec.schema import ENTITY, SETTINGS, load_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specgen.spec.documents import DataPath

DATA_KEYS = ("update_data", "insert_data", "upsert_data", "select_fields", "function")
_TIMES = ("timeout", "lock_timeout", "statement_timeout", "heartbeat_interval", "target_duration")


def elsewhere(key: str, path: DataPath, *, settings: bool) -> str | None:
    """Say where a key belongs that the language has, though not where it stands."""
    schema = load_schema(ENTITY)
    entity, operation = schema["properties"], schema["$defs"]["pattern"]["properties"]
    match path:
        case ("patterns", _, "steps", _) if key in operation:
            return f"{key} is a key of the whole operation; move it there"
        case ("patterns", _) if key in schema["$defs"]["step"]["properties"]:
            return f"{key} is a key of a step; move it there"
        case ("patterns", _) if key in entity and key not in ("table", "name"):
            return f"{key} is a key of the entity; move it to the left, to the top of the file"
        case () if settings and key in operation:
            return f"{key} is a key of operations; under defaults it holds for all of them"
        case () if settings and key in entity:
            return f"{key} is a key of an entity, which has a file of its own in the folder of spec files"
        case () if key in operation:
            return f"{key} is a key of an operation, which is an item under patterns"
        case () if key in load_schema(SETTINGS)["properties"]:
            return f"{key} is a key of specgen.yaml"
        case _:
            return None


def converted(key: str, value: Any, wanted: Sequence[str]) -> str | None:
    """Return a value as it is written here, where it is clear what it says."""
    if wanted == ["boolean"] and isinstance(value, str) and value.lower() in _BOOLEANS:
        return f"write {key}: {_BOOLEANS[value.lower()]}"
    if key in _TIMES and type(value) is int:
        return f'write {key}: "{value} seconds"'
    return None


_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def inside_data(operation: Any) -> tuple[str, str] | None:
    """Return a key of an operation that stands among its values, too far to the right, and where."""
    for data in DATA_KEYS:
        for key in ("where_condition", "data_source"):
            if isinstance(operation.get(data), dict) and key in operation[data]:
                return key, data
    return None
