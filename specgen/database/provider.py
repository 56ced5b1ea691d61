"""Where a server for tests comes from: one interface, and the choice that is made when nobody makes one.

Tests make and drop databases, so a server is theirs only where somebody says so of it.
``SPECGEN_DATABASE_URL`` and libpq's variables name the database that operations are run in: perhaps
that of production.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from specgen.database.embedded import EmbeddedProvider
from specgen.database.server import Kind, Server
from specgen.errors import DatabaseUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

URL_VARIABLE = "SPECGEN_TEST_DATABASE_URL"
_PLACES = ("PGHOST", "PGHOSTADDR", "PGSERVICE")


class Provider(Protocol):
    """A context manager: entering it starts or finds a server, leaving it cleans up."""

    def __enter__(self) -> Server:
        """Start or find the server.

        Raises:
            DatabaseUnavailable: There is none to be had.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""


def choose(
    *,
    kind: str | None = None,
    database_url: str | None = None,
    postgres: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Provider:
    """The provider asked for, else a URL, else a reachable Docker, else the embedded server.

    Args:
        kind: ``url``, ``container`` or ``embedded``; None to decide by what there is.
        database_url: The URL from the command line; goes before those of the environment.
        postgres: The major version that the server must have.
        environment: The process environment.

    Raises:
        UsageError: The kind does not exist, contradicts the URL, or needs a URL that is not there; or the URL
            leaves it to libpq's environment which server it is.
    """
    wanted = _kind(kind)
    url = database_url if database_url is not None else environment.get(URL_VARIABLE) or None
    if database_url is not None and wanted not in (None, Kind.URL):
        raise UsageError(f"provider {wanted} does not take a database URL")
    if wanted is Kind.URL and url is None:
        raise UsageError(
            "provider url needs a database URL", help=f"pass --database-url or set {URL_VARIABLE}"
        )
    if url is not None and wanted in (None, Kind.URL):
        from specgen.database.url import UrlProvider  # psycopg only where it is used

        _refuse_completed(url, environment)
        return UrlProvider(url, postgres=postgres)
    return _local(wanted, postgres)


def _local(wanted: Kind | None, postgres: int | None) -> Provider:
    if wanted is Kind.EMBEDDED:
        return EmbeddedProvider(postgres=postgres)

    # Its package takes a while to import.
    from specgen.database.container import ContainerProvider, docker_reachable

    if wanted is Kind.CONTAINER:
        return ContainerProvider(postgres=postgres)
    embedded = EmbeddedProvider(postgres=postgres)
    # A Docker that has no image and reaches no registry is no reason to fail.
    return FirstOf([ContainerProvider(postgres=postgres), embedded]) if docker_reachable() else embedded


class FirstOf:
    """The first of several providers that has a server."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = providers
        self._entered: Provider | None = None

    def __enter__(self) -> Server:
        """Try one after the other.

        Raises:
            DatabaseUnavailable: None of them has a server; names the reasons of all.
        """
        failures: list[DatabaseUnavailable] = []
        for provider in self._providers:
            try:
                server = provider.__enter__()
            except DatabaseUnavailable as failure:
                failures.append(failure)
            else:
                self._entered = provider
                return server
        remedies = [failure.help for failure in failures if failure.help]
        raise DatabaseUnavailable("; ".join(map(str, failures)), help="; ".join(remedies) or None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entered is not None:
            self._entered.__exit__(kind, error, trace)
            self._entered = None


def _kind(kind: str | None) -> Kind | None:
    if kind is None:
        return None
    try:
        return Kind(kind)
    except ValueError:
        raise UsageError(f"no provider {kind!r}", help="one of " + ", ".join(Kind)) from None


def _refuse_completed(url: str, environment: Mapping[str, str]) -> None:
    """Refuse a URL of which libpq's environment would say which server it means.

    Raises:
        UsageError: It names none, and a variable does.
    """
    from specgen.database.conninfo import options_of

    named = options_of(url, kind=Kind.URL)
    if any(named.get(name) for name in ("host", "hostaddr")):
        return
    places = _PLACES[:2] if named.get("service") else _PLACES
    for variable in places:
        if environment.get(variable):
            raise UsageError(
                f"the URL of the server for tests names no host, and {variable} would decide which it is",
                help=f"name the host in the URL, or unset {variable}",
            )
