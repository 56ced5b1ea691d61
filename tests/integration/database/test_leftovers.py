"""What a killed owner had to leave on somebody else's server or engine goes with the next start."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest

from specgen.database import databases, owner
from specgen.database.container import remove_orphans
from specgen.database.url import UrlProvider

from .conftest import Case, assert_gone, container_exists, owner_of

if TYPE_CHECKING:
    from specgen.database.server import Server


def existing(server: Server) -> set[str]:
    with psycopg.connect(server.dsn) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def test_a_living_process_is_not_gone() -> None:
    assert not owner.is_gone(owner.label(os.getpid()))


def test_an_ended_process_is_gone() -> None:
    with subprocess.Popen(["sleep", "3600"]) as process:
        label = owner.label(process.pid)
        process.kill()
    assert owner.is_gone(label)


def test_a_later_process_with_the_same_number_is_another() -> None:
    pid, _, machine = owner.label(os.getpid()).split(" ")
    assert owner.is_gone(f"{pid} 1 {machine}")


@pytest.mark.parametrize("label", ["", "no label", "1 1 another-machine"])
def test_what_is_not_known_is_not_gone(label: str) -> None:
    assert not owner.is_gone(label)


def test_databases_of_a_killed_owner_are_dropped(postgres_server: Server) -> None:
    with UrlProvider(postgres_server.dsn) as server:
        before = existing(server)
        body = "from specgen.database import databases; databases.create_database(server); sys.stdin.read()"
        source = {"module": "url", "provider": "UrlProvider", "arguments": repr(server.dsn[:])}
        # What the owner says comes before it creates its database, so let it say that too.
        body = body.replace("sys.stdin", "print(flush=True); sys.stdin")
        case = Case("url", lambda: UrlProvider(server.dsn), source, server.version)
        with owner_of(case, body) as process, databases.database(server) as kept:
            assert process.process.stdout is not None
            process.process.stdout.readline()
            assert len(existing(server)) == len(before) + 2
            assert databases.drop_orphans(server) == []
            process.send(signal.SIGKILL)
            with UrlProvider(server.dsn):
                assert existing(server) == before | {databases.name_of(kept)}


def test_databases_that_only_look_alike_are_kept(postgres_server: Server) -> None:
    with databases.database(postgres_server) as dsn, UrlProvider(postgres_server.dsn):
        assert databases.name_of(dsn) in existing(postgres_server)


@pytest.mark.usefixtures("container_engine")
def test_a_container_whose_owner_and_reaper_were_killed_goes_with_the_next_start() -> None:
    source = {"module": "container", "provider": "ContainerProvider", "arguments": ""}
    case = Case("container", lambda: UrlProvider(""), source, 0)
    with owner_of(case) as one, owner_of(case) as other:
        os.kill(one.facts["watcher"], signal.SIGKILL)
        one.send(signal.SIGKILL)
        assert container_exists(one.facts["container"])
        remove_orphans()
        assert_gone(one.facts)
        assert container_exists(other.facts["container"])
        assert other.finish() == ""
