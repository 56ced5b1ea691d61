"""Every type of operation, every source, every error mode: who is written, who is named, what is counted."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import HOW, Lab, audited, counts, entity, records

UPDATE = "operation_type: update, batch_size: 5, update_data: {amount: {sql: amount - 10}}"
DELETE = "operation_type: delete, batch_size: 5"
SELECT = "operation_type: select, batch_size: 5, select_fields: [id, amount]"
RECORDS = "batch_size: 5, data_source: :records"
SPEC = entity(
    """
    name: thing
    fields:
      id: integer
      code: {type: string, unique: true}
      amount: {type: integer, nullable: false, check: "amount >= 0"}
      parent_id: {type: integer, references: thing.id}
    """,
    f'operation: update_dense, {UPDATE}, where_condition: "id <= 12"',
    f'operation: update_sparse, {UPDATE}, where_condition: "id % 50 = 0"',
    f'operation: update_keys, {UPDATE}, where_condition: "id = ANY(:ids)"',
    f'operation: whole_batches, {UPDATE}, where_condition: "id <= 12", error_isolation: batch',
    f"operation: update_records, operation_type: update, update_data: {{amount: :item.amount}}, {RECORDS}",
    "operation: insert_records, operation_type: insert, "
    f"insert_data: {{id: :item.id, amount: :item.amount, code: :item.code}}, {RECORDS}",
    "operation: insert_kept, operation_type: insert, "
    f"insert_data: {{amount: :item.amount, code: :item.code}}, returning: [code], {RECORDS}",
    "operation: insert_one, operation_type: insert, insert_data: {id: :id, amount: :amount}",
    "operation: upsert_records, operation_type: upsert, "
    f"upsert_data: {{id: :item.id, amount: :item.amount}}, conflict_target: id, {RECORDS}",
    f'operation: delete_dense, {DELETE}, where_condition: "id <= 12"',
    f'operation: delete_sparse, {DELETE}, where_condition: "id % 50 = 0"',
    f'operation: delete_keys, {DELETE}, where_condition: "id = ANY(:ids)"',
    f"operation: delete_records, operation_type: delete, {RECORDS}",
    f'operation: select_dense, {SELECT}, where_condition: "id <= 12"',
    f'operation: select_keys, {SELECT}, where_condition: "id = ANY(:ids)"',
)

# Those whose amount is 5 cannot lose 10; those that have a child cannot be deleted.
SETUP = f"""
    INSERT INTO thing (id, code, amount) SELECT n, 'c' || n, 100 FROM generate_series(1, 600) AS n;
    UPDATE thing SET amount = 5 WHERE id IN (3, 4, 9, 150, 200, 450);
    INSERT INTO thing (id, amount, parent_id)
    SELECT 10001 + n, 1, n FROM unnest(ARRAY[3, 4, 9, 150, 200, 450]) AS n;
    SELECT setval('thing_id_seq', 50000);
    {audited("thing")}
"""

DENSE, SPARSE = list(range(1, 13)), list(range(50, 601, 50))
BAD_DENSE, BAD_SPARSE = [3, 4, 9], [150, 200, 450]
MODES = ("continue_on_error", "collect_errors", "stop_on_error")


def over(operation: str) -> tuple[list[Any], list[int], list[int], str]:
    """What an operation is called with, whom it would meet, who of them fails, and why."""
    kind, _, source = operation.partition("_")
    keys, bad = (SPARSE, BAD_SPARSE) if source == "sparse" else (DENSE, BAD_DENSE)
    state = "23503" if kind == "delete" else "23514"
    arguments: list[Any] = []
    if source == "keys":
        arguments = [keys]
    elif operation == "insert_records":
        keys = [key + 1000 for key in keys]
        bad = [key + 1000 for key in bad]
        arguments = [records(*({"id": key, "amount": -1 if key in bad else 7} for key in keys))]
    elif operation == "delete_records":
        arguments = [records(*({"id": key} for key in keys))]
    elif source == "records":
        arguments = [records(*({"id": key, "amount": -1 if key in bad else 7} for key in keys))]
    return arguments, keys, bad, state


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, SETUP)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "operation",
    [
        "update_dense", "update_sparse", "update_keys", "update_records", "insert_records",
        "upsert_records", "delete_dense", "delete_sparse", "delete_keys", "delete_records",
    ],
)  # fmt: skip
def test_each_record_is_written_once_or_named_once(lab: Lab, operation: str, mode: str, how: str) -> None:
    arguments, keys, bad, state = over(operation)

    result = lab.run(operation, *arguments, how=how, error_handling=mode)

    stop = mode == "stop_on_error"
    good = [] if stop else [key for key in keys if key not in bad]
    failed = bad[:1] if stop else bad
    assert result.status == ("failed" if stop else "completed_with_errors")
    assert counts(result) == (12, len(good), 12 - len(good) - len(failed), len(failed))
    assert sorted(map(int, lab.written())) == good
    assert [(key["id"], code) for key, code in lab.errors(result)] == [(key, state) for key in failed]
    if mode == "collect_errors":
        assert [error["record_key"]["id"] for error in result.errors] == failed
    if "sparse" in operation or "dense" in operation:
        strategy = lab.one("SELECT strategy FROM batch_operations")
        assert strategy == ("keys" if "sparse" in operation else "ranges")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["update_dense", "update_keys", "delete_records", "insert_records"])
def test_stopping_keeps_the_batches_before_and_undoes_the_failing_one(
    lab: Lab, operation: str, how: str
) -> None:
    lab.do(
        "UPDATE thing SET amount = 100 WHERE id < 9; DELETE FROM thing WHERE parent_id < 9; DELETE FROM audit"
    )
    arguments, keys, _, _ = over(operation)
    if operation == "insert_records":
        arguments = [records(*({"id": key, "amount": -1 if key == 1009 else 7} for key in keys))]

    result = lab.run(operation, *arguments, how=how, error_handling="stop_on_error")

    assert counts(result) == (12, 5, 6, 1)
    assert sorted(map(int, lab.written())) == keys[:5]
    assert [key["id"] for key in lab.errors(result, "record_key")] == [keys[8]]
    assert result.batch_count == 2


@pytest.mark.parametrize("how", HOW)
def test_blaming_whole_batches_writes_the_others(lab: Lab, how: str) -> None:
    lab.do("UPDATE thing SET amount = 100 WHERE id = 9; DELETE FROM audit")

    result = lab.run("whole_batches", how=how)

    assert counts(result) == (12, 7, 0, 5)
    assert sorted(map(int, lab.written())) == DENSE[5:]
    assert [len(item) for item in lab.errors(result, "failed_records")] == [5]


@pytest.mark.parametrize("how", HOW)
def test_a_single_record_fails_by_itself(lab: Lab, how: str) -> None:
    assert counts(lab.run("insert_one", 700, 1, how=how)) == (1, 1, 0, 0)
    result = lab.run("insert_one", 701, -1, how=how)
    assert (result.status, counts(result)) == ("completed_with_errors", (1, 0, 0, 1))
    assert lab.written() == ["700"]


@pytest.mark.parametrize("how", HOW)
def test_a_select_keeps_its_rows_in_order(lab: Lab, how: str) -> None:
    dense = lab.run("select_dense", how=how)
    assert counts(dense) == (12, 12, 0, 0)
    assert [row["id"] for row in lab.outputs(dense)] == DENSE
    picked = lab.run("select_keys", [9, 2, 999, 7, None, 2], how=how)
    assert counts(picked) == (6, 3, 3, 0)
    assert [row["id"] for row in lab.outputs(picked)] == [9, 2, 7]


@pytest.mark.parametrize("how", HOW)
def test_kept_rows_come_in_the_order_of_the_input(lab: Lab, how: str) -> None:
    items = [{"amount": -1 if n == 4 else n, "code": f"k{(n * 7) % 12:02}"} for n in range(12)]
    result = lab.run("insert_kept", records(*items), how=how)
    assert counts(result) == (12, 11, 0, 1)
    assert [row["code"] for row in lab.outputs(result)] == [
        item["code"] for item in items if item["amount"] >= 0
    ]


@pytest.mark.parametrize(
    "operation", ["update_dense", "update_keys", "delete_keys", "upsert_records", "insert_kept"]
)
def test_a_dry_run_leaves_no_row_in_any_table(lab: Lab, operation: str) -> None:
    arguments, _, bad, _ = over(operation)
    if operation == "insert_kept":
        arguments, bad = [records({"amount": 1, "code": "z"}, {"amount": -1, "code": "y"})], [0]
    tables = lab.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    contents = " UNION ALL ".join(
        f"SELECT '{name}', md5(string_agg(t::text, '' ORDER BY t::text)) FROM {name} t" for name in tables
    )
    before = lab.rows(contents)

    result = lab.run(operation, *arguments, dry_run=True)

    assert result.status == "dry_run"
    assert result.error_count == len(bad)
    assert len(result.errors) == len(bad)
    assert lab.rows(contents) == before


def test_a_second_run_finds_only_what_is_left(lab: Lab) -> None:
    arguments, _, bad, _ = over("delete_keys")
    lab.run("delete_keys", *arguments)
    again = lab.run("delete_keys", *arguments)
    assert counts(again) == (12, 0, 12 - len(bad), len(bad))
