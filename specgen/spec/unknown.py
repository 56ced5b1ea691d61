"""Unknown keys are told of first, and what they probably mean counts.

``where:`` is reported as unknown. That the operation has no ``where_condition`` is not: it has one, misspelt.
So the document is held against the schema a second time, as it was probably meant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from specgen.spec.meant import Meaning, meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from specgen.spec.documents import DataPath

# What the schema's keywords say of a key that is absent.
_ABSENT = ("required", "anyOf", "minProperties")


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key that the language does not have where it stands.

    Attributes:
        path: The map it stands in.
        known: The schemas of the keys that may stand there.
        meant: What it was probably meant to say, if that can be told.
    """

    path: DataPath
    key: str
    known: dict[str, Any]
    meant: Meaning | None


def unknown_keys(errors: Iterable[Any], *, settings: bool) -> list[UnknownKey]:
    """Return the unknown keys that a validator has found, each once."""
    found: dict[tuple[DataPath, str], UnknownKey] = {}
    for error in errors:
        if error.validator != "additionalProperties":
            continue
        path: DataPath = tuple(error.absolute_path)
        known = error.schema["properties"]
        for key in error.instance:
            if key not in known:
                meant = meaning(key, path, tuple(known), error.instance, settings=settings)
                if meant and meant.key in error.instance:
                    meant = replace(meant, key=None)
                found[path, key] = UnknownKey(path, key, known, meant)
    return list(found.values())


def as_meant(data: Any, unknown: Sequence[UnknownKey]) -> Any:
    """Return a document with unknown keys called what they were meant to be, or left out."""
    by_map: dict[DataPath, dict[str, Meaning | None]] = {}
    for item in unknown:
        by_map.setdefault(item.path, {})[item.key] = item.meant
    return _rebuilt(data, (), by_map)


def _rebuilt(value: Any, path: DataPath, by_map: dict[DataPath, dict[str, Meaning | None]]) -> Any:
    match value:
        case list():
            return [_rebuilt(item, (*path, place), by_map) for place, item in enumerate(value)]
        case dict():
            renamed = by_map.get(path, {})
            result: dict[str, Any] = {}
            for key, item in value.items():
                if key not in renamed:
                    result[key] = _rebuilt(item, (*path, key), by_map)
                elif (meant := renamed[key]) and meant.key:
                    result[meant.key] = meant.value or item
            return result
        case _:
            return value


def remaining(
    unknown: Sequence[UnknownKey], validate: Callable[[Any], Iterable[Any]], meant: Any
) -> Iterator[Any]:
    """Yield what is wrong with a document besides its unknown keys.

    What stands under one of them is not looked at, and where nobody knows what one means, nothing is said
    to be absent.

    Args:
        unknown: The unknown keys.
        validate: The validator's errors of a document.
        meant: The document as it was probably meant.
    """
    renamed = {(*item.path, item.meant.key) for item in unknown if item.meant and item.meant.key}
    doubtful = {item.path for item in unknown if not (item.meant and item.meant.key)}
    for error in validate(meant):
        path = tuple(error.absolute_path)
        inside = any(path[:end] in renamed for end in range(len(path) + 1))
        if not inside and not (path in doubtful and error.validator in _ABSENT):
            yield error
