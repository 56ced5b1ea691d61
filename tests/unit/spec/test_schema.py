"""The published schema: complete, documented, and the same answer from both of its readers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specgen.diagnostics import Findings, Position, Span
from specgen.spec.precheck import NOT_YET, compile_schema
from specgen.spec.schema import ENTITY, SETTINGS, _is_valid, _validator, check_structure, load_schema

KEYS = load_schema(ENTITY)["$defs"]["keys"]


def documented(schema: Any) -> list[str]:
    """Every property of a schema that lacks a description or an example."""
    found: list[str] = []
    if isinstance(schema, dict):
        for name, item in schema.get("properties", {}).items() if "description" in schema else ():
            if (
                isinstance(item, dict)
                and "$ref" not in item
                and not (item.get("description") and item.get("examples"))
            ):
                found.append(name)
        for item in schema.values():
            found += documented(item)
    return found


@pytest.mark.parametrize("name", [ENTITY, SETTINGS])
def test_every_key_is_described_with_an_example(name: str) -> None:
    assert documented(load_schema(name)) == []
    assert all(item["description"] and item["examples"] for item in KEYS.values())


def test_every_example_is_valid() -> None:
    for key, schema in KEYS.items():
        if schema.get(NOT_YET):
            continue
        check = compile_schema({**schema, "$defs": load_schema(ENTITY)["$defs"]}, {})
        assert check(schema["examples"][0]), key


def test_what_comes_later_is_named_but_never_valid() -> None:
    later = {name for name, schema in KEYS.items() if schema.get(NOT_YET)}
    for key in later:
        for name, data in ((ENTITY, entity({key: 1})), (SETTINGS, {"defaults": {key: 1}})):
            assert not _is_valid(name)(data)
            findings = Findings()
            span = Span("x", Position(1, 1), Position(1, 2))
            check_structure(
                name, data, lambda _path, span=span: span, lambda _path, span=span: span, findings
            )
            assert "not-yet-supported" in [item.code for item in findings.items], key


def entity(operation: dict[str, Any]) -> dict[str, Any]:
    pattern = {
        "name": "batch_operations",
        "operation": "x",
        "operation_type": "delete",
        "where_condition": "true",
    }
    return {"name": "user", "fields": {"id": "uuid"}, "patterns": [{**pattern, **operation}]}


VALUES = st.sampled_from(
    [
        1,
        0,
        1.5,
        2.0,
        -1,
        True,
        None,
        "",
        " ",
        "x",
        ":x",
        "auto",
        "csv_file",
        "update",
        "5%",
        "500%",
        [],
        ["a"],
        {},
        ["a", "a"],
        {"a": 1},
        {"type": "text"},
        {"columns": ["a"]},
        [1],
        "delete",
        "stop",
        "select",
        "custom_function",
    ]
)


@given(st.dictionaries(st.sampled_from([*KEYS, "operation", "name", "unknown"]), VALUES, max_size=6))
def test_the_fast_check_agrees_with_jsonschema_on_operations(operation: dict[str, Any]) -> None:
    data = entity(operation)
    assert _is_valid(ENTITY)(data) == _validator(ENTITY).is_valid(data)


@given(st.dictionaries(st.sampled_from([*load_schema(ENTITY)["properties"], "other"]), VALUES, max_size=6))
def test_the_fast_check_agrees_with_jsonschema_on_entities(data: dict[str, Any]) -> None:
    for given_data in (data, {"name": "x", "fields": {"id": "uuid", **data}}):
        assert _is_valid(ENTITY)(given_data) == _validator(ENTITY).is_valid(given_data)


@given(st.dictionaries(st.sampled_from([*load_schema(SETTINGS)["properties"], "other"]), VALUES, max_size=6))
def test_the_fast_check_agrees_with_jsonschema_on_settings(data: dict[str, Any]) -> None:
    assert _is_valid(SETTINGS)(data) == _validator(SETTINGS).is_valid(data)


@given(st.dictionaries(st.sampled_from([*KEYS, "operation", "name", "unknown"]), VALUES, max_size=6))
def test_what_is_invalid_is_always_explained(operation: dict[str, Any]) -> None:
    findings = Findings()
    span = Span("x", Position(1, 1), Position(1, 2))
    valid = check_structure(ENTITY, entity(operation), lambda _path: span, lambda _path: span, findings)
    assert valid != findings.failed


def test_a_keyword_that_the_fast_check_does_not_know_is_no_silent_yes() -> None:
    with pytest.raises(NotImplementedError):
        compile_schema({"maxContains": 3}, {})
