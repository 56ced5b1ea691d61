"""What does not fit is refused, with what would: a runtime that is newer, older, in use, or no version at all."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import counting
import pglast
import psycopg
import pytest

from specgen.database.connection import connect
from specgen.database.deploy import Script, ScriptError, deploy
from specgen.errors import Refused

from .catalogue import catalogue
from .earlier import IMPORT, VERSION_1, build, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

HERE = ("--project", str(VERSION_1))
READING = {
    "run": ("run", "touch_accounts", "-p", "ids=1"),
    "run --resume": ("run", "--resume", str(IMPORT)),
    "status": ("status",),
    "output": ("output", str(IMPORT)),
    "notify": ("notify",),
}


def scripts(*, shadow: Path | None = None) -> list[Script]:
    return [Script(file.name, file.text) for file in rendered(shadow=shadow)]


def build_today(dsn: str) -> None:
    build(dsn)
    with connect(dsn, application="specgen test") as connection:
        list(deploy(connection, scripts()))


@pytest.fixture
def today(postgres_server: Server, template_of: Template, new_database: NewDatabase) -> str:
    """The connection string of a database with this version's runtime."""
    return new_database(postgres_server, template_of(postgres_server, "upgrade: today", build_today))


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def value(dsn: str, query: str) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("command", [*READING, "deploy", "validate"])
def test_a_specgen_that_is_older_than_the_runtime_touches_nothing(today: str, command: str) -> None:
    execute(today, "INSERT INTO batch.batch_runtime VALUES (3, '9.8.7')")
    before = catalogue(today)
    arguments = READING.get(command, (command,))
    if command == "validate":
        arguments += ("--database-url", today)
    code, _, err = counting.run(today, *arguments, *HERE)
    assert code == 4, err
    assert re.search(
        r"the runtime in schema batch is version 3, made by specgen 9\.8\.7; this specgen \(.*\) knows up to version 2\n"
        r" +help: use specgen 9\.8\.7 or newer",
        err,
    ), err
    assert catalogue(today) == before
    assert value(today, "SELECT sum(touched) FROM account WHERE id = 1") == 1


@pytest.mark.parametrize("command", READING)
def test_a_specgen_that_is_newer_than_the_runtime_says_what_it_needs(version_1: str, command: str) -> None:
    code, _, err = counting.run(version_1, *READING[command], *HERE)
    assert code == 4, err
    assert "the runtime in schema batch is version 1, this specgen needs 2" in err
    assert 'help: "specgen deploy" upgrades it' in err


@pytest.mark.parametrize("command", READING)
def test_a_database_without_a_runtime_is_told_from_one_of_another_version(
    database: str, command: str
) -> None:
    code, _, err = counting.run(database, *READING[command], *HERE)
    assert code == 2, err
    assert "the database has no batch operations in schema batch" in err


def test_validate_before_an_upgrade_waits_for_no_batch_and_lets_none_wait(version_1: str) -> None:
    with psycopg.connect(version_1) as running:
        running.execute("UPDATE batch.batch_operations SET active_at = now()")
        code, _, err = counting.run(version_1, "validate", "--database-url", version_1, *HERE)
    assert code == 0, err
    assert "warning[runtime-version]: the runtime in schema batch is version 1" in err


def test_a_newer_runtime_refuses_the_file_as_well(today: str) -> None:
    execute(today, "INSERT INTO batch.batch_runtime VALUES (3, '9.8.7')")
    before = catalogue(today)
    text = scripts()[0].text
    with psycopg.connect(today, autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="this file knows up to version 2") as refused:
            connection.execute(text.encode())
        assert refused.value.sqlstate == "P0B13"
        assert refused.value.diag.message_hint == "Use specgen 9.8.7 or newer. Nothing was changed."
    assert catalogue(today) == before


def test_a_file_of_version_1_does_not_replace_functions_of_a_later_one(today: str) -> None:
    before = catalogue(today)
    text = (VERSION_1 / "00_runtime.sql").read_text(encoding="utf-8")
    with pytest.raises(psycopg.Error, match="this file is older than the runtime: use a newer specgen"):
        execute(today, text)
    assert catalogue(today) == before


def test_what_is_older_than_version_1_is_refused_as_a_whole_and_told_by_its_columns(version_1: str) -> None:
    execute(
        version_1,
        "ALTER TABLE batch.batch_operations DROP COLUMN contract, DROP COLUMN kept",
        "DROP TABLE batch.batch_shares",
    )
    before = catalogue(version_1)
    code, _, err = counting.run(version_1, "deploy", *HERE)
    assert code == 4, err
    assert (
        "schema batch has tables of specgen from before version 1, which nothing upgrades: "
        "batch_operations has no column contract, kept; batch_shares has no column operation_id, worker_pid,"
        in err
    )
    assert catalogue(version_1) == before


def test_a_schema_that_was_copied_without_rows_is_taken_for_no_version(today: str) -> None:
    """Steps of an upgrade would do twice what its tables have seen done."""
    execute(today, "DELETE FROM batch.batch_runtime")
    before = catalogue(today)
    for command in ("deploy", "status"):
        code, _, err = counting.run(today, command, *HERE)
        assert code == 4, err
        assert "cannot be told: batch_runtime is empty" in err
        assert "help: where the schema was copied without rows, copy those of this table too" in err
    with pytest.raises(psycopg.Error, match="cannot be told: batch_runtime is empty"):
        execute(today, scripts()[0].text)
    with pytest.raises(psycopg.Error, match="cannot be told: batch_runtime is empty"):
        execute(today, "SELECT touch_accounts(ARRAY[1])")
    assert catalogue(today) == before


def test_a_column_of_ones_own_is_no_reason_to_refuse(version_1: str) -> None:
    execute(version_1, "ALTER TABLE batch.batch_operations ADD COLUMN team text DEFAULT 'us'")
    code, _, err = counting.run(version_1, "deploy", *HERE)
    assert code == 0, err


def test_an_upgrade_is_undone_when_anything_after_it_fails(version_1: str) -> None:
    before = catalogue(version_1)
    broken = [*scripts(), Script("99.sql", "SELECT 1 / 0;")]
    with connect(version_1, application="specgen test") as connection, pytest.raises(ScriptError):
        list(deploy(connection, broken))
    assert catalogue(version_1) == before


def test_an_upgrade_is_no_matter_of_single_files(version_1: str) -> None:
    before = catalogue(version_1)
    code, _, err = counting.run(version_1, "deploy", "--each", *HERE)
    assert code == 2, err
    assert "help: deploy without --each" in err
    assert catalogue(version_1) == before


def test_whose_runtime_it_is_not_is_told_whose_it_is(version_1: str) -> None:
    execute(
        version_1,
        "GRANT USAGE ON SCHEMA batch TO teller",
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO teller', current_database()); END $$",
    )
    before = catalogue(version_1)
    with psycopg.connect(version_1, autocommit=True) as connection:
        owner = connection.info.user
        connection.execute("SET ROLE teller")
        with pytest.raises(psycopg.Error, match=f"belongs to {owner}: teller cannot upgrade it") as refused:
            connection.execute(scripts()[0].text.encode())
    assert refused.value.sqlstate == "42501"
    assert catalogue(version_1) == before


def test_who_loads_the_file_sees_that_it_upgrades_and_only_then(version_1: str) -> None:
    said: list[str] = []
    with psycopg.connect(version_1, autocommit=True) as connection:
        connection.add_notice_handler(
            lambda notice: said.append(f"{notice.severity}: {notice.message_primary}")
        )
        for _ in range(2):
            for statement in pglast.split(scripts()[0].text):
                connection.execute(statement.encode())
    assert said == ["INFO: the runtime in schema batch goes from version 1 to 2"]


def test_a_program_is_told_of_the_versions(version_1: str) -> None:
    code, out, err = counting.run(version_1, "deploy", "--json", *HERE)
    assert code == 0, err
    document = json.loads(out)
    assert document["runtime"] == {"before": 1, "after": 2}
    assert document["outdated"] == []


def test_an_upgrade_that_would_wait_for_long_names_who_is_in_its_way(version_1: str) -> None:
    before = catalogue(version_1)
    with psycopg.connect(version_1, application_name="a long report") as reading:
        reading.execute("SELECT FROM batch.batch_operations")
        with connect(version_1, application="specgen test") as connection:
            connection.execute("SET lock_timeout = '100ms'")
            with pytest.raises(Refused) as refused:
                list(deploy(connection, scripts()))
        assert str(refused.value) == (
            "the runtime in schema batch cannot be upgraded while it is in use, by "
            f"process {reading.info.backend_pid} (a long report, idle in transaction)"
        )
    assert catalogue(version_1) == before
