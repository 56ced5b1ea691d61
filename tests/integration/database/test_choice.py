"""Which provider is taken, and what is said when there is none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from specgen.database import binaries, container
from specgen.database.embedded import EmbeddedProvider
from specgen.database.provider import FirstOf, choose
from specgen.database.url import UrlProvider
from specgen.errors import DatabaseUnavailable, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")


def test_a_url_goes_before_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "docker_reachable", lambda: True)
    given = choose(database_url="postgresql://a", environment={"SPECGEN_DATABASE_URL": "postgresql://b"})
    assert isinstance(given, UrlProvider)
    assert given._url == "postgresql://a"


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"SPECGEN_DATABASE_URL": "postgresql://b", "PGHOST": "c"}, "postgresql://b"),
        ({"PGHOST": "c"}, ""),
        ({"PGSERVICE": "c"}, ""),
        ({"PGDATABASE": "c"}, ""),
    ],
)
def test_the_environment_names_a_server(environment: dict[str, str], url: str) -> None:
    found = choose(environment=environment)
    assert isinstance(found, UrlProvider)
    assert found._url == url


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
    found = choose(kind="embedded", environment={"SPECGEN_DATABASE_URL": "postgresql://b"})
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
