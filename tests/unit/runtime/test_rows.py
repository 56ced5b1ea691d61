"""What a client takes from an operation's row, which others may write."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from specgen.runtime.rows import MOST_WORKERS, Operation


@pytest.mark.parametrize(
    ("parallel", "max_workers", "workers"),
    [(True, 1_000_000, MOST_WORKERS), (True, 3, 3), (True, None, 1), (False, 8, 1)],
)
def test_a_row_cannot_have_a_client_open_any_number_of_connections(
    parallel: bool, max_workers: int | None, workers: int
) -> None:
    row: dict[str, Any] = dict.fromkeys(field.name for field in fields(Operation))
    row |= {"parallel": parallel, "max_workers": max_workers}
    assert Operation(**row).usual_workers == workers
