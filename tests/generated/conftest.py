"""What the generated tests of the samples cannot find out by themselves."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def specgen_violations() -> dict[str, str]:
    """Who may approve is the application's own business; see entities/sql/functions.sql."""
    return {"CURRENT_USER_HAS_PERMISSION('approve_orders')": "SET app.permissions = 'none'"}
