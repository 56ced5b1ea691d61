"""Records to hand in: good ones, ones that nobody has, repeated ones, and ones that cannot be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    import psycopg

    from tests.attack.tables import Table

GOOD: dict[str, tuple[Any, ...]] = {
    "amount": (1, 0, -5, 999, None),
    "label": ("new", "", "a\\b", "it's", 'say "x"', "=1+1", None, "ü"),
    "at": ("2024-10-27T01:30:00+00:00", "2024-03-31 02:30:00+01", None, "infinity"),
    "flag": (True, False, None),
    "mark": (1, 2, 7, 20, 33, 59, 100),
}
BAD: dict[str, tuple[Any, ...]] = {
    "amount": ("x", 99999999999, "1.5", 5000000),
    "label": ("\u2028", "fine after all"),
    "at": ("yesterdayish", "2024-13-01", "2024-02-30 00:00Z"),
    "flag": ("maybe", "tru "),
    "mark": (None, "one", 1e10),
}


@dataclass(frozen=True, slots=True)
class Handed:
    """Records, and what is to be known of each.

    Attributes:
        fields: The columns that they have.
        records: JSON values.
    """

    fields: tuple[str, ...]
    records: tuple[Any, ...]

    def as_csv(self) -> str:
        """A file with a header; NULL is nothing at all."""
        lines = [",".join(map(_quoted, self.fields))]
        lines += [",".join(_quoted(record.get(name)) for name in self.fields) for record in self.records]
        return "".join(f"{line}\n" for line in lines)

    def as_lines(self) -> str:
        """A file with a JSON object a line."""
        return "".join(f"{json.dumps(record)}\n" for record in self.records)


def _quoted(value: object) -> str:
    return "" if value is None else '"' + str(value).replace('"', '""') + '"'


def hand_in(
    random: Random,
    connection: psycopg.Connection[Any],
    table: Table,
    kind: str,
    columns: Sequence[str],
    *,
    as_text: bool,
) -> Handed:
    """Make records for an operation, and put them into ``attack.handed`` with what should become of them."""
    there = _keys(connection, table, "SELECT {} FROM thing AS t", random.choice((0, 5, 60, 600)), random)
    absent = _absent(connection, table, random.choice((0, 4, 50, 900)))
    chosen = [(key, "there") for key in there] + [(key, "absent") for key in absent]
    random.shuffle(chosen)
    rows: list[tuple[str, str, Any]] = []
    clean = random.random() < 0.3
    for number, (key, where) in enumerate(chosen):
        wrong = (
            not clean and random.random() < 0.04 and not (where == "absent" and kind in ("update", "delete"))
        )
        record = key | {name: random.choice(GOOD[name]) for name in columns}
        if wrong and columns:
            name = random.choice(columns)
            record[name] = random.choice(BAD[name])
        elif not as_text and random.random() < 0.05 and columns and columns[0] != "mark":
            record.pop(columns[0])
        twice = kind == "insert" and not clean and not wrong and random.random() < 0.06
        # which of two equal new records wins is nobody's promise: they share a label
        label = f"={number}" if twice else f"#{number}"
        rows.append((label, "run", record))
        if twice:
            rows.append((label, "run", dict(record)))
        elif kind != "insert" and not clean and not wrong and random.random() < 0.06:
            rows.append((label, "21000", _again(connection, table, record)))
    if not clean and not as_text and random.random() < 0.2:
        rows.insert(random.randint(0, len(rows)), ("none", "22023", random.choice((5, "text", None, [1]))))
    if as_text:
        rows = [(label, fate, {k: _text(v) for k, v in record.items()}) for label, fate, record in rows]
    with connection.cursor() as cursor, cursor.copy("COPY attack.handed FROM STDIN") as copy:
        line = 2 if as_text else 1
        for number, (label, fate, record) in enumerate(rows, 1):
            known = label if label.startswith("=") else str(number)
            copy.write_row((number, line, known, fate, json.dumps(record)))
            line += 1 + (sum(str(item).count("\n") for item in record.values()) if as_text else 0)
    return Handed((*table.key_names, *columns), tuple(record for *_, record in rows))


def _again(connection: psycopg.Connection[Any], table: Table, record: dict[str, Any]) -> dict[str, Any]:
    """The same record once more, by a key that is equal to the database."""
    text = str(record["id"])
    other = table.key[-1].type.other.format(t="(%(t)s::text)")
    row = connection.execute(f"SELECT {other}".encode(), {"t": text}).fetchone()
    assert row is not None
    return record | {"id": record["id"] if row[0] == text else row[0]}


def _keys(
    connection: psycopg.Connection[Any], table: Table, query: str, most: int, random: Random
) -> list[dict[str, Any]]:
    parts = ", ".join(f"'{name}', t.{name}" for name in table.key_names)
    found = connection.execute(
        (query.format(f"jsonb_build_object({parts})") + " ORDER BY rid").encode()
    ).fetchall()
    return random.sample([row[0] for row in found], min(most, len(found)))


def _absent(connection: psycopg.Connection[Any], table: Table, count: int) -> list[dict[str, Any]]:
    parts = ", ".join(f"'{c.name}', {c.type.value.format(i='i')}" for c in table.key)
    found = connection.execute(
        f"SELECT jsonb_build_object({parts}) FROM generate_series({table.rows + 1}, {table.rows + count}) AS i".encode()
    )
    return [row[0] for row in found]


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None else str(value)
