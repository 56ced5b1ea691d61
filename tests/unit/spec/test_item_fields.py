"""The type of a record's field: that of the column it is called as, unless a function makes the value of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specgen.spec.build import load_project
from specgen.spec.model import RecordSource

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
name: thing
fields: {{id: integer, q: tsquery, doc: tsvector, born: date, price: decimal, tags: "text[]", mood: app.mood, n: text}}
patterns:
  - {{name: batch_operations, operation: add, operation_type: insert, data_source: :records, insert_data: {{id: :item.id, {data}}}}}
"""


@pytest.mark.parametrize(
    ("data", "field", "type_"),
    [
        ("q: {sql: \"to_tsquery('simple', :item.q)\"}", "q", "text"),
        ("doc: {sql: to_tsvector(:item.doc)}", "doc", "text"),
        ("born: {sql: \"to_date(:item.born, 'DD.MM.YYYY')\"}", "born", "text"),
        ("price: {sql: \"replace(:item.price, ',', '.')::numeric\"}", "price", "text"),
        ("tags: {sql: \"string_to_array(:item.tags, ',')\"}", "tags", "text"),
        ("mood: {sql: \"btrim(:item.mood)::app.mood\"}", "mood", "text"),
        ("born: {sql: \"date_trunc('month', :item.born)\"}", "born", "date"),
        ("price: {sql: \"round(:item.price, 2)\"}", "price", "numeric"),
        ("born: :item.born, n: {sql: \"to_date(:item.born, 'DD.MM.YYYY')::text\"}", "born", "date"),
        ("n: {sql: \"btrim(:item.n)\"}", "n", "text"),
        ("n: {sql: \"to_date(:item.other, 'DD.MM.YYYY')::text\"}", "other", "text"),
    ],
)  # fmt: skip
def test_a_field_that_a_function_reads_is_what_the_function_takes(
    tmp_path: Path, data: str, field: str, type_: str
) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "spec.yaml").write_text(SPEC.format(data=data), encoding="utf-8")
    loaded = load_project([], root=tmp_path)
    assert loaded.project, loaded.findings
    source = loaded.project.entities[0].operations[0].source
    assert isinstance(source, RecordSource)
    assert {item.name: item.type.sql for item in source.fields}[field] == type_
