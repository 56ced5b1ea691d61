"""What every layer of tests shares: real servers, started once, and databases that cost 20 ms."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

from specgen.database import binaries
from specgen.database.embedded import EmbeddedProvider
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.database.server import Server

# The same examples in every run, however slow the machine: what fails, fails because of a change. To look
# for more, pytest --hypothesis-profile=default.
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

MAJORS_VARIABLE = "SPECGEN_TEST_POSTGRES"


def majors() -> list[int]:
    """The versions to test on, from ``SPECGEN_TEST_POSTGRES=15,18``."""
    return [int(major) for major in os.environ.get(MAJORS_VARIABLE, "18").split(",")]


SPREAD_VARIABLE = "SPECGEN_TEST_SPREAD"
ABOUT_PROGRAMS = ("checks", "database", "imports", "notify", "runtime", "testing")
"""Folders of integration tests that start the command line; what differs between servers is SQL."""


def majors_for(test: pytest.Metafunc) -> list[int]:
    """The versions that a test runs on; with ``SPECGEN_TEST_SPREAD`` one that starts programs runs on one."""
    every = majors()
    path = test.definition.path
    if os.environ.get(SPREAD_VARIABLE) and path.parent.name in ABOUT_PROGRAMS:
        return [every[crc32(f"{path.name}::{test.function.__name__}".encode()) % len(every)]]
    return every


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` writes what came out as what is expected; look at the difference before a commit."""
    parser.addoption("--update-golden", action="store_true", help="rewrite expected files of golden tests")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether expected files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


def pytest_configure() -> None:
    """Let fetched servers be found where there is no other of their version."""
    for fetched in (Path(__file__).parents[1] / ".postgres").glob("[0-9]*/bin"):
        major = fetched.parent.name
        try:
            binaries.find(int(major))
        except DatabaseUnavailable:
            os.environ[f"SPECGEN_POSTGRES_BIN_{major}"] = str(fetched)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses a server runs on each of the versions."""
    if "postgres_server" in metafunc.fixturenames:
        chosen = majors_for(metafunc)
        ids = [f"pg{major}" for major in chosen]
        metafunc.parametrize("postgres_server", chosen, indirect=True, scope="session", ids=ids)


@pytest.fixture(scope="session")
def server_of() -> Iterator[Callable[[int], Server]]:
    """``server_of(15)`` is the run's server of that version; skips where its binaries are missing."""
    servers: dict[int, Server] = {}
    with ExitStack() as stack:

        def get(major: int) -> Server:
            if major not in servers:
                try:
                    servers[major] = stack.enter_context(EmbeddedProvider(postgres=major, in_memory=True))
                except DatabaseUnavailable as missing:
                    if "not found" not in missing.reason:
                        raise
                    pytest.skip(f"{missing.reason}: {missing.help}")
            return servers[major]

        yield get


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest, server_of: Callable[[int], Server]) -> Server:
    """The run's server; the test is repeated for each version asked for."""
    return server_of(request.param)


class Template(Protocol):
    """Makes templates that live as long as the run."""

    def __call__(self, server: Server, key: str, build: Callable[[str], None]) -> str:
        """The name of a template that ``build(dsn)`` has filled, once per server and key."""


@pytest.fixture(scope="session")
def template_of() -> Iterator[Template]:
    """``template_of(server, key, build)`` names a template to clone."""
    from specgen.database import databases

    names: dict[tuple[str, str], str] = {}
    with ExitStack() as stack:

        def get(server: Server, key: str, build: Callable[[str], None]) -> str:
            if (server.dsn, key) not in names:
                names[server.dsn, key] = stack.enter_context(databases.template(server, build))
            return names[server.dsn, key]

        yield get


class NewDatabase(Protocol):
    """Makes databases that live as long as the test."""

    def __call__(self, server: Server, template: str | None = None) -> str:
        """The connection string of a new database, empty or a copy of the template."""


@pytest.fixture
def new_database() -> Iterator[NewDatabase]:
    """``new_database(server, template)`` is the connection string of a database of the test's own."""
    from specgen.database import databases

    with ExitStack() as stack:
        yield lambda server, template=None: stack.enter_context(databases.database(server, template=template))


@pytest.fixture
def database(postgres_server: Server, new_database: NewDatabase) -> str:
    """The connection string of an empty database of the test's own."""
    return new_database(postgres_server)
