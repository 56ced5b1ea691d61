"""The structure of spec files: what the JSON Schema finds, said so that one knows what to do.

The schema files are the published description of the language, so structure is decided there and only
there: which keys exist, what they hold, and which of them an ``operation_type`` needs or forbids. This
module turns what the validator says about a document into findings.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from specgen.spec.patterns import SCHEMAS
from specgen.spec.precheck import NOT_YET, Check, compile_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.diagnostics import Findings, Span
    from specgen.spec.documents import DataPath

ENTITY = "entity.schema.json"
SETTINGS = "specgen.schema.json"


@cache
def load_schema(name: str) -> dict[str, Any]:
    """Return a schema file as data."""
    text = resources.files("specgen.spec").joinpath(name).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    if name == ENTITY:
        _add_patterns(schema)
    return schema


def _add_patterns(schema: dict[str, Any]) -> None:
    """Say in the schema which patterns there are, each by the definition that is registered for it."""
    refs = []
    for pattern, definition in SCHEMAS.items():
        schema["$defs"][definition]["properties"]["name"]["enum"] = [pattern]
        refs.append({"$ref": f"#/$defs/{definition}"})
    schema["properties"]["patterns"]["items"] = refs[0] if len(refs) == 1 else {"oneOf": refs}


@cache
def _is_valid(name: str) -> Check:
    others = {ENTITY: load_schema(ENTITY)}
    return compile_schema(load_schema(name), others)


@cache
def _validator(name: str) -> Any:
    # Imported late: most runs meet no error, and `specgen --help` never does.
    from jsonschema import Draft202012Validator, validators
    from jsonschema.exceptions import ValidationError
    from referencing import Registry, Resource

    def refuse(_validator: Any, mark: Any, _instance: Any, _schema: Any) -> Iterator[ValidationError]:
        yield ValidationError(str(mark))

    registry: Any = Registry()
    for schema in (ENTITY, SETTINGS):
        registry = registry.with_resource(schema, Resource.from_contents(load_schema(schema)))
    extended = validators.extend(Draft202012Validator, {NOT_YET: refuse})  # type: ignore[no-untyped-call]
    return extended(load_schema(name), registry=registry)


def check_structure(
    name: str,
    data: Any,
    key_span: Callable[[DataPath], Span],
    value_span: Callable[[DataPath], Span],
    findings: Findings,
) -> bool:
    """Hold data against a schema.

    Args:
        name: The schema file.
        data: Plain data of a document.
        key_span: Where the key of a path stands.
        value_span: Where the value of a path stands.
        findings: Gets what is wrong.

    Returns:
        Whether nothing is.
    """
    if _is_valid(name)(data):
        return True
    # Most documents meet the schema.
    from specgen.spec.unknown import as_meant, remaining, unknown_keys
    from specgen.spec.violations import Reporter

    validate = _validator(name).iter_errors
    errors = list(validate(data))
    unknown = unknown_keys(errors, settings=name == SETTINGS)
    if unknown:
        data = as_meant(data, unknown)
        errors = list(remaining(unknown, validate, data))
    reporter = Reporter(data, key_span, value_span, findings, settings=name == SETTINGS)
    for item in unknown:
        reporter.report_unknown(item)
    for error in sorted(errors, key=lambda item: [str(part) for part in item.absolute_path]):
        reporter.report(error)
    return False
