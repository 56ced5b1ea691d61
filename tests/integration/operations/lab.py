"""A database with one spec's SQL in it, and calls whose accounts are checked every time."""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from specgen.plan.project import plan_project
from specgen.render.engine import render_plan, render_runtime
from specgen.spec.build import load_project
from specgen.spec.model import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALL, SUBMIT = "call", "submit"
HOW = (CALL, SUBMIT)

# Counts what is really written, whatever the operation says of itself.
AUDIT = """
    CREATE TABLE audit (op text NOT NULL, id text NOT NULL);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.audit
        VALUES (lower(tg_op), to_jsonb(CASE tg_op WHEN 'DELETE' THEN OLD ELSE NEW END) ->> tg_argv[0]);
        RETURN NULL;
    END $$;
"""


def audited(table: str, key: str = "id") -> str:
    """SQL that counts every row written to a table."""
    return (
        f"{AUDIT} CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION public.audit('{key}');"
    )


def entity(head: str, *operations: str) -> str:
    """A spec: an entity's own keys, and its operations, each the inside of a flow mapping."""
    patterns = "\n".join(f"  - {{name: batch_operations, {item}}}" for item in operations)
    return f"{textwrap.dedent(head).strip()}\npatterns:\n{patterns}\n"


def rendered(text: str, folder: Path) -> str:
    """The SQL of a spec, without the runtime's."""
    (folder / "entities").mkdir(exist_ok=True)
    (folder / "entities" / "spec.yaml").write_text(text, encoding="utf-8")
    loaded = load_project([], root=folder)
    assert loaded.project, loaded.findings
    planned = plan_project(loaded.project)
    assert planned.plan, planned.findings
    return "\n".join(item.text for item in render_plan(planned.plan)[1:])


def build_runtime(dsn: str) -> None:
    """Load what all operations share."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(render_runtime(Settings()).encode())


@dataclass
class Lab:
    """A connection to the test's database, in autocommit."""

    dsn: str
    connection: psycopg.Connection[Any]
    others: list[psycopg.Connection[Any]] = field(default_factory=list)

    def connect(self) -> psycopg.Connection[Any]:
        """Another session, in autocommit."""
        self.others.append(psycopg.connect(self.dsn, autocommit=True, row_factory=namedtuple_row))
        return self.others[-1]

    def do(self, sql: str, *values: Any) -> None:
        self.connection.execute(sql.encode(), values or None)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Rows; of one column only, its values."""
        found = self.connection.execute(sql.encode(), values or None).fetchall()
        return [row[0] for row in found] if found and len(found[0]) == 1 else [tuple(row) for row in found]

    def one(self, sql: str, *values: Any) -> Any:
        return self.rows(sql, *values)[0]

    def run(self, operation: str, *arguments: Any, how: str = CALL, **named: Any) -> Any:
        """Run an operation to its end and check its account.

        Args:
            operation: The function's name as SQL.
            arguments: Its parameters; lists and dicts as they are handed to psycopg.
            how: In one call, or submitted and worked on by this session.
            named: ``dry_run``, ``confirm``; anything else is an option.
        """
        result = self.call(operation, *arguments, how=how, **named)
        self.check(result)
        return result

    def call(self, operation: str, *arguments: Any, how: str = CALL, **named: Any) -> Any:
        """Run an operation without a look at its account."""
        switches = {name: named.pop(name) for name in ("dry_run", "confirm") if name in named}
        values = [Jsonb(item) if isinstance(item, dict) else item for item in arguments]
        parts = ["%s"] * len(values) + [f"{name} => %s" for name in switches]
        values += switches.values()
        if named:
            parts.append("options => %s")
            values.append(Jsonb(named))
        given = ", ".join(parts)
        if how == CALL:
            return self.connection.execute(
                f"SELECT (r).* FROM {operation}({given}) AS r".encode(), values
            ).fetchone()
        operation_id = self.submit(operation, given, values)
        self.work(operation_id)
        return self.status(operation_id)

    def submit(self, operation: str, given: str = "", values: Any = ()) -> Any:
        name = f'{operation[:-1]}_submit"' if operation.endswith('"') else f"{operation}_submit"
        return self.connection.execute(f"SELECT {name}({given})".encode(), values).fetchone()[0]

    def work(self, operation_id: Any) -> None:
        self.connection.execute("CALL batch_work(%s)", [operation_id])

    def status(self, operation_id: Any) -> Any:
        return self.connection.execute("SELECT (r).* FROM batch_status(%s) AS r", [operation_id]).fetchone()

    def check(self, result: Any) -> None:
        """Total = processed + skipped + failed, and as many error rows as failed records."""
        assert counts(result)[0] == sum(counts(result)[1:]), result
        stored = self.rows(
            "SELECT total_records, processed_records, skipped_records, error_count FROM batch_operations"
            " WHERE operation_id = %s",
            result.operation_id,
        )
        assert stored in ([counts(result)], []), (stored, result)
        if stored:
            blamed = self.rows(
                "SELECT CASE WHEN record_key IS NULL"
                " THEN greatest(jsonb_array_length(failed_records), 1) ELSE 1 END FROM batch_operation_errors WHERE operation_id = %s",
                result.operation_id,
            )
            assert sum(blamed) == result.error_count

    def errors(self, result: Any, columns: str = "record_key, sqlstate") -> list[Any]:
        """The error rows of an operation, in the order of the input."""
        return self.rows(
            f"SELECT {columns} FROM batch_operation_errors WHERE operation_id = %s"
            " ORDER BY record_number, batch_number, record_key, error_id",
            result.operation_id,
        )

    def outputs(self, result: Any) -> list[Any]:
        return self.rows("SELECT batch_output(%s)", result.operation_id)

    def written(self) -> list[Any]:
        """The keys of the rows written, from the audit's trigger."""
        return self.rows("SELECT id FROM audit ORDER BY id")


def counts(result: Any) -> tuple[int, int, int, int]:
    """Total, processed, skipped, failed."""
    return result.total_records, result.processed_records, result.skipped_records, result.error_count


def records(*items: Any) -> Jsonb:
    """Records as an operation takes them."""
    return Jsonb(list(items))


@contextmanager
def opened(dsn: str) -> Iterator[Lab]:
    """A lab on a database that is there."""
    with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as connection:
        lab = Lab(dsn, connection)
        try:
            yield lab
        finally:
            for other in lab.others:
                other.close()
