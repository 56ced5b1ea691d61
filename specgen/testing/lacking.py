"""What a database for tests lacks: tables and functions that ``setup_sql`` has to make."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from specgen.diagnostics import Severity
from specgen.errors import SpecgenError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specgen.database.connection import Connection
    from specgen.diagnostics import Finding
    from specgen.plan.project import Plan
    from specgen.spec.model import Entity, Project

_FROM_SETUP = ("unknown-table", "unknown-function")


class Lacking(SpecgenError):  # noqa: N818 - named for the state
    """A database with nothing but a project's SQL in it lacks what the project's operations need.

    Attributes:
        findings: What is missing, and where the spec needs it.
        summary: The message without them.
    """

    def __init__(self, findings: Sequence[Finding], project: Project) -> None:
        self.findings = tuple(findings)
        self.summary = "the database for tests begins empty, and lacks what operations need"
        places = (f"{item.span.file}:{item.span.start.line}: {item.message}" for item in findings)
        super().__init__(f"{self.summary}:\n" + "\n".join(places), help=_remedy(project))


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
        raise Lacking(wrong, project)


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
