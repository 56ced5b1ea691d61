"""Deploying: in order, all or nothing, beside others, and with errors that name their place."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import counting
import psycopg
import pytest
from gates import PATIENCE

from specgen.database.connection import connect
from specgen.database.deploy import Script, ScriptError, deploy

if TYPE_CHECKING:
    from pathlib import Path


def apply(dsn: str, *scripts: Script, single_transaction: bool = True) -> list[str]:
    with connect(dsn, application="specgen test") as connection:
        return [item.name for item in deploy(connection, scripts, single_transaction=single_transaction)]


def value(dsn: str, query: str) -> Any:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_twenty_deployments_at_once(database: str, project: Path) -> None:
    scripts = counting.scripts(project)
    failures: list[BaseException] = []

    def one() -> None:
        try:
            apply(database, *scripts)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    assert value(database, "SELECT count(*) FROM pg_proc WHERE proname = 'count_items'") == 1


def test_a_second_deployment_keeps_what_is_there(tallies: str, project: Path) -> None:
    catalog = "SELECT string_agg(oid::text || proname, ',' ORDER BY oid) FROM pg_proc WHERE oid >= 16384"
    before = value(tallies, catalog)
    apply(tallies, *counting.scripts(project))
    assert value(tallies, catalog) == before
    assert value(tallies, "SELECT count(*) FROM tally") == 1000


@pytest.mark.parametrize("single_transaction", [True, False])
def test_what_stays_when_a_later_file_fails(database: str, single_transaction: bool) -> None:
    scripts = Script("1.sql", "CREATE TABLE one ();"), Script("2.sql", "CREATE TABLE two ();\nSELECT 1/0;")
    with pytest.raises(ScriptError):
        apply(database, *scripts, single_transaction=single_transaction)
    stays = None if single_transaction else "one"
    assert value(database, "SELECT to_regclass('one')") == stays
    assert value(database, "SELECT to_regclass('two')") is None


@pytest.mark.parametrize(
    ("text", "line", "made", "sqlstate"),
    [
        ("SELECT 1;\nSELEC 2;\n", 2, None, "42601"),
        ("CREATE TABLE a (\n  b missing_type\n);", 2, "TABLE a", "42704"),
        ("-- é\nSELECT 'é';\n\nSELECT nope;", 4, None, "42703"),
        # Errors without a position: the statement is found by trying one after the other.
        ("CREATE TABLE t ();\n\n-- again\nCREATE TABLE public.t ();\n", 4, "TABLE public.t", "42P07"),
        ("SELECT 1;\nSELECT 1/0;\nSELECT 2;", 2, None, "22012"),
        (
            "CREATE FUNCTION public.f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETRUN 1;\nEND;\n$$;",
            3,
            "FUNCTION public.f",
            "42601",
        ),
    ],
)
def test_an_error_names_its_place(
    database: str, text: str, line: int, made: str | None, sqlstate: str
) -> None:
    with pytest.raises(ScriptError) as caught:
        apply(database, Script("0.sql", "SELECT 0;"), Script("x.sql", text))
    error = caught.value
    assert (error.file, error.line, error.object, error.sqlstate) == ("x.sql", line, made, sqlstate)
    assert str(error).startswith(f"x.sql:{line}:")
    assert f"SQLSTATE {sqlstate}" in str(error)


def test_an_error_names_the_line_of_the_spec(tallies: str, project: Path) -> None:
    """A table that is not as the spec says lets no function be made that needs its columns."""
    text = next(script.text for script in counting.scripts(project) if "tally" in script.name)
    broken = text.replace("LANGUAGE plpgsql", "LANGUAGE plpgsqll", 1)
    with pytest.raises(ScriptError) as caught:
        apply(tallies, Script("10_tally.sql", broken))
    assert caught.value.origin is not None
    assert caught.value.origin.startswith("entities/tally.yaml:")


def test_the_command(database: str, project: Path) -> None:
    (project / "setup.sql").write_text("CREATE TABLE IF NOT EXISTS made_by_setup ();")
    code, out, err = counting.run(database, "deploy", "--project", str(project))
    assert code == 0, err
    assert "00_runtime.sql" in out
    assert "tally.sql" in out
    code, out, err = counting.run(database, "deploy", "--project", str(project), "--json")
    assert code == 0, err
    assert json.loads(out)["files"][0]["file"] == "00_runtime.sql"
    assert value(database, "SELECT count(*) FROM pg_proc WHERE proname = 'count_items'") == 1


def test_a_dry_run_prints_what_psql_would_take(database: str, project: Path) -> None:
    code, out, err = counting.run(database, "deploy", "--project", str(project), "--dry-run")
    assert code == 0, err
    assert value(database, "SELECT to_regclass('tally')") is None
    apply(database, Script("all.sql", out))
    assert value(database, "SELECT to_regclass('tally')") == "tally"


def test_setup_comes_first_when_asked_for(database: str, tmp_path: Path) -> None:
    project = counting.write_project(tmp_path)
    (project / "specgen.yaml").write_text("setup_sql: [setup.sql]\n")
    (project / "setup.sql").write_text("CREATE TABLE made_by_setup ();")
    code, out, err = counting.run(database, "deploy", "--project", str(project))
    assert code == 0, err
    assert value(database, "SELECT to_regclass('made_by_setup')") is None
    code, out, err = counting.run(database, "deploy", "--project", str(project), "--setup")
    assert code == 0, err
    assert out.splitlines()[0].endswith("setup.sql")
    assert value(database, "SELECT to_regclass('made_by_setup')") == "made_by_setup"
    (project / "setup.sql").unlink()
    code, out, err = counting.run(database, "deploy", "--project", str(project), "--setup")
    assert code == 2
    assert "setup.sql" in err


def test_a_deployment_does_not_wait_for_a_batch_that_runs(tallies: str, project: Path) -> None:
    """What is there is left alone: an ALTER TABLE or CREATE INDEX would lock it, IF NOT EXISTS or not."""
    with psycopg.connect(tallies) as running:
        for table in ("operations", "steps", "ranges", "workers", "outputs", "shares", "outbox"):
            running.execute(f"LOCK TABLE batch_{table} IN ROW EXCLUSIVE MODE".encode())
        running.execute("SET LOCAL lock_timeout = '5s'")
        with connect(tallies, application="specgen test") as connection:
            connection.execute("SET lock_timeout = '500ms'")
            applied = list(deploy(connection, counting.scripts(project)))
            assert applied
            with connection.transaction():
                list(deploy(connection, counting.scripts(project)))
                # Nor does a batch wait for a deployment that is not through.
                running.execute(
                    "INSERT INTO batch_operations (schema_name, operation, entity, status) VALUES ('s', 'o', 'e', 'pending')"
                )
