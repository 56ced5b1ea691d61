"""A version that is still to come, made up here: what steps are made of works before there is need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gates
import psycopg
import pytest

from specgen.database.connection import connect
from specgen.database.deploy import Script, deploy
from specgen.database.version import outdated
from specgen.render.engine import template_folder

from .earlier import ACCOUNTS, SCHEMA, UNFINISHED, VERSION_1, build, call, named, outcome, rendered
from .test_at_once import Doing, waiting_for_table

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewDatabase

    from specgen.database.server import Server

STEP = """
{%- import "_macros/upgrade.sql.j2" as u -%}
{%- set rt = runtime | ident -%}
-- From version 2 to 3: what carries a call out has another name.
{% call u.step(rt, 3, version) %}
{{ u.gone(rt, 3, ["batch_call(text, text, record, boolean, boolean, jsonb, text[], jsonb)", "batch_replace(text, text, jsonb, text[], text)"]) }}
{% endcall %}
"""
RENAMED = {"batch_call(": "batch_call_2(", "batch_replace(": "batch_replace_2("}
FILES = (
    "runtime/call.sql.j2",
    "runtime/deploy.sql.j2",
    "operation/called.sql.j2",
    "operation/operation.sql.j2",
)


@pytest.fixture
def shadow(tmp_path: Path) -> Path:
    """The templates of a specgen with version 3, as far as they differ."""
    for name in FILES:
        text = (template_folder() / name).read_text(encoding="utf-8")
        for old, new in RENAMED.items():
            text = text.replace(old, new)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "runtime/migrations").mkdir()
    (tmp_path / "runtime/migrations/0003_called.sql.j2").write_text(STEP.lstrip(), encoding="utf-8")
    return tmp_path


@pytest.fixture
def later(shadow: Path, monkeypatch: pytest.MonkeyPatch) -> list[Script]:
    """What a specgen with version 3 would deploy."""
    monkeypatch.setattr("specgen.render.engine.RUNTIME", 3)
    return [Script(file.name, file.text) for file in rendered(shadow=shadow)]


@pytest.fixture
def today(postgres_server: Server, new_database: NewDatabase) -> str:
    """The connection string of a database of today's version with operations that are submitted to it."""
    dsn = new_database(postgres_server)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute((VERSION_1 / "setup.sql").read_bytes())
        for file in rendered():
            connection.execute(file.text.encode())
        connection.execute(ACCOUNTS.encode())
        connection.execute(call(named(3), "touch_accounts_submit(ARRAY[]::integer[]").encode())
        connection.execute(
            call(named(2), "touch_accounts_submit((SELECT array_agg(id) FROM account)").encode()
        )
    return dsn


def apply(dsn: str, scripts: list[Script]) -> None:
    with connect(dsn, application="upgrade") as connection:
        list(deploy(connection, scripts))


def test_a_project_that_was_not_deployed_with_the_upgrade_is_told_to_be(
    today: str, later: list[Script]
) -> None:
    apply(today, later[:1])
    with connect(today, application="test") as connection:
        with pytest.raises(psycopg.Error) as refused:
            connection.execute("SELECT touch_accounts(ARRAY[1])")
        assert refused.value.sqlstate == "P0B15"
        assert refused.value.diag.message_primary == (
            "public.touch_accounts(integer[],boolean,jsonb) was generated for an earlier version of the runtime:"
            " since version 3 there is no batch_call"
        )
        assert "Deploy the project that it belongs to again" in str(refused.value.diag.message_hint)
        assert "touch_accounts(integer[],boolean,jsonb)" in outdated(connection, SCHEMA)
    apply(today, later)
    with connect(today, application="test") as connection:
        assert outdated(connection, SCHEMA) == []
        assert connection.execute("SELECT status FROM touch_accounts(ARRAY[1])").fetchone() == ("completed",)


def test_files_that_an_earlier_specgen_generated_are_refused_before_they_change_a_function(
    today: str, later: list[Script]
) -> None:
    earlier = rendered()
    apply(today, later)
    with psycopg.connect(today, autocommit=True) as connection:
        for file in (file for file in earlier[1:] if "batch_replace" in file.text):
            with pytest.raises(psycopg.Error, match="since version 3 there is no batch_replace"):
                connection.execute(file.text.encode())


def test_two_versions_are_gone_through_in_one_deployment(
    postgres_server: Server, new_database: NewDatabase, later: list[Script]
) -> None:
    dsn = new_database(postgres_server)
    build(dsn)
    apply(dsn, later)
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute("SELECT version FROM batch.batch_runtime ORDER BY version").fetchall()
        assert rows == [(1,), (2,), (3,)]
        for operation_id in UNFINISHED:
            connection.execute("CALL batch.batch_work(%s)", (operation_id,))
    outcome(dsn)


def test_a_new_database_has_nothing_of_what_is_gone(
    postgres_server: Server, new_database: NewDatabase, later: list[Script]
) -> None:
    dsn = new_database(postgres_server)
    apply(dsn, [Script("setup.sql", (VERSION_1 / "setup.sql").read_text(encoding="utf-8")), *later])
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute("SELECT to_regproc('batch.batch_call')").fetchone() == (None,)
        assert connection.execute("SELECT version FROM batch.batch_runtime").fetchall() == [(3,)]


def test_who_waited_for_the_end_of_an_upgrade_begins_anew_instead_of_going_on_between_two_versions(
    today: str, later: list[Script]
) -> None:
    with psycopg.connect(today, autocommit=True) as connection:
        connection.execute((gates.GATES + gates.row_gate(1, "public.account", 1)).encode())
        connection.execute("SELECT batch.batch_step(%s)", (named(2),))
    step = "SELECT (batch.batch_step(%s)).state"
    with (
        gates.closed(today, 1) as gate,
        psycopg.connect(today, autocommit=True) as asking,
        psycopg.connect(today, autocommit=True) as at_work,
        psycopg.connect(today, autocommit=True) as stepping,
        psycopg.connect(today, autocommit=True) as calling,
        psycopg.connect(today, autocommit=True) as working,
    ):
        # Sessions that have called before: they are at a function's old body when they meet the lock.
        calling.execute("SELECT touch_accounts(ARRAY[]::integer[])")
        stepping.execute(step, (named(3),))
        at_batch = Doing(lambda: at_work.execute(step, (named(2),)))
        gates.wait_until(lambda: gates.blocked_by(gate))
        upgrading = Doing(lambda: apply(today, later))
        gates.wait_until(lambda: waiting_for_table(asking, "upgrade"))
        behind = [
            Doing(lambda: stepping.execute(step, (named(2),))),
            Doing(lambda: calling.execute("SELECT touch_accounts(ARRAY[1])")),
            Doing(lambda: working.execute("CALL batch.batch_work(%s)", (named(2),))),
        ]
        gates.wait_until(lambda: waiting_for_table(asking, "") == 4)
        gate.rollback()
        at_batch.end()
        upgrading.end()
        for doing in behind[:2]:
            with pytest.raises(
                psycopg.errors.SerializationFailure, match="the runtime in schema batch was upgraded"
            ):
                doing.end()
        behind[2].end()
        assert stepping.execute(step, (named(2),)).fetchone() == ("finished",)
        assert calling.execute("SELECT status FROM touch_accounts(ARRAY[1])").fetchone() == ("completed",)
        touched = stepping.execute("SELECT min(touched), sum(touched) - count(*) FROM account").fetchone()
    assert touched == (1, 1), "each once, and one again by the call"


def test_a_schema_of_any_name_is_upgraded(
    postgres_server: Server, new_database: NewDatabase, shadow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = """it's 100% "mine" %L"""
    dsn = new_database(postgres_server)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute((VERSION_1 / "setup.sql").read_bytes())
        for file in rendered(schema=hostile):
            connection.execute(file.text.encode())
        monkeypatch.setattr("specgen.render.engine.RUNTIME", 3)
        later = rendered(shadow=shadow, schema=hostile)
        connection.execute(later[0].text.encode())
        with pytest.raises(
            psycopg.Error, match=r"^public\.touch_accounts\(.*\) was generated for an earlier"
        ):
            connection.execute("SELECT touch_accounts(ARRAY[1])")
        assert len(outdated(connection, hostile)) == 11
        for file in later:
            connection.execute(file.text.encode())
        assert outdated(connection, hostile) == []
        assert connection.execute("SELECT status FROM touch_accounts(ARRAY[1])").fetchone() == ("completed",)
