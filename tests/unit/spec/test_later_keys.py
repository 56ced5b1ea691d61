"""Keys of the language that a later version brings are refused by name, where they stand; never ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specgen.spec import schema
from specgen.spec.build import load_project

KEYS = {
    "batch_size": "auto",
    "target_duration": "1 second",
}


def test_every_key_that_the_schema_marks_as_later_is_tried_here() -> None:
    text = (Path(schema.__file__).parent / "entity.schema.json").read_text(encoding="utf-8")
    definitions = json.loads(text)["$defs"]
    keys = {**definitions["keys"], **definitions["pattern"]["properties"]}
    marked = {
        name for name in keys if {**definitions["keys"].get(name, {}), **keys[name]}.get("x-specgen-not-yet")
    }
    assert marked <= set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_later_key_is_refused_by_name(key: str, tmp_path: Path) -> None:
    operation = {
        "name": "batch_operations",
        "operation": "touch",
        "operation_type": "update",
        "update_data": {"email": ":email"},
        "where_condition": "id = ANY(:ids)",
        key: KEYS[key],
    }
    spec = tmp_path / "user.yaml"
    entity = {"name": "user", "fields": {"id": "uuid", "email": "string"}, "patterns": [operation]}
    spec.write_text(json.dumps(entity, indent=1), encoding="utf-8")
    loaded = load_project([spec], root=tmp_path)
    assert loaded.project is None
    (finding,) = [item for item in loaded.findings if item.code == "not-yet-supported"]
    line = spec.read_text(encoding="utf-8").splitlines()[finding.span.start.line - 1]
    assert key in line
