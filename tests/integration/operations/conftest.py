"""Every test has a database of its own, a copy of one that holds the spec's SQL."""

from __future__ import annotations

from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import psycopg
import pytest

from .lab import Lab, build_runtime, opened, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from specgen.database.server import Server


class OpenLab(Protocol):
    """Makes labs."""

    def __call__(self, spec: str, setup: str = "", before: str = "") -> Lab:
        """A database with a spec's SQL; ``before`` runs before it, ``setup`` after it."""


@pytest.fixture
def lab_of(postgres_server: Server, new_database, template_of, tmp_path: Path) -> Iterator[OpenLab]:
    runtime = template_of(postgres_server, "operations: runtime", build_runtime)

    def build(dsn: str, spec: str, setup: str, before: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for text in (before, rendered(spec, tmp_path), setup):
                connection.execute(text.encode())

    with ExitStack() as stack:

        def open_lab(spec: str, setup: str = "", before: str = "") -> Lab:
            dsn = new_database(postgres_server, runtime)
            build(dsn, spec, setup, before)
            return stack.enter_context(opened(dsn))

        yield open_lab


@pytest.fixture
def copy_of(postgres_server: Server, new_database, template_of, tmp_path: Path) -> Iterator[OpenLab]:
    """As ``lab_of``, but what is loaded is kept as a template: for a spec that many tests share."""

    with ExitStack() as stack:

        def open_lab(spec: str, setup: str = "", before: str = "") -> Lab:
            def build(dsn: str) -> None:
                build_runtime(dsn)
                with psycopg.connect(dsn, autocommit=True) as connection:
                    for text in (before, rendered(spec, tmp_path), setup):
                        connection.execute(text.encode())

            key = sha256("\0".join((spec, setup, before)).encode()).hexdigest()
            name = template_of(postgres_server, f"operations: {key}", build)
            return stack.enter_context(opened(new_database(postgres_server, name)))

        yield open_lab
