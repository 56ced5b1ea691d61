"""Keys that are none: what people write, and the key that says it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specgen.spec.build import load_project
from specgen.spec.meant import meaning
from specgen.spec.schema import ENTITY, load_schema

if TYPE_CHECKING:
    from pathlib import Path

OPERATION = tuple(load_schema(ENTITY)["$defs"]["pattern"]["properties"])
UPDATE = {"operation": "x", "operation_type": "update"}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        *((word, "where_condition") for word in ("where", "condition", "filter", "where_clause", "wherecondition")),
        *((word, "update_data") for word in ("set", "values", "data", "columns", "updates", "updateData")),
        *((word, "batch_size") for word in ("batch", "size", "chunk_size", "batchSize", "batch-size", "btach_size")),
        *((word, "conflict_target") for word in ("on_conflict", "conflict", "conflict_columns")),
        *((word, "operation") for word in ("operation_name", "op_name", "opeartion")),
        *((word, "operation_type") for word in ("type", "op", "kind", "operationType")),
        *((word, "max_workers") for word in ("workers", "threads", "concurrency")),
        *((word, "retry") for word in ("retries", "max_retries", "retry_count")),
        *((word, "validation_rules") for word in ("validations", "rules", "validate")),
        *((word, "timeout") for word in ("timeout_seconds", "timeout_ms", "time_limit")),
        *((word, "data_source") for word in ("source", "file", "csv", "from", "records")),
        *((word, "parameters") for word in ("params", "args", "parameter")),
        ("returns", "returning"),
        ("mapping", "field_mapping"),
        ("table", "target_entity"),
        ("limit", "max_records"),
        ("on_error", "error_handling"),
        ("confirm", "requires_confirmation"),
        ("delimiter", "csv_delimiter"),
        ("csv_header", "csv_has_header"),
        ("steps_", "steps"),
        ("desc", "description"),
    ],
)  # fmt: skip
def test_what_people_write_leads_to_the_key_that_says_it(wrong: str, right: str) -> None:
    found = meaning(wrong, ("patterns", 0), OPERATION, UPDATE)
    assert found is not None
    assert found.key == right
    assert right in found.advice


@pytest.mark.parametrize(
    ("key", "owner", "advice"),
    [
        (
            "2)",
            {"type": "numeric(3", "2)": None},
            'in braces a comma ends a value: write type: "numeric(3,2)"',
        ),
        ("nullable:false", {"nullable:false": None}, "a blank is missing behind the colon: nullable: false"),
    ],
)
def test_what_yaml_has_torn_apart_is_told_whole(key: str, owner: dict[str, object], advice: str) -> None:
    found = meaning(key, ("fields", "v"), ("type", "nullable"), owner)
    assert found is not None
    assert (found.key, found.advice) == (None, advice)


@pytest.mark.parametrize("word", ["foo", "colour", "x", "hobby", "retention", "owner_team"])
def test_nothing_is_suggested_that_nobody_meant(word: str) -> None:
    assert meaning(word, ("patterns", 0), OPERATION, UPDATE) is None


@pytest.mark.parametrize(
    ("kind", "right"),
    [("insert", "insert_data"), ("upsert", "upsert_data"), ("select", "select_fields"), ("update", "update_data")],
)  # fmt: skip
def test_values_go_where_the_operation_has_them(kind: str, right: str) -> None:
    found = meaning("values", ("patterns", 0), OPERATION, {"operation_type": kind})
    assert found is not None
    assert found.key == right


def test_a_misspelt_key_is_not_missing_as_well(tmp_path: Path) -> None:
    (tmp_path / "user.yaml").write_text(
        "name: user\nfields: {id: uuid, qty: integer}\npatterns:\n  - name: batch_operations\n"
        "    operation: a\n    type: update\n    set: {qty: 1}\n    where: qty = 2\n"
        "  - name: batch_operations\n    operation: b\n    operation_type: delete\n    filtr: x\n"
        "  - name: batch_operations\n    operation: c\n    operation_type: delete\n    batchsize: 3\n"
    )
    found = load_project([tmp_path], root=tmp_path).findings
    assert [(item.code, item.span.start.line) for item in found] == [
        ("unknown-key", 6),
        ("unknown-key", 7),
        ("unknown-key", 8),
        ("unknown-key", 12),
        ("missing-where", 14),
        ("unknown-key", 16),
    ]
