"""The JSON Schemas as editors get them: each self-contained, and in the words that all of them know.

The schemas in this folder are made for validating: shared parts stand once and are referred to, one schema
refers to the other, and keys that a later version brings are marked so that they can be refused by name.
Editors want the opposite. Language servers of every age read Draft 7, in which whatever stands beside a
``$ref`` is ignored, and with it the key's own description. So what is published refers to nothing, keeps to
keywords that mean the same in Draft 7 and 2020-12, and offers only what this version does.
"""

from __future__ import annotations

import json
import re
from typing import Any

from specgen.spec.precheck import NOT_YET
from specgen.spec.schema import ENTITY, SETTINGS, load_schema

SCHEMAS = {"entity": ENTITY, "specgen": SETTINGS}
"""What a published schema is called, and the schema that it is made from."""

DRAFT = "http://json-schema.org/draft-07/schema#"
_ONE = frozenset(("not", "if", "then", "else", "items", "additionalProperties", "propertyNames"))
_SEVERAL = frozenset(("anyOf", "allOf", "oneOf"))
_FIRST = ("title", "description", "markdownDescription", "default", "examples")
_INTERNAL = ("$schema", "$id", "$defs", "$comment")


def published_text(name: str) -> str:
    """Return a published schema as the text of its file, always the same bytes.

    Args:
        name: ``entity`` or ``specgen``.
    """
    return json.dumps(published(name), indent=2, ensure_ascii=False) + "\n"


def published(name: str) -> dict[str, Any]:
    """Return a published schema as data."""
    file = SCHEMAS[name]
    return {"$schema": DRAFT, **_resolved(load_schema(file), file)}


def is_later(schema: Any) -> bool:
    """Whether a key is part of the language, but not of this version."""
    return bool(_followed(schema, ENTITY)[0].get(NOT_YET)) if isinstance(schema, dict) else False


def _followed(schema: dict[str, Any], file: str) -> tuple[dict[str, Any], str]:
    """Return a schema with what it refers to laid under its own keywords, and the file of that."""
    while "$ref" in schema:
        document, _, pointer = schema["$ref"].partition("#/")
        file = document or file
        found: Any = load_schema(file)
        for part in pointer.split("/"):
            found = found[part]
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
        if "$ref" in found:
            schema["$ref"] = found["$ref"]
    return schema, file


def _resolved(schema: Any, file: str) -> Any:
    if not isinstance(schema, dict):
        return schema
    if schema == {"not": {}}:
        return False  # editors then say at the key that it is not allowed, and do not offer it
    schema, file = _followed(schema, file)
    schema = of_this_version(schema)
    if "`" in schema.get("description", ""):
        schema = {"markdownDescription": schema["description"], **schema}
    kept = [key for key in schema if key not in _INTERNAL and not key.startswith("x-specgen-")]
    return {key: _keyword(key, schema[key], file) for key in sorted(kept, key=lambda key: key not in _FIRST)}


def _keyword(key: str, value: Any, file: str) -> Any:
    if key in _ONE:
        return _resolved(value, file)
    if key in _SEVERAL:
        return [_resolved(item, file) for item in value]
    if key == "description":
        return _without_links(value).replace("`", "")
    if key == "markdownDescription":  # what language servers show instead, if they know it
        return _without_links(value)
    if key == "properties":
        return {name: _resolved(item, file) for name, item in value.items() if not is_later(item)}
    return value


def _without_links(text: str) -> str:
    """Drop links, which lead to pages in docs/, and keep what they say."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)


def of_this_version(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop the branch for values of a later version: ``if`` such a value, ``then`` not yet."""
    then = schema.get("then")
    if not (isinstance(then, dict) and then.get(NOT_YET)):
        return schema
    later = schema["if"].get("const")
    kept = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
    kept |= schema["else"]
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value != later]
    return kept
