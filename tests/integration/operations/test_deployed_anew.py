"""Functions that are deployed anew while an operation is open: it goes on rightly, or it is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.gates import GATES, closed, is_blocked, row_gate, wait_until

from .lab import counts, entity, records, rendered

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "name: item\nfields: {id: integer, label: string, note: string}"
PARAMETER = entity(
    HEAD,
    'operation: mark, operation_type: update, update_data: {label: :label}, where_condition: "id > 0", batch_size: 4',
)
FIELD = entity(
    HEAD,
    "operation: mark, operation_type: update, update_data: {label: :item.label}, data_source: :records, batch_size: 4",
)
FIELD_RENAMED = entity(
    HEAD,
    "operation: mark, operation_type: update, update_data: {label: :item.note}, data_source: :records, batch_size: 4",
)
STEPS = """
name: item
fields: {id: integer, label: string, note: string}
patterns:
  - name: batch_operations
    operation: mark
    steps:
      - {name: select_first, operation_type: select, select_fields: [id, label], where_condition: "id <= 4"}
      - name: mark_rest
        operation_type: update
        update_data: {label: :label}
        where_condition: "id > 4 AND label <> ALL(:first_labels)"
"""
TABLE = PARAMETER.replace("fields:", "table: item\nfields:")
CASES = {
    "another table": (TABLE, TABLE.replace("table: item", "table: other"), "%s", ["new"]),
    "a parameter renamed": (PARAMETER, PARAMETER.replace(":label", ":text"), "%s", ["new"]),
    "a parameter of another type": (
        PARAMETER,
        PARAMETER.replace(":label}", '{sql: ":label::text"}}').replace(
            "operation: mark,", "operation: mark, parameters: {label: integer},"
        ),
        "%s",
        ["new"],
    ),
    "a field renamed": (FIELD, FIELD_RENAMED, "%s", [records(*({"id": n, "label": "new"} for n in range(1, 11)))]),
    "a step's parameter renamed": (STEPS, STEPS.replace("{label: :label}", "{label: :text}"), "%s", ["new"]),
    "an output's column changed": (STEPS, STEPS.replace("[id, label]", "[id, note]").replace("first_labels", "first_notes"), "%s", ["new"]),
}  # fmt: skip
SETUP = "INSERT INTO item SELECT n, 'old' || n, 'n' FROM generate_series(1, 10) AS n"


def test_parameters_are_not_mixed_up_where_it_is_deployed_anew_in_the_middle_of_a_call(
    lab_of: Any, tmp_path: Path
) -> None:
    def spec(data: str) -> str:
        return entity(
            HEAD,
            "operation: mark, operation_type: update, "
            f'update_data: {{{data}}}, where_condition: "id > 0", batch_size: 1',
        )

    lab = lab_of(spec("label: :label, note: :note"), SETUP)
    lab.do(GATES + row_gate(7, "item", 3))
    with closed(lab.dsn, 7) as holder, lab.connect() as other, ThreadPoolExecutor(1) as pool:
        done = pool.submit(replace(lab, connection=other).call, "mark", "L", "N")
        wait_until(lambda: is_blocked(lab.connection, other))
        lab.do(rendered(spec("note: :note, label: :label"), tmp_path))
        holder.close()
        assert counts(done.result(60)) == (10, 10, 0, 0)
    assert lab.rows("SELECT DISTINCT label || note FROM item") == ["LN"]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_an_operation_whose_functions_read_something_else_now_is_refused_and_writes_no_null(
    lab_of, tmp_path, case: str, begun: bool
) -> None:
    before, after, given, values = CASES[case]
    lab = lab_of(before, SETUP)
    operation_id = lab.submit("mark", given, values)
    steps = (3 if before == STEPS else 2) if begun else 1
    for _ in range(steps):
        lab.do("SELECT batch_step(%s)", operation_id)
    done = lab.rows("SELECT id FROM item WHERE label = 'new' ORDER BY id")
    lab.do(rendered(after, tmp_path))
    with pytest.raises(
        psycopg.Error, match=r"mark: operation .* was submitted before it was deployed anew"
    ) as refused:
        lab.work(operation_id)
    assert refused.value.sqlstate == "P0B11"
    assert "submitted to" in str(refused.value.diag.message_hint)
    assert lab.rows("SELECT id FROM item WHERE label IS NULL") == []
    assert lab.rows("SELECT id FROM item WHERE label = 'new' ORDER BY id") == done
    assert lab.rows("SELECT * FROM batch_operation_errors") == []
    lab.do(rendered(before, tmp_path))
    lab.work(operation_id)
    result = lab.status(operation_id)
    lab.check(result)
    assert result.status == "completed"


def test_an_operation_goes_on_with_functions_that_read_the_same(lab_of, tmp_path) -> None:
    lab = lab_of(PARAMETER, SETUP)
    operation_id = lab.submit("mark", "%s", ["new"])
    lab.do("SELECT batch_step(%s)", operation_id)
    lab.do("SELECT batch_step(%s)", operation_id)
    lab.do(
        rendered(
            PARAMETER.replace("batch_size: 4", "batch_size: 400").replace(
                "{label: :label}", '{label: :label, note: "x"}'
            ),
            tmp_path,
        )
    )
    lab.work(operation_id)
    assert counts(lab.status(operation_id)) == (10, 10, 0, 0)
    assert lab.rows("SELECT count(*) FROM item WHERE label = 'new'") == [10]
