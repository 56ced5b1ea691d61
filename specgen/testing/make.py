"""Makes the rows and records of a test: from a solution of ``solve``, numbered so that none repeats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.sql import Literal
from psycopg.types.json import Jsonb

from specgen.testing import candidates
from specgen.testing.advice import REMEDY
from specgen.testing.catalog import Table, read_table
from specgen.testing.joins import quote
from specgen.testing.solve import Solver, Unsolvable
from specgen.testing.subject import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specgen.testing.catalog import Column


@dataclass(slots=True)
class Maker:
    """Writes rows, with the rows they refer to."""

    connection: psycopg.Connection[Any]
    extra: Mapping[str, Sequence[str]]
    tables: dict[str, Table] = field(default_factory=dict)
    _valid: dict[str, dict[str, Any]] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """A table's description, read once."""
        if name not in self.tables:
            self.tables[name] = read_table(self.connection, name)
        return self.tables[name]

    def numbered(
        self, table: Table, row: dict[str, Any], number: int, *, keep: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """A row with its unique columns and its references set by a number.

        Args:
            table: Its table.
            row: What the other columns hold.
            number: Different for each row of a test; keys ascend with it.
            keep: Columns that stay as they are, because a condition decides about them.
        """
        result = dict(row)
        for column in table.columns:
            name = column.name
            varies = name in table.unique_columns or table.foreign(name)
            if name in keep or column.generated or not varies:
                continue
            if table.foreign(name) and row.get(name) is None and not column.not_null:
                continue
            result[name] = self.nth(table, column, row.get(name), number)
        return result

    def nth(self, table: Table, column: Column, value: Any, number: int) -> Any:
        """The value of a unique or referring column in a row of that number."""
        if column.domain:
            return self._nth_of_domain(table, column, value, number)
        if (
            table.foreign(column.name) is None
            and isinstance(value, str)
            and candidates.family(column.type) == "text"
        ):
            checked = any(column.name in check.columns for check in table.checks)
            return f"{value}{number:05d}" if checked else candidates.nth(column.type, number)
        found = candidates.nth(column.type, number, column.element)
        return value if found is None else found

    def _nth_of_domain(self, table: Table, column: Column, value: Any, number: int) -> Any:
        """The same for a column whose domain has a say."""
        known = value if value is not None else self.valid(table).get(column.name)
        tried = [candidates.nth(column.type, number, column.element)]
        if isinstance(known, str):
            digits, letters = (
                f"{number:05d}",
                "".join(chr(ord("a") + int(digit)) for digit in f"{number:05d}"),
            )
            tried += [f"{known}{digits}", f"{digits}{known}", f"{letters}{known}", f"{known}{letters}"]
        elif isinstance(known, int):
            tried.append(known + number)
        for found in tried:
            if found is not None and self._is_value(found, column.type):
                return found
        raise Unsolvable(
            f"no many values are known that the domain {column.type} takes for {table.name}.{column.name}, "
            "and these have to be different"
        )

    def _is_value(self, value: Any, kind: str) -> bool:
        literal = Literal(value).as_string(self.connection)
        try:
            with self.connection.transaction():
                self.connection.execute(f"SELECT ({literal})::{kind}")
        except psycopg.Error:
            return False
        return True

    def insert(self, table: Table, row: dict[str, Any]) -> dict[str, Any]:
        """Write a row, after the rows it refers to; returns it as it is stored."""
        self.parents(table, row)
        names = [item.name for item in table.columns if not item.generated and item.name in row]
        columns = ", ".join(map(quote, names))
        query = (
            f"INSERT INTO {table.name} AS made ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} "
            f"FROM jsonb_populate_record(NULL::{table.name}, %s) RETURNING to_jsonb(made)"
        )
        try:
            stored = self.connection.execute(query, (Jsonb(row),)).fetchone()
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
            refused = f"{table.name} refuses a row that was made for it: {error.diag.message_primary}"
            raise Unsolvable(f"{refused}; {REMEDY}") from None
        return dict(stored[0]) if stored else {}

    def parents(self, table: Table, row: dict[str, Any]) -> None:
        """Write the rows that a row refers to, where they are missing."""
        for key in table.of_kind("f"):
            wanted = {
                there: row.get(here) for here, there in zip(key.columns, key.parent_columns, strict=True)
            }
            if key.parent is None or None in wanted.values():
                continue
            parent = self.table(key.parent)
            there = self.connection.execute(
                f"SELECT 1 FROM {parent.name} AS there WHERE to_jsonb(there) @> %s",
                (Jsonb(wanted),),
            ).fetchone()
            if there is None:
                found = self._unused(parent)
                self.insert(parent, {**found, **wanted})

    def _unused(self, table: Table) -> dict[str, Any]:
        """A valid row whose unique values are not taken."""
        count = self.connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()
        return self.numbered(table, self.valid(table), 10_000 + (count[0] if count else 0))

    def valid(self, table: Table) -> dict[str, Any]:
        """Any row that the table takes, but for what must be unique."""
        if table.name not in self._valid:
            self._valid[table.name] = self._solver(table).valid_row()
        return dict(self._valid[table.name])

    def valueless(self, table: Table) -> list[Column]:
        """The columns of which no value is known."""
        return list(self._solver(table).valueless())

    def _solver(self, table: Table) -> Solver:
        title, alias = f"a row of {table.name}", table.name.rsplit(".", 1)[-1].strip('"')
        step = Step(name=title, type="insert", source="single", table=table.name, alias=alias, key=())
        return Solver(self.connection, step, table, self.extra, title)
