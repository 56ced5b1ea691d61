"""A project whose operations read files, deployed to a database of the test's own, and the program."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SPEC = """
name: product
fields:
  id: uuid
  sku: {type: string, unique: true}
  name: {type: string, nullable: false}
  price: {type: "decimal(10,2)", nullable: false, check: "price < 1000"}
  category: string
  data: jsonb
  made_on: {type: date, default: "2024-01-01"}
  sold_at: timestamp
patterns:
  - name: batch_operations
    operation: import_products
    data_source: csv_file
    field_mapping: {name: csv_column_1, price: csv_column_2, category: csv_column_3}
    validation_rules: ["price > 0", "name IS NOT NULL"]
    batch_size: 2
    skip_invalid_rows: true
    reject_file: rejects.csv
  - name: batch_operations
    operation: import_strict
    data_source: csv_file
    field_mapping: {sku: SKU, name: Name, price: Unit price}
    batch_size: 2
  - {name: batch_operations, operation: import_all, data_source: csv_file}
  - name: batch_operations
    operation: put_products
    operation_type: upsert
    conflict_target: sku
    data_source: csv_file
    field_mapping: {sku: csv_column_1, name: csv_column_2, price: csv_column_3}
    csv_has_header: false
    batch_size: 2
  - name: batch_operations
    operation: add_records
    operation_type: insert
    insert_data: {name: :item.name, price: :item.price, data: :item.data}
    data_source: :records
    batch_size: 2
    requires_confirmation: true
  - {name: batch_operations, operation: import_latin, data_source: csv_file, csv_encoding: latin-1, csv_delimiter: ";",
     csv_quote: "'", csv_escape: "^", csv_null: "-", field_mapping: {name: name, price: price, category: category}}
  - {name: batch_operations, operation: import_utf16, data_source: csv_file, csv_encoding: utf-16, csv_delimiter: "\\t",
     field_mapping: {name: name, price: price, category: category}, reject_file: rejects16.txt}
  - {name: batch_operations, operation: import_few, data_source: csv_file, max_records: 3, batch_size: 2,
     field_mapping: {name: name, price: price}}
  - {name: batch_operations, operation: import_few_or_none, data_source: csv_file, max_records: 3, on_limit: fail,
     field_mapping: {name: name, price: price}}
  - {name: batch_operations, operation: import_mostly, data_source: csv_file, max_errors: "5%",
     field_mapping: {name: name, price: price}}
  - {name: batch_operations, operation: import_whole, data_source: csv_file, atomic: true,
     field_mapping: {name: name, price: price}}
  - {name: batch_operations, operation: import_british, data_source: csv_file, csv_date_format: DD/MM/YYYY,
     field_mapping: {name: name, price: price, made_on: made, sold_at: sold}}
  - {name: batch_operations, operation: import_american, data_source: csv_file, csv_date_format: MM/DD/YY,
     csv_datetime_format: "MM/DD/YYYY HH12:MI AM",
     field_mapping: {name: name, price: price, made_on: made, sold_at: sold}}
  - {name: batch_operations, operation: import_as_it_comes, data_source: csv_file,
     field_mapping: {name: name, price: price, made_on: made, sold_at: sold}}
  - {name: batch_operations, operation: add_made, operation_type: insert, data_source: :records,
     insert_data: {name: :item.name, price: :item.price, made_on: :item.made_on, sold_at: :since}}
  - {name: batch_operations, operation: touch, operation_type: update, update_data: {category: x},
     where_condition: "true"}
"""


@dataclass
class Shop:
    """The project, its database, and the program in a folder of the test's own."""

    dsn: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run ``specgen run``: its exit code and what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "specgen", "run", *arguments, "--database-url", self.dsn],
            capture_output=True, text=True, check=False, cwd=self.folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | self.environment,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    @contextmanager
    def set(self, setting: str, value: str) -> Iterator[None]:
        """Let every session begin with a setting."""
        environment, self.environment = (
            self.environment,
            {"PGOPTIONS": f"-c {setting}={value.replace(' ', chr(92) + ' ')}"},
        )
        try:
            yield
        finally:
            self.environment = environment

    def rows(self, query: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            found = connection.execute(query.encode(), values or None).fetchall()
        return [row[0] for row in found] if found and len(found[0]) == 1 else found

    @property
    def account(self) -> tuple[Any, ...]:
        """Status, total, processed, skipped, failed of the latest operation; they must add up."""
        with psycopg.connect(self.dsn, autocommit=True, row_factory=namedtuple_row) as connection:
            row = connection.execute(
                "SELECT status, total_records, processed_records, skipped_records, error_count"
                " FROM batch_operations ORDER BY created_at DESC LIMIT 1"
            ).fetchone()
        assert row is not None
        assert row[1] == sum(row[2:])
        return tuple(row)

    @property
    def errors(self) -> list[Any]:
        """The latest operation's errors: line, SQLSTATE, column, value, skipped."""
        return self.rows(
            "SELECT e.line_number, e.sqlstate, e.column_name, e.value, e.skipped"
            "  FROM batch_operation_errors AS e ORDER BY e.record_number, e.error_id"
        )

    @property
    def names(self) -> list[str]:
        return self.rows('SELECT name FROM product ORDER BY name COLLATE "C"')


@pytest.fixture
def shop(postgres_server, new_database, template_of, tmp_path: Path) -> Shop:
    folder = tmp_path / "project"
    (folder / "entities").mkdir(parents=True)
    (folder / "entities" / "product.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "specgen.yaml").write_text("schema: public\n", encoding="utf-8")

    def build(dsn: str) -> None:
        loaded = load_project([], root=folder)
        assert loaded.project, loaded.findings
        planned = plan_project(loaded.project)
        assert planned.plan, planned.findings
        with psycopg.connect(dsn, autocommit=True) as connection:
            for item in render_plan(planned.plan):
                connection.execute(item.text.encode())

    name = template_of(postgres_server, "imports", build)
    return Shop(new_database(postgres_server, name), folder)
