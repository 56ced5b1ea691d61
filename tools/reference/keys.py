"""The keys of the language, as the schemas hold them, each with a document that shows it.

A key's schema says all that the reference does: ``description``, ``default``, ``examples``, and in words of
its own ``x-specgen-wrong``, a value that is refused, and ``x-specgen-with``, the other keys that the example
stands with where the section's usual ones will not do.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from specgen.spec.precheck import NOT_YET
from specgen.spec.schema import ENTITY, SETTINGS, load_schema
from tools.reference.topics import FIELD_INTRODUCTION, OPERATION_INTRODUCTION, TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRONG = "x-specgen-wrong"
WITH = "x-specgen-with"
Fragment = dict[str, Any]

FIELDS: Fragment = {
    "id": "uuid",
    "email": {"type": "string", "nullable": False, "unique": True},
    "status": {"type": "enum(new, active, inactive)", "nullable": False, "default": "new"},
    "balance": {"type": "decimal(12,2)", "nullable": False, "default": 0},
    "created_at": {"type": "timestamp", "nullable": False, "default": "NOW()"},
    "updated_at": "timestamp",
}
OPERATION: Fragment = {"name": "batch_operations", "operation": "set_status"}
BODY: Fragment = {
    "operation_type": "update",
    "update_data": {"status": ":new_status"},
    "where_condition": "id = ANY(:user_ids)",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and how it is shown.

    Attributes:
        path: Its name, behind those of the keys that it stands in.
        schema: Everything that is said about it.
        shown: The example, with the keys beside it that it needs: what the page prints.
        documents: File → data of a whole project that the example stands in.
        wrong: The same project with a value that is refused.
    """

    path: tuple[str, ...]
    schema: Fragment
    required: bool
    shown: Fragment
    documents: Fragment
    wrong: Fragment

    @property
    def name(self) -> str:
        """The key as the page's headings call it."""
        return ".".join(self.path)

    @property
    def later(self) -> bool:
        """Whether it is part of the language, but not of this version."""
        return bool(self.schema.get(NOT_YET))


@dataclass(frozen=True, slots=True)
class Section:
    """Keys that stand in the same place.

    Attributes:
        wrap: Makes a project's documents of what is shown.
        body: The keys that an example stands with when it does not say so itself.
    """

    title: str
    introduction: str
    schema: Fragment
    wrap: Callable[[Fragment], Fragment]
    body: Fragment

    def keys(self) -> Iterator[Key]:
        """Yield the keys in the order of the schema, each with those that stand in it."""
        for name, said in self.schema["properties"].items():
            schema = followed(said)
            required = name in self.schema.get("required", ())
            body = schema.get(WITH, self.body)
            yield self._key((name,), schema, body, body, required=required)
            for path, inner, inner_required in _within((name,), schema):
                # A key within a key is shown in the outer key's own example.
                around = {**body, name: copy.deepcopy(schema["examples"][0])}
                yield self._key(path, inner, around, schema.get(WITH, {}), required=inner_required)

    def _key(
        self, path: tuple[str, ...], schema: Fragment, around: Fragment, beside: Fragment, *, required: bool
    ) -> Key:
        example = _put(around, path, schema["examples"][0], schema.get(WITH) if path[1:] else None)
        wrong = _put(
            around, path, schema.get(WRONG, schema["examples"][0]), schema.get(WITH) if path[1:] else None
        )
        usual = beside is self.body
        shown = {name: value for name, value in example.items() if name == path[0] or (beside and not usual)}
        return Key(path, schema, required, shown, self.wrap(example), self.wrap(wrong))


def followed(schema: Fragment) -> Fragment:
    """Return a schema with what it refers to laid under its own keywords."""
    while "$ref" in schema:
        document, _, pointer = schema["$ref"].partition("#/")
        found: Any = load_schema(document or ENTITY)
        for part in pointer.split("/"):
            found = found[part]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**found, **rest}
    return schema


def _within(path: tuple[str, ...], schema: Fragment) -> Iterator[tuple[tuple[str, ...], Fragment, bool]]:
    """Yield the keys in a key's value, but for those that are keys of an operation too or have a section."""
    for inner in _forms(schema):
        for name, said in inner.get("properties", {}).items():
            if said == {"not": {}} or "/keys/" in said.get("$ref", ""):
                continue
            found = followed(said)
            if found.get("examples"):
                yield (*path, name), found, name in inner.get("required", ())
                yield from _within((*path, name), found)


def _forms(schema: Fragment) -> Iterator[Fragment]:
    """Yield a schema, and the schemas of what may stand in such a value."""
    yield schema
    for keyword in ("then", "else", "items", "additionalProperties"):
        inner = schema.get(keyword)
        if isinstance(inner, dict) and inner.get("$ref") not in _SECTIONED:
            yield from _forms(followed(inner))
    for keyword in ("anyOf", "oneOf"):
        for inner in schema.get(keyword, ()):
            if inner.get("$ref") not in _SECTIONED:
                yield from _forms(followed(inner))


_SECTIONED = frozenset(f"#/$defs/{name}" for name in ("field", "index", "pattern"))


def _put(around: Fragment, path: tuple[str, ...], value: Any, beside: Fragment | None) -> Fragment:
    """Return a copy of a fragment with a value at a path; lists and named maps are entered at a map."""
    copied = copy.deepcopy(around)
    holder: Any = copied
    for name in path[:-1]:
        holder = _first_map(holder[name], path[-1])
    if beside is not None:
        holder.clear()
        holder.update(copy.deepcopy(beside))
    holder[path[-1]] = copy.deepcopy(value)
    return copied


def _first_map(value: Any, key: str) -> Any:
    inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    maps = [item for item in inner if isinstance(item, dict)]
    if isinstance(value, dict) and (key in value or not maps):
        return value
    return next((item for item in maps if key in item), maps[0])


def _operation(shown: Fragment) -> Fragment:
    return _entity({"patterns": [{**OPERATION, **shown}]})


def _entity(shown: Fragment) -> Fragment:
    return {"user.yaml": {"name": "user", "fields": FIELDS, **shown}}


def _field(shown: Fragment) -> Fragment:
    fields = {"id": "uuid", "net": "decimal(10,2)", "price": {"type": "decimal(10,2)", **shown}}
    category = {"name": "category", "fields": {"id": "bigint"}}
    return {"product.yaml": {"name": "product", "fields": fields}, "category.yaml": category}


def _index(shown: Fragment) -> Fragment:
    return _entity({"indexes": [shown]})


def _settings(shown: Fragment) -> Fragment:
    return {"specgen.yaml": shown, **_operation(BODY)}


@cache
def sections() -> tuple[Section, ...]:
    """Return the sections of the reference, in order."""
    definitions = load_schema(ENTITY)["$defs"]
    return (
        Section("An entity", "The top of a file.", load_schema(ENTITY), _entity, {}),
        Section("A field", FIELD_INTRODUCTION, definitions["field"], _field, {}),
        Section(
            "An index", "What may stand in `indexes`.", definitions["index"], _index, {"columns": ["email"]}
        ),
        *_topics(definitions["pattern"]),
        Section(
            "specgen.yaml", "The settings of a project. None is needed.", load_schema(SETTINGS), _settings, {}
        ),
    )


def _topics(schema: Fragment) -> Iterator[Section]:
    properties = schema["properties"]
    placed = {name for names in TOPICS.values() for name in names.split()}
    topics = {**TOPICS, "More": " ".join(name for name in properties if name not in placed)}
    for title, names in topics.items():
        chosen = {name: properties[name] for name in names.split() if name in properties}
        if chosen:
            introduction = OPERATION_INTRODUCTION if title == "An operation" else ""
            yield Section(title, introduction, {**schema, "properties": chosen}, _operation, BODY)


def all_keys() -> list[tuple[Section, Key]]:
    """Return every key with its section."""
    return [(section, key) for section in sections() for key in section.keys()]  # noqa: SIM118 - no dict
