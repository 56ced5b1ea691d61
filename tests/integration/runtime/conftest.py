"""A deployed project of operations that count, and databases filled with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import counting
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

ROWS = 1000


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project."""
    return counting.write_project(tmp_path_factory.mktemp("counting"))


@pytest.fixture
def tallies(postgres_server: Server, template_of: Template, new_database: NewDatabase, project: Path) -> str:
    """The connection string of a database with `ROWS` records, of which ten cannot be written."""
    template = template_of(postgres_server, "few tallies", lambda dsn: counting.build(dsn, project, ROWS))
    return new_database(postgres_server, template)
