"""Two copies of one database: specgen's operations work in one, plain statements in the other.

After each operation every row of every table must be the same in both. What is compared is the database, not
what an operation says of itself; its account is looked at besides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from click.testing import CliRunner
from psycopg import sql

from specgen.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
    SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'public')
     GROUP BY n.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class Case:
    """An operation, and what a person would have written instead.

    Attributes:
        plain: Statements, each run by itself; those that fail change nothing.
        parameters: As ``-p`` takes them.
        file: The lines of a CSV file, or records.
        account: Processed, skipped and failed records.
        errors: SQLSTATE and column of each record that fails, in the input's order.
        kept: What the operation keeps for ``batch_output``, by a query over the plain copy as it was before.
        role: Who runs it, there and here.
        encoding: The file's.
        icu: It shows nothing on a server without ICU.
    """

    operation: str
    plain: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    file: str | list[Any] | None = None
    account: tuple[int, int, int] | None = None
    errors: tuple[tuple[str, str | None], ...] | None = None
    kept: str | None = None
    role: str | None = None
    encoding: str = "utf-8"
    icu: bool = False

    def arguments(self, folder: Path) -> list[str]:
        """The command line after ``specgen run``."""
        given = [self.operation]
        for name, value in self.parameters.items():
            given += ["-p", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
        if self.file is not None:
            path = folder / f"input.{'csv' if isinstance(self.file, str) else 'json'}"
            text = self.file if isinstance(self.file, str) else json.dumps(self.file)
            path.write_bytes(text.encode(self.encoding))
            given += ["--input", str(path)]
        return given


@dataclass(frozen=True, slots=True)
class Realm:
    """A schema, and what is done in it.

    Attributes:
        name: Of its folder.
        interrupted: What is killed in the middle and resumed, by two workers.
        lock: What makes it wait there.
        uncounted: Columns, as ``schema.table.column``, that the database fills: an attempt uses a number up.
        rights: What roles need, once all is deployed.
    """

    name: str
    cases: tuple[Case, ...]
    interrupted: Case
    lock: str
    uncounted: frozenset[str] = frozenset()
    rights: str = ""


@dataclass(frozen=True, slots=True)
class Twin:
    """Both copies, and the project.

    Attributes:
        worked: Connection string of the copy that specgen works in.
        plain: Of the other.
        uncounted: Columns that are not compared.
    """

    project: Path
    folder: Path
    worked: str
    plain: str
    uncounted: frozenset[str] = frozenset()

    def specgen(self, *arguments: str, role: str | None = None) -> tuple[int, str, str]:
        """Run a command in the copy that is worked in."""
        dsn = (
            self.worked
            if role is None
            else psycopg.conninfo.make_conninfo(self.worked, options=f"-c role={role}")
        )
        done = CliRunner().invoke(main, [*arguments, "--project", str(self.project), "--database-url", dsn])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    def play(self, case: Case, *how: str) -> None:
        """Do a case in both copies, and compare."""
        if case.icu and not self.rows(self.plain, "SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'"):
            return
        kept = self.rows(self.plain, case.kept, role=case.role) if case.kept else None
        code, out, err = self.specgen("run", *case.arguments(self.folder), *how, "--json", role=case.role)
        assert code in (0, 1), (case.operation, out, err)
        self.compare(case)
        self._check_account(case, json.loads(out))
        if kept is not None:
            found = self.rows(self.worked, _KEPT)
            assert found == kept, (case.operation, found)

    def compare(self, case: Case) -> None:
        """Do in the other copy what a person would have written, and compare."""
        for statement in case.plain:
            _do(self.plain, statement, case.role)
        differences = self.differences()
        assert not differences, (case.operation, differences)

    def _check_account(self, case: Case, outcome: dict[str, Any]) -> None:
        counts = tuple(outcome[name] for name in ("processed_records", "skipped_records", "error_count"))
        assert outcome["total_records"] == sum(counts)
        if case.account is not None:
            assert counts == case.account, (case.operation, outcome)
        if case.errors is not None:
            errors = tuple(self.rows(self.worked, _ERRORS))
            assert errors == case.errors, (case.operation, errors)

    def rows(self, dsn: str, query: str, role: str | None = None) -> list[Any]:
        """Rows of a query; of one column only, its values."""
        with psycopg.connect(dsn, autocommit=True) as connection:
            if role:
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            found = connection.execute(query.encode()).fetchall()
        return [row[0] for row in found] if found and len(found[0]) == 1 else found

    def differences(self) -> dict[str, Any]:
        """What rows only one of the copies has, by table."""
        with psycopg.connect(self.worked) as worked, psycopg.connect(self.plain) as plain:
            found = {}
            for schema, table, columns in plain.execute(TABLES).fetchall():
                kept = [name for name in columns if f"{schema}.{table}.{name}" not in self.uncounted]
                query = sql.SQL("SELECT ({})::text FROM {} ORDER BY 1").format(
                    sql.SQL("ROW({})").format(sql.SQL(", ").join(map(sql.Identifier, kept))),
                    sql.Identifier(schema, table),
                )
                ours, theirs = worked.execute(query).fetchall(), plain.execute(query).fetchall()
                if ours != theirs:
                    found[f"{schema}.{table}"] = (_less(ours, theirs)[:3], _less(theirs, ours)[:3])
        return found


_LATEST = "(SELECT operation_id FROM batch_operations ORDER BY created_at DESC LIMIT 1)"
_ERRORS = f"""
    SELECT sqlstate, column_name FROM batch_operation_errors
     WHERE operation_id = {_LATEST} ORDER BY record_number, batch_number, record_key, error_id
"""
_KEPT = f"SELECT batch_output({_LATEST})"


def _do(dsn: str, statement: str, role: str | None) -> None:
    with psycopg.connect(dsn) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        try:
            connection.execute(statement.encode())
            connection.commit()
        except psycopg.Error:
            connection.rollback()


def _less(rows: list[Any], others: list[Any]) -> list[Any]:
    """The rows that are not among the others, each as often as it is more."""
    rest = list(others)
    return [row for row in rows if row not in rest or rest.remove(row)]
