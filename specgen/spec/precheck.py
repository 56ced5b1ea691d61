"""A JSON Schema turned into one fast yes or no.

jsonschema takes milliseconds for a document, most of it to be ready to explain an error. Nearly every
document has none. So the schema's keywords are compiled to closures that only answer whether a value
is valid; a document that is not goes to jsonschema, whose word counts. A keyword that is not
known here raises when compiling, so nothing is waved through; a test holds both to the same answers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Check: TypeAlias = "Callable[[Any], bool]"

NOT_YET = "x-specgen-not-yet"
"""Marks what the language has but this version does not; such a value is never valid."""

_ANNOTATIONS = frozenset(
    ("$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "else", "then")
)
_FOR_THE_REFERENCE = "x-specgen-"
"""Begins the keywords that only the reference reads: a wrong value, what an example stands with."""


def compile_schema(root: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> Check:
    """Return a function that says whether a value meets a schema.

    Args:
        root: The schema.
        others: Schemas that it refers to, by their ``$id``.

    Raises:
        NotImplementedError: The schema uses a keyword that is not known here.
    """
    return _Compiler(root, others).schema(root)


class _Compiler:
    def __init__(self, root: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> None:
        self.root = root
        self.others = others

    def schema(self, schema: Any) -> Check:
        if isinstance(schema, bool):
            return lambda _value: schema
        if schema.get(NOT_YET):
            return lambda _value: False
        said = [
            name for name in schema if name not in _ANNOTATIONS and not name.startswith(_FOR_THE_REFERENCE)
        ]
        checks = [self._keyword(name, schema) for name in said]
        checks = [check for check in checks if check is not None]
        if not checks:
            return lambda _value: True
        if len(checks) == 1:
            return checks[0]

        def check_all(value: Any) -> bool:
            return all(check(value) for check in checks)

        return check_all

    def _keyword(self, name: str, schema: Mapping[str, Any]) -> Check:
        method = getattr(self, "_check_" + name.lstrip("$"), None)
        if method is None:
            raise NotImplementedError(name)
        check: Check = method(schema[name], schema)
        return check

    def _check_ref(self, target: str, _schema: Any) -> Check:
        document, _, pointer = target.partition("#/")
        found: Any = self.others[document] if document else self.root
        compiler = _Compiler(found, self.others) if document else self
        for part in pointer.split("/"):
            found = found[part]
        return compiler.schema(found)

    def _check_type(self, wanted: str | list[str], _schema: Any) -> Check:
        tests = [_TYPES[name] for name in ([wanted] if isinstance(wanted, str) else wanted)]
        return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)

    def _check_const(self, wanted: str, _schema: Any) -> Check:
        return lambda value: isinstance(value, str) and value == wanted

    def _check_enum(self, wanted: list[str], _schema: Any) -> Check:
        allowed = frozenset(wanted)
        return lambda value: isinstance(value, str) and value in allowed

    def _check_pattern(self, pattern: str, _schema: Any) -> Check:
        search = re.compile(pattern).search
        return lambda value: not isinstance(value, str) or search(value) is not None

    def _check_minLength(self, least: int, _schema: Any) -> Check:  # noqa: N802 - named after the keyword
        return lambda value: not isinstance(value, str) or len(value) >= least

    def _check_minimum(self, least: float, _schema: Any) -> Check:
        return lambda value: not _is_number(value) or value >= least

    def _check_maximum(self, most: float, _schema: Any) -> Check:
        return lambda value: not _is_number(value) or value <= most

    def _check_minItems(self, least: int, _schema: Any) -> Check:  # noqa: N802
        return lambda value: not isinstance(value, list) or len(value) >= least

    def _check_uniqueItems(self, _wanted: bool, _schema: Any) -> Check:  # noqa: N802, FBT001
        return lambda value: not isinstance(value, list) or len({repr(item) for item in value}) == len(value)

    def _check_items(self, schema: Any, _outer: Any) -> Check:
        check = self.schema(schema)
        return lambda value: not isinstance(value, list) or all(check(item) for item in value)

    def _check_minProperties(self, least: int, _schema: Any) -> Check:  # noqa: N802
        return lambda value: not isinstance(value, dict) or len(value) >= least

    def _check_required(self, names: list[str], _schema: Any) -> Check:
        return lambda value: not isinstance(value, dict) or all(name in value for name in names)

    def _check_propertyNames(self, schema: Any, _outer: Any) -> Check:  # noqa: N802
        check = self.schema(schema)
        return lambda value: not isinstance(value, dict) or all(check(name) for name in value)

    def _check_properties(self, properties: Mapping[str, Any], _schema: Any) -> Check:
        checks = {name: self.schema(schema) for name, schema in properties.items()}

        def check(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            return all(checks[name](item) for name, item in value.items() if name in checks)

        return check

    def _check_additionalProperties(self, schema: Any, outer: Mapping[str, Any]) -> Check:  # noqa: N802
        known = frozenset(outer.get("properties", ()))
        check = self.schema(schema)

        def check_others(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            return all(check(item) for name, item in value.items() if name not in known)

        return check_others

    def _check_not(self, schema: Any, _outer: Any) -> Check:
        check = self.schema(schema)
        return lambda value: not check(value)

    def _check_anyOf(self, schemas: list[Any], _outer: Any) -> Check:  # noqa: N802
        checks = [self.schema(schema) for schema in schemas]
        return lambda value: any(check(value) for check in checks)

    def _check_allOf(self, schemas: list[Any], _outer: Any) -> Check:  # noqa: N802
        checks = [self.schema(schema) for schema in schemas]
        return lambda value: all(check(value) for check in checks)

    def _check_if(self, schema: Any, outer: Mapping[str, Any]) -> Check:
        condition = self.schema(schema)
        then, otherwise = self.schema(outer.get("then", True)), self.schema(outer.get("else", True))
        return lambda value: then(value) if condition(value) else otherwise(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
    "null": lambda value: value is None,
}
