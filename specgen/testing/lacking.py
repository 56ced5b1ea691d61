"""What a database for tests lacks: what ``setup_sql`` has to make, and values that nobody knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from specgen.diagnostics import Finding, Severity
from specgen.errors import SpecgenError
from specgen.spec.model import OperationType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specgen.database.connection import Connection
    from specgen.plan.project import Plan
    from specgen.spec.model import BatchOperation, Entity, Project
    from specgen.testing.catalog import Column, Table

_FROM_SETUP = ("unknown-table", "unknown-function")


class Lacking(SpecgenError):  # noqa: N818 - named for the state
    """A database with nothing but a project's SQL in it lacks what the project's operations need.

    Attributes:
        findings: What is missing, and where the spec needs it.
        summary: The message without them.
    """

    def __init__(self, summary: str, findings: Sequence[Finding], help: str) -> None:
        self.findings = tuple(findings)
        self.summary = summary
        places = (f"{item.span.file}:{item.span.start.line}: {item.message}" for item in findings)
        super().__init__(f"{self.summary}:\n" + "\n".join(places), help=help)


def _remedy(project: Project) -> str:
    files = ", ".join(path.as_posix() for path in project.settings.setup_sql)
    if files:
        return f"add what is missing to what setup_sql in specgen.yaml names: {files}"
    return (
        "write a file with what is not generated, such as sql/setup.sql, and name it in specgen.yaml: "
        "setup_sql: [sql/setup.sql]"
    )


def refuse_lacking(connection: Connection, project: Project, plan: Plan, tested: Plan) -> None:
    """Hold a database against a plan, before the plan's SQL is loaded.

    Args:
        connection: In autocommit mode, to a database with what ``setup_sql`` makes in it.
        project: The whole project.
        plan: All that is planned of it: an entity may refer to any other.
        tested: What is to be tested of it, which is all that is told of.

    Raises:
        Lacking: Something is missing, or is not what the spec says.
    """
    from specgen.checks.database import check_database
    from specgen.checks.keys import SCHEMA
    from specgen.database.deploy import Script
    from specgen.render.engine import render_catalog, render_plan

    def scripts(part: Plan) -> list[Script]:
        return [Script(item.name, item.text) for item in render_plan(part)]

    found = check_database(connection, project, plan, scripts, catalog_sql=render_catalog(SCHEMA))
    files = {item.source for item in tested.entities}
    errors = [item for item in found if item.severity is Severity.ERROR and item.span.file in files]
    wrong = [_advised(item, project) for item in errors]
    if wrong:
        summary = "the database for tests begins empty, and lacks what operations need"
        raise Lacking(summary, wrong, _remedy(project))


def refuse_valueless(connection: Connection, project: Project, tested: Plan) -> None:
    """Look whether rows can be made up of the tables that tests write, and of those they refer to.

    Args:
        connection: To a database with everything in it; nothing stays of what is tried.
        project: The whole project.
        tested: What is to be tested of it.

    Raises:
        Lacking: Of some column no value is known.
    """
    from specgen.testing.make import Maker

    names = {item.name for item in tested.entities}
    operations = [one for item in project.entities if item.name in names for one in item.operations]
    targets = [name for one in operations for name in _targets(one)]
    maker = Maker(connection, {})
    todo = [_relation(project.entity(name)) for name in dict.fromkeys(targets)]
    seen: set[str] = set()
    wrong: list[Finding] = []
    while todo:
        name = todo.pop(0)
        table = maker.table(name)
        if table.name in seen:
            continue
        seen.add(table.name)
        wrong += [_valueless(project, table, column) for column in maker.valueless(table)]
        todo += [item.parent for item in table.of_kind("f") if item.parent is not None]
    if wrong:
        help = "a fixture specgen_values in a conftest.py beside the tests can give values as well"
        raise Lacking("values for test data are missing", list(dict.fromkeys(wrong)), help)


def _targets(operation: BatchOperation) -> Iterator[str]:
    if not operation.steps:
        yield operation.entity
    for step in operation.steps:
        if step.operation.type is not OperationType.CUSTOM_FUNCTION:
            yield step.operation.entity


def _relation(entity: Entity) -> str:
    from specgen.plan.sqltext import ident

    return f"{ident(entity.schema)}.{ident(entity.table)}"


def _valueless(project: Project, table: Table, column: Column) -> Finding:
    """Return what is said of a column of which no value is known, at its field if there is one."""
    message = f"no value is known {column.said} for {table.name}.{column.name}"
    entity = next((item for item in project.entities if _relation(item) == table.name), None)
    if entity is None:
        help = f"make it an entity with managed: false, with examples: [...] at its field {column.name}"
        return Finding("no-example", project.entities[0].span, message, help)
    field = next((item for item in entity.fields if item.name == column.name), None)
    if field is None:
        help = f"add the field {column.name}, with examples: [...]"
        return Finding("no-example", entity.span, message, help)
    return Finding("no-example", field.span, message, "give some at the field: examples: [...]")


def _advised(finding: Finding, project: Project) -> Finding:
    """Return a finding that says what makes the thing in a database that is new for each run."""
    if finding.code not in _FROM_SETUP:
        return finding
    entity = next((item for item in project.entities if item.span == finding.span), None)
    near = f"{finding.help} Else " if (finding.help or "").startswith("did you mean") else ""
    example = f", such as {_table(entity)}" if entity else ""
    return replace(finding, help=f"{near}create it in a file of setup_sql{example}")


def _table(entity: Entity) -> str:
    """Return the statement that makes a table of the fields that a spec tells of."""
    from specgen.plan.sqltext import ident

    fields = [
        f"{ident(item.name)} {item.type.sql}{' NOT NULL' * (not item.nullable)}" for item in entity.fields
    ]
    if entity.primary_key:
        fields.append(f"PRIMARY KEY ({', '.join(map(ident, entity.primary_key))})")
    schema = f"CREATE SCHEMA {ident(entity.schema)}; " if entity.schema != "public" else ""
    return f"{schema}CREATE TABLE {ident(entity.schema)}.{ident(entity.table)} ({', '.join(fields)});"
