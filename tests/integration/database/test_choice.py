"""Which provider is taken, and what is said when there is none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from specgen.database import binaries, container, databases
from specgen.database.embedded import EmbeddedProvider
from specgen.database.provider import FirstOf, choose
from specgen.database.url import UrlProvider
from specgen.errors import DatabaseUnavailable, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.database.server import Server


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")


def test_a_url_goes_before_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "docker_reachable", lambda: True)
    given = choose(database_url="postgresql://a", environment={"SPECGEN_TEST_DATABASE_URL": "postgresql://b"})
    assert isinstance(given, UrlProvider)
    assert given._url == "postgresql://a"


def test_a_variable_of_its_own_names_a_server_for_tests() -> None:
    named = {"SPECGEN_DATABASE_URL": "postgresql://b", "SPECGEN_TEST_DATABASE_URL": "postgresql://c"}
    found = choose(environment=named | {"PGHOST": "d"})
    assert isinstance(found, UrlProvider)
    assert found._url == "postgresql://c"


@pytest.mark.usefixtures("no_docker")
@pytest.mark.parametrize(
    "variable", ["SPECGEN_DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"]
)
def test_where_operations_are_run_no_databases_for_tests_are_made(variable: str) -> None:
    assert isinstance(choose(environment={variable: "postgresql://production"}), EmbeddedProvider)


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("postgresql:///tests", "PGHOST"),
        ("dbname=tests", "PGHOSTADDR"),
        ("postgresql://me@/tests", "PGSERVICE"),
        ("service=tests", "PGHOST"),
    ],
)
def test_a_url_for_tests_that_the_environment_would_lead_elsewhere_is_refused(
    url: str, variable: str
) -> None:
    with pytest.raises(UsageError, match=f"names no host, and {variable} would decide") as raised:
        choose(database_url=url, environment={variable: "production"})
    assert raised.value.help == f"name the host in the URL, or unset {variable}"


def test_a_host_that_is_named_is_the_one_that_is_asked(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody listens there; libpq would ask it, whatever the host.
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.2")
    with choose(database_url=postgres_server.dsn) as server, databases.database(server):
        assert server.version == postgres_server.version
    named = postgres_server.dsn.partition("?")[0]
    with choose(database_url=named) as server, databases.database(server):
        assert server.version == postgres_server.version


def test_docker_goes_before_the_embedded_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "docker_reachable", lambda: True)
    found = choose(environment={})
    assert isinstance(found, FirstOf)
    assert [type(each).__name__ for each in found._providers] == ["ContainerProvider", "EmbeddedProvider"]


@pytest.mark.usefixtures("no_docker")
def test_without_docker_the_server_is_embedded() -> None:
    assert isinstance(choose(environment={}), EmbeddedProvider)


@pytest.mark.usefixtures("no_docker")
def test_an_engine_that_has_nothing_to_offer_is_passed_over() -> None:
    first = FirstOf([container.ContainerProvider(), EmbeddedProvider(in_memory=True)])
    with first as server:
        assert server.kind == "embedded"


@pytest.mark.usefixtures("no_docker")
def test_all_reasons_are_told() -> None:
    neither = FirstOf([container.ContainerProvider(), EmbeddedProvider(postgres=9)])
    with pytest.raises(DatabaseUnavailable) as raised:
        neither.__enter__()
    assert str(raised.value) == (
        "container database: no container engine answers; embedded database: PostgreSQL 9 binaries not found"
    )
    assert raised.value.help == "start Docker; install postgresql-9 or set SPECGEN_POSTGRES_BIN_9"


def test_a_socket_that_nobody_listens_to_is_no_docker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert not container.docker_reachable()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "oracle"}, "no provider 'oracle'"),
        ({"kind": "url"}, "provider url needs a database URL"),
        (
            {"kind": "embedded", "database_url": "postgresql://a"},
            "provider embedded does not take a database URL",
        ),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(environment={}, **arguments)


def test_a_kind_asked_for_goes_before_the_environment() -> None:
    found = choose(kind="embedded", environment={"SPECGEN_TEST_DATABASE_URL": "postgresql://b"})
    assert isinstance(found, EmbeddedProvider)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://127.0.0.1:1/x", "Connection refused"),
        ("postgresql://no-such-host.invalid/x", "no-such-host.invalid"),
        ("postgresql://[", "a bracket is not closed"),
        ("host=127.0.0.1 nonsense=1", "an option that libpq does not know: nonsense"),
    ],
)
def test_a_url_without_a_server_says_why(url: str, reason: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=reason) as raised:
        UrlProvider(url).__enter__()
    assert (raised.value.exit_code, raised.value.kind) == (3, "url")


def test_a_folder_without_a_server_is_passed_over(tmp_path: Path) -> None:
    found = binaries.find(environment={"SPECGEN_POSTGRES_BIN": str(tmp_path)})
    assert found.bin != tmp_path


def test_a_version_that_is_not_there_is_named() -> None:
    with pytest.raises(DatabaseUnavailable, match="PostgreSQL 9 binaries not found") as raised:
        binaries.find(9)
    assert raised.value.help == "install postgresql-9 or set SPECGEN_POSTGRES_BIN_9"
