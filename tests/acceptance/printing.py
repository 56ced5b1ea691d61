"""Rows as psql prints them, to be held against what a page shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg


def results(connection: psycopg.Connection, script: str) -> Iterator[psycopg.Cursor]:
    for statement in script.split(";\n"):
        if statement.strip():
            cursor = connection.execute(statement.encode())
            if cursor.description:
                yield cursor


def table(cursor: psycopg.Cursor) -> str:
    """Lay rows out as psql does."""
    assert cursor.description
    names = [column.name for column in cursor.description]
    rows = [[shown(value) for value in row] for row in cursor.fetchall()]
    numeric = [column.type_code in (20, 23) for column in cursor.description]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [" | ".join(centred(name, width) for name, width in zip(names, widths, strict=True))]
    lines.append("-+-".join("-" * width for width in widths))
    for row in rows:
        cells = zip(row, widths, numeric, strict=True)
        lines.append(" | ".join(v.rjust(w) if right else v.ljust(w) for v, w, right in cells))
    lines[1] = f"-{lines[1]}-"
    return "".join(f"{line}\n" if line.startswith("-") else f" {line}".rstrip() + "\n" for line in lines)


def centred(name: str, width: int) -> str:
    left = (width - len(name)) // 2
    return " " * left + name.ljust(width - left)


def shown(value: object) -> str:
    """Write a value as psql does."""
    match value:
        case None:
            return ""
        case bool():
            return "t" if value else "f"
        case dict() | list():
            return json.dumps(value)
        case _:
            return str(value)
