"""What is said to users when a test finds no data, and where they can help."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.testing.catalog import Column, Table

REMEDY = (
    "give some with examples: in the entity, or in a fixture specgen_values of your conftest.py, "
    "such as {'email': [\"'a@example.org'\"]}"
)

NO_VIOLATION = (
    "nobody knows how to make the precondition {0!r} false; say it in a fixture specgen_violations "
    "of your conftest.py: {{{0!r}: 'SQL that makes it false'}}"
)


def no_value(table: Table, column: Column) -> str:
    """Say that nothing is known that a column takes, and where it can be given."""
    message = f"no value is known {column.said} for {table.name}.{column.name}"
    place = f"give some in the spec, at {column.place}: examples: [...]" if column.place else REMEDY
    return f"{message}; {place}"
