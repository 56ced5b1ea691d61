"""What every provider promises, shown on each of them."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from crashing import crash, port_of_its_own
from psycopg.conninfo import conninfo_to_dict

from specgen.database import binaries, databases
from specgen.database.embedded import EmbeddedProvider
from specgen.database.url import can_create_databases

from .conftest import Case, assert_gone, embedded, owner_of


def facts(provider: Any, dsn: str) -> dict[str, Any]:
    return {
        "dsn": dsn,
        "folder": str(getattr(provider, "folder", "")),
        "container": getattr(provider, "container_id", ""),
    }


def test_a_server_does_what_specgen_needs(case: Case) -> None:
    provider = case.make()
    with provider as server:
        left = facts(provider, server.dsn)
        assert server.version == case.version
        assert str(case.version) in server.description
        assert str(conninfo_to_dict(server.dsn).get("password")) not in server.description
        assert can_create_databases(server)
        with psycopg.connect(server.dsn) as connection:
            assert connection.info.server_version // 10000 == case.version
            assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
            assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
            assert connection.execute("SELECT upper(%s)", ("naïve 'Größe'",)).fetchone() == ("NAÏVE 'GRÖßE'",)
        with (
            databases.template(server, lambda dsn: run(dsn, "CREATE TABLE größe (x int)")) as template,
            databases.clone(server, template) as dsn,
        ):
            run(dsn, "INSERT INTO größe VALUES (1)")
    assert_gone(left)


def run(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statement.encode())


def test_two_servers_at_once_do_not_meet(case: Case) -> None:
    one, two = case.make(), case.make()
    with one as first, two as second:
        left = [facts(one, first.dsn), facts(two, second.dsn)]
        run(first.dsn, "SELECT 1")
        run(second.dsn, "SELECT 1")
        if case.name != "url":
            assert conninfo_to_dict(first.dsn)["port"] != conninfo_to_dict(second.dsn)["port"]
    for each in left:
        assert_gone(each)


def test_an_exception_passes_through_and_leaves_nothing(case: Case) -> None:
    provider = case.make()
    with pytest.raises(ZeroDivisionError), provider as server:
        left = facts(provider, server.dsn)
        raise ZeroDivisionError
    assert_gone(left)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_owner_leaves_nothing(case: Case, number: int) -> None:
    with owner_of(case) as owner:
        owner.send(number)
        assert_gone(owner.facts)


def test_a_killed_owner_takes_busy_sessions_with_it(case: Case) -> None:
    if case.name == "url":
        pytest.skip("the server is not the provider's")
    with owner_of(case) as owner, closing(psycopg.connect(owner.facts["dsn"])) as connection:
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 10000000000000)")
        owner.send(signal.SIGKILL)
        assert_gone(owner.facts)


def test_a_forked_child_of_the_owner_does_not_keep_the_server(case: Case) -> None:
    if case.name == "url":
        pytest.skip("the server is not the provider's")
    body = "import os; print(os.fork() or time.sleep(3600), flush=True); time.sleep(3600)"
    with owner_of(case, body) as owner:
        assert owner.process.stdout is not None
        child = int(owner.process.stdout.readline())
        try:
            owner.send(signal.SIGKILL)
            assert_gone(owner.facts)
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_owner_cleans_up_when_its_watcher_was_killed(case: Case) -> None:
    if case.name == "url":
        pytest.skip("nothing watches over a server that is not the provider's")
    with owner_of(case) as owner:
        os.kill(owner.facts["watcher"], signal.SIGKILL)
        run(owner.facts["dsn"], "SELECT 1")
        assert owner.finish() == ""
        assert_gone(owner.facts)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_ordinary_user_can_own_an_embedded_server(nobody: dict[str, Any], number: int) -> None:
    with owner_of(embedded(18), **nobody) as owner:
        assert Path(owner.facts["folder"]).owner() == "nobody"
        owner.send(number)
        assert_gone(owner.facts)


def test_the_folder_is_closed_to_others() -> None:
    provider = EmbeddedProvider(in_memory=True)
    with provider:
        assert provider.folder.stat().st_mode & 0o077 == 0
        assert not (provider.folder / "password").exists()


def test_the_port_asks_for_a_password() -> None:
    with EmbeddedProvider(in_memory=True) as server:
        parts = conninfo_to_dict(server.dsn)
        wrong = psycopg.conninfo.make_conninfo(server.dsn, password="guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        with socket.create_connection((str(parts["host"]), int(str(parts["port"])))):
            pass


def test_a_port_that_was_taken_meanwhile_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = iter([taken.getsockname()[1], taken.getsockname()[1]])
        from specgen.database import embedded as module

        original = module._free_port
        monkeypatch.setattr(module, "_free_port", lambda: next(free, None) or original())
        with EmbeddedProvider(in_memory=True) as server:
            run(server.dsn, "SELECT 1")


def test_a_killed_server_can_be_started_again() -> None:
    provider = EmbeddedProvider(durable=True)
    with port_of_its_own(), provider as server:
        left = facts(provider, server.dsn)
        run(server.dsn, "CREATE TABLE kept AS SELECT 1 AS x")
        crash(provider)
        with pytest.raises(psycopg.OperationalError):
            run(server.dsn, "SELECT 1")
        provider.restart()
        run(server.dsn, "SELECT x FROM kept")
        crash(provider)
    assert_gone(left)


def test_binaries_behind_a_closed_folder_are_started(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: the server runs as the user who can read the binaries")
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    copied = binaries.mirror(binaries.find(18), closed / "postgres")
    monkeypatch.setenv("SPECGEN_POSTGRES_BIN", str(copied.bin))
    provider = EmbeddedProvider()
    with provider as server:
        left = facts(provider, server.dsn)
        assert provider.folder in Path(provider._installation.bin).parents
        run(server.dsn, "CREATE EXTENSION citext")
    assert_gone(left)
    assert closed.stat().st_mode & 0o777 == 0o700


def test_what_a_failed_start_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    from specgen.errors import DatabaseUnavailable

    provider = EmbeddedProvider(settings={"shared_buffers": "nonsense"}, in_memory=True)
    with pytest.raises(DatabaseUnavailable, match="shared_buffers") as raised:
        provider.__enter__()
    assert raised.value.exit_code == 3
    assert provider._watchdog is None
    assert json.dumps(raised.value.reason)
