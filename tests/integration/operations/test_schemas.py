"""Operations of one name in two schemas: neither knows of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from .lab import counts, entity, rendered

if TYPE_CHECKING:
    from pathlib import Path

OPERATION = (
    "operation: mark, operation_type: update, update_data: {label: done}, where_condition: 'id > 0', "
    "parallel_runs: exclusive"
)


def both(lab_of: Any, tmp_path: Path) -> Any:
    """A project with an operation in a schema of its own, and another with one of the same name in public."""
    lab = lab_of(entity("name: item\nfields: {id: integer, label: string}", OPERATION))
    other = entity("name: item\nschema: other\nfields: {id: integer, label: string}", OPERATION)
    lab.do(rendered(other, tmp_path))
    lab.do("INSERT INTO public.item VALUES (1, 'new'); INSERT INTO other.item VALUES (1, 'new')")
    return lab


def test_a_key_that_one_has_used_is_free_for_the_other(lab_of: Any, tmp_path: Path) -> None:
    lab = both(lab_of, tmp_path)
    for schema in ("public", "other"):
        lab.do(f"""SELECT {schema}.mark(options => '{{"idempotency_key": "May"}}')""")
        assert lab.rows(f"SELECT label FROM {schema}.item") == ["done"]
    assert lab.one("SELECT count(*) FROM batch_operations") == 2


def test_one_runs_beside_the_other_although_each_is_exclusive(lab_of: Any, tmp_path: Path) -> None:
    lab = both(lab_of, tmp_path)
    operations = [lab.one(f"SELECT {schema}.mark_submit()") for schema in ("public", "other")]
    for operation_id in operations:
        lab.work(operation_id)
        assert counts(lab.status(operation_id)) == (1, 1, 0, 0)


def test_functions_of_somebody_elses_are_neither_replaced_nor_dropped(lab_of: Any, tmp_path: Path) -> None:
    lab = lab_of(entity("name: item\nfields: {id: integer, label: string}", OPERATION))
    mine = "CREATE FUNCTION {}(what text) RETURNS text LANGUAGE sql AS $$ SELECT what $$"
    text = entity("name: item\nfields: {id: integer, label: string}", OPERATION.replace("mark", "sweep"))
    lab.do(mine.format("sweep_write"))
    with pytest.raises(
        psycopg.Error, match=r"public.sweep needs a function called as .*sweep_write\(text\) is"
    ):
        lab.do(rendered(text, tmp_path))
    assert lab.one("SELECT sweep_write('mine')") == "mine"
    lab.do("DROP FUNCTION sweep_write")
    lab.do(rendered(text, tmp_path))
    lab.do(mine.format("sweep_keys"))
    lab.do("CALL batch_forget('public', 'sweep')")
    assert lab.one("SELECT sweep_keys('mine')") == "mine"
    assert lab.one("SELECT count(*) FROM pg_proc WHERE proname ~ '^sweep'") == 1


def test_an_operation_whose_functions_the_engine_has_is_refused(lab_of: Any, tmp_path: Path) -> None:
    lab = lab_of(entity("name: item\nfields: {id: integer, label: string}", OPERATION))
    text = entity("name: item\nfields: {id: integer, label: string}", OPERATION.replace("mark", "batch"))
    with pytest.raises(psycopg.Error, match=r"public.batch needs a function called as .*batch_"):
        lab.do(rendered(text, tmp_path))
    lab.do("INSERT INTO item VALUES (1, 'new')")
    assert counts(lab.run("mark")) == (1, 1, 0, 0)
