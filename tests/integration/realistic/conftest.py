"""Databases as people have them, each with its copy; both are made from one template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg
import pytest

from .twin import Realm, Twin

if TYPE_CHECKING:
    from conftest import NewDatabase, Template

    from specgen.database.server import Server

HERE = Path(__file__).parent


class OpenTwin(Protocol):
    """Makes twins."""

    def __call__(self, realm: Realm) -> Twin:
        """Two copies of the realm's database, specgen's operations in one of them."""


@pytest.fixture
def twin_of(
    postgres_server: Server, template_of: Template, new_database: NewDatabase, tmp_path: Path
) -> OpenTwin:
    def open_twin(realm: Realm) -> Twin:
        def build(dsn: str) -> None:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute((HERE / realm.name / "schema.sql").read_bytes())

        def deploy(dsn: str) -> None:
            build(dsn)
            assert Twin(HERE / realm.name, tmp_path, dsn, dsn).specgen("deploy")[0] == 0
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(realm.rights.encode())

        worked, plain = (
            new_database(
                postgres_server, template_of(postgres_server, f"realistic: {realm.name} {kind}", fill)
            )
            for kind, fill in (("deployed", deploy), ("plain", build))
        )
        return Twin(HERE / realm.name, tmp_path, worked, plain, realm.uncounted)

    return open_twin
