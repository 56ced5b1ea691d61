"""Writes docs/language.md and the schemas that editors read, so that no key is documented twice or never.

python tools/reference.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from specgen.spec.published import SCHEMAS, published_text  # noqa: E402 - this checkout's, wherever it is called from

TARGET = ROOT / "docs/language.md"
INTRODUCTION = """# The language

A file holds one entity, or several as YAML documents. This page is made from the JSON Schemas in
`specgen/spec/`, which editors can use as well: `make reference` writes it. Keys marked *later* are known and
refused by name.
"""


def main() -> int:
    """Write the page and the schemas, or with --check say whether they are up to date."""
    files = {TARGET: page()}
    files |= {ROOT / f"schemas/{name}.schema.json": published_text(name) for name in SCHEMAS}
    if "--check" in sys.argv:
        return int(any(path.read_text(encoding="utf-8") != text for path, text in files.items()))
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """Return the whole page."""
    entity = _schema("entity.schema.json")
    project = _schema("specgen.schema.json")
    definitions = entity["$defs"]
    field = next(form for form in _forms(definitions["field"]) if "properties" in form)
    index = next(form for form in _forms(definitions["index"]) if "properties" in form)
    pattern = definitions["pattern"]
    required = frozenset(pattern["required"])
    keys = {
        name: {**definitions["keys"].get(name, {}), **schema}
        for name, schema in pattern["properties"].items()
    }
    return "\n".join(
        [
            INTRODUCTION,
            _section("An entity", entity["properties"], frozenset(entity["required"])),
            _section("A field", field["properties"], frozenset(field.get("required", ()))),
            _section("An index", index["properties"], frozenset(index.get("required", ()))),
            _section("An operation", keys, required),
            _section("specgen.yaml", project["properties"], frozenset()),
        ]
    )


def _schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "specgen/spec" / name).read_text(encoding="utf-8"))
    return loaded


def _forms(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *schema.get("oneOf", ()), *schema.get("anyOf", ())]


def _section(title: str, properties: dict[str, Any], required: frozenset[str]) -> str:
    lines = [f"## {title}", "", "| key | meaning | example |", "|---|---|---|"]
    for name, schema in properties.items():
        mark = " *required*" if name in required else ""
        mark = " *later*" if schema.get("x-specgen-not-yet") else mark
        lines.append(f"| `{name}`{mark} | {_cell(schema.get('description', ''))} | {_example(schema)} |")
    return "\n".join([*lines, ""])


def _example(schema: dict[str, Any]) -> str:
    examples = schema.get("examples", ())
    if not examples:
        return ""
    return _cell(f"`{json.dumps(examples[0], ensure_ascii=False)}`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(main())
