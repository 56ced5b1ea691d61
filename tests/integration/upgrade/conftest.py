"""Databases that version 1 of the runtime left, each test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .earlier import build

if TYPE_CHECKING:
    from conftest import NewDatabase, Template

    from specgen.database.server import Server


@pytest.fixture
def version_1(postgres_server: Server, template_of: Template, new_database: NewDatabase) -> str:
    """The connection string of a database with operations that version 1 has begun, and others that are over."""
    return new_database(postgres_server, template_of(postgres_server, "upgrade: version 1", build))
