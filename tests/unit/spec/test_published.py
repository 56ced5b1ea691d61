"""The schemas that editors read: self-contained, documented throughout, and as strict as validation is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from specgen.spec.published import SCHEMAS, published, published_text
from specgen.spec.schema import ENTITY, _is_valid
from specgen.spec.source import read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
VALIDATORS = (Draft7Validator, Draft202012Validator)
SPECS = sorted([*(ROOT / "entities").glob("*.yaml"), *(ROOT / "examples").glob("*/entities/*.yaml")])
SETTINGS = sorted([ROOT / "specgen.yaml", *(ROOT / "examples").glob("*/specgen.yaml")])
WRONG = sorted((ROOT / "tests/golden/errors").iterdir())


def keys(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema documents, with its path; what ``if`` and ``then`` repeat left out."""
    if not isinstance(schema, dict):
        return
    for name, item in schema.get("properties", {}).items():
        yield f"{path}{name}", item
        yield from keys(item, f"{path}{name}.")
    for inner in ("items", "additionalProperties"):
        yield from keys(schema.get(inner), path)
    for inner in ("then", "else"):
        yield from keys(schema.get(inner), path)
    for inner in ("anyOf", "oneOf"):
        for item in schema.get(inner, ()):
            yield from keys(item, path)


KEYS = [(name, path, schema) for name in SCHEMAS for path, schema in keys(published(name))]


def data_of(path: Path) -> list[Any]:
    from specgen.diagnostics import Findings

    return [document.data for document in read_documents(path, path.name, Findings())]


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_checked_in_is_what_the_command_prints(name: str) -> None:
    file = ROOT / "schemas" / f"{name}.schema.json"
    assert file.read_text(encoding="utf-8") == published_text(name), "run: make reference"


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema_for_editors_old_and_new(name: str) -> None:
    for validator in VALIDATORS:
        validator.check_schema(published(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_refers_to_nothing_and_has_no_words_of_its_own(name: str) -> None:
    text = published_text(name)
    assert "$ref" not in text
    assert "x-specgen" not in text
    assert ENTITY not in text


def test_all_keys_are_looked_at() -> None:
    paths = {path for _, path, _ in KEYS}
    expected = {"fields.type", "indexes.where", "patterns.retry.backoff", "paths.sql", "defaults.batch_size"}
    assert expected <= paths
    assert "patterns.parameters.default" in paths


@pytest.mark.parametrize(
    ("name", "path", "schema"), KEYS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_key_says_what_it_is_and_shows_it(name: str, path: str, schema: dict[str, Any]) -> None:
    assert schema["description"]
    assert schema["examples"]
    for validator in VALIDATORS:
        for value in [*schema["examples"], *([schema["default"]] if "default" in schema else [])]:
            errors = [error.message for error in validator(schema).iter_errors(value)]
            assert errors == [], f"{path}: {value}"


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_samples_are_valid(spec: Path) -> None:
    for data in data_of(spec):
        for validator in VALIDATORS:
            assert [error.message for error in validator(published("entity")).iter_errors(data)] == []


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda path: path.parent.name)
def test_settings_are_valid(settings: Path) -> None:
    validator = Draft7Validator(published("specgen"))
    assert [error.message for error in validator.iter_errors(yaml.safe_load(settings.read_text()))] == []


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_an_editor_complains_where_validation_does(case: Path) -> None:
    for data in data_of(case / "entity.yaml"):
        expected = _is_valid(ENTITY)(data)
        for validator in VALIDATORS:
            assert validator(published("entity")).is_valid(data) == expected


def test_the_text_is_always_the_same() -> None:
    text = published_text("entity")
    assert text == published_text("entity")
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
