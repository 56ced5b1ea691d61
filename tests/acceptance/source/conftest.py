"""A database for a block of the source document: its functions first, as ``setup_sql`` would, then its SQL."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.acceptance.source.bench import Bench
from tests.acceptance.source.document import specs
from tests.integration.operations.lab import build_runtime, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.database.server import Server

FUNCTIONS = Path(__file__).parents[3] / "entities/sql/functions.sql"


class OpenBlock(Protocol):
    """Opens a block of the document."""

    def __call__(self, title: str, setup: str = "", way: int = 0) -> Bench:
        """A database with the block under this title; ``way`` where it shows several ways out."""


@pytest.fixture
def block(postgres_server: Server, new_database, template_of, tmp_path: Path) -> Iterator[OpenBlock]:
    runtime = template_of(postgres_server, "operations: runtime", build_runtime)
    with ExitStack() as stack:

        def open_block(title: str, setup: str = "", way: int = 0) -> Bench:
            dsn = new_database(postgres_server, runtime)
            connection = psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row)
            bench = Bench(dsn, stack.enter_context(connection))
            for text in (FUNCTIONS.read_text(), rendered(specs(title)[way], tmp_path), setup):
                bench.do(text)
            bench.notices.clear()
            stack.callback(lambda: [session.close() for session in bench.others])
            return bench

        yield open_block
