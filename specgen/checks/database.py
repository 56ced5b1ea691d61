"""All checks that need a database: what would be made is made, looked at, and undone.

Tables that are there are left alone, locks and all: only what is missing is made, so the checks can be
run beside an application that works.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg

from specgen.checks.catalog import Catalog
from specgen.checks.dates import check_dates
from specgen.checks.fragments import check_entity, check_part, check_whole
from specgen.checks.functions import check_call, check_outputs
from specgen.checks.indexes import check_indexes
from specgen.checks.keys import check_key
from specgen.checks.leftover import check_left_behind
from specgen.checks.parts import parts_of
from specgen.checks.probe import Probe
from specgen.checks.schemas import check_schemas
from specgen.checks.sources import check_source
from specgen.checks.tables import check_inserted, check_table
from specgen.database.connection import explain
from specgen.database.deploy import ScriptError, deploy
from specgen.database.version import read_version, refuse_newer
from specgen.diagnostics import Finding, Findings
from specgen.errors import SpecgenError, UsageError
from specgen.plan.project import RUNTIME_FILE
from specgen.plan.sqltext import ident
from specgen.versions import RUNTIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from specgen.checks.probe import Column
    from specgen.database.connection import Connection
    from specgen.database.deploy import Script
    from specgen.database.version import Version
    from specgen.plan.planned import PlannedOperation
    from specgen.plan.project import Plan
    from specgen.spec.model import Entity, Project

PATIENCE_MS = 5000
"""How long to wait for a lock, so that others never wait long behind."""
_LOCKED = "55P03"
_THERE = """
SELECT t.name
  FROM unnest(%s::text[], %s::text[]) AS t (name, place)
 WHERE to_regclass(t.place) IS NOT NULL
"""


def check_database(
    connection: Connection,
    project: Project,
    plan: Plan,
    render: Callable[[Plan], Sequence[Script]],
    *,
    catalog_sql: str,
    setup: Sequence[Script] = (),
) -> tuple[Finding, ...]:
    """Return what a database has against a project; nothing of it is left there.

    Args:
        connection: In autocommit mode, with the rights that deploying takes.
        project: The whole project.
        plan: What is checked of it.
        render: Makes the files of a plan.
        catalog_sql: Makes the functions that :mod:`specgen.checks.keys` asks.
        setup: What is applied first, and undone as all else.

    Raises:
        SpecgenError: A lock cannot be had, or ``setup`` cannot be applied.
        Refused: The runtime there is newer than this specgen.
        DatabaseUnavailable: The connection was lost.
    """
    findings = Findings()
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
            connection.execute(catalog_sql.encode())
            _check(_Checked(connection, project, plan, findings), render, setup)
    except psycopg.Error as error:
        raise _meaning(error) from error
    ordered = sorted(dict.fromkeys(findings.items), key=lambda item: (item.span, item.code, item.message))
    ordered = _indexes_once(ordered)
    # That a key's type differs is said as what it is, not as that of any column.
    keys = {item.span for item in ordered if item.code == "key-type"}
    return tuple(item for item in ordered if item.code != "table-differs" or item.span not in keys)


def _indexes_once(ordered: list[Finding]) -> list[Finding]:
    """Report an index that several operations lack at the first of them."""
    places = Counter(item.message for item in ordered if item.code == "no-index")
    told: list[Finding] = []
    for item in ordered:
        count = places.pop(item.message, 0) if item.code == "no-index" else 1
        if count > 1:
            told.append(replace(item, message=f"{item.message}, in {count} operations or steps"))
        elif count:
            told.append(item)
    return told


def _meaning(error: psycopg.Error) -> SpecgenError:
    if error.sqlstate == _LOCKED:
        return SpecgenError(
            f"the checks waited {PATIENCE_MS // 1000} seconds for a lock: somebody deploys or migrates",
            help="try again when they are done",
        )
    return explain(error)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A project, what is checked of it, and the database that it is checked against."""

    connection: Connection
    project: Project
    plan: Plan
    findings: Findings


def _check(checked: _Checked, render: Callable[[Plan], Sequence[Script]], setup: Sequence[Script]) -> None:
    for script in setup:
        _refuse_transactions(script)
    for _ in deploy(checked.connection, setup):
        pass
    there = _tables_there(checked)
    failed = _apply(checked, render, there)
    everywhere = tuple(
        ident(name) for name in ("pg_catalog", *checked.project.settings.search_path, "pg_temp")
    )
    _search(everywhere, checked)
    for item in checked.project.entities:
        if item.managed and item.name not in there:
            _make_bare(item, checked.connection)
    catalog = Catalog(Probe(checked.connection))
    entities = checked.project.entities
    tables = {item.name: catalog.columns(item.schema, item.table) is not None for item in entities}
    for entity in checked.plan.entities:
        before = len(checked.findings.items)
        model = checked.project.entity(entity.name)
        if entity.name in there or not model.managed:
            check_table(model, catalog, checked.findings)
        else:
            check_entity(model, catalog, checked.findings)
        for operation in entity.operations:
            _check_operation(operation, tables, there, checked, catalog)
            if entity.name not in failed:
                inner = parts_of(operation, checked.project).steps
                check_indexes(inner, checked.project, catalog.probe, checked.findings)
        if len(checked.findings.items) == before and entity.name in failed:
            # What is said at its place need not be said again of the whole file.
            checked.findings.items.append(failed[entity.name])
    _search(("pg_catalog",), checked)
    check_left_behind(checked.project, checked.plan.entities, catalog.probe, checked.findings)


def _search(path: Sequence[str], checked: _Checked) -> None:
    """Look names up as the functions of an operation will."""
    checked.connection.execute(f"SET LOCAL search_path = {', '.join(path)}".encode())


def _search_everywhere(checked: _Checked) -> None:
    _search(("pg_catalog", *map(ident, checked.project.settings.search_path), "pg_temp"), checked)


def _tables_there(checked: _Checked) -> frozenset[str]:
    entities = checked.project.entities
    places = [f"{ident(item.schema)}.{ident(item.table)}" for item in entities]
    found = checked.connection.execute(_THERE, ([item.name for item in entities], places))
    return frozenset(row[0] for row in found)


def _apply(
    checked: _Checked, render: Callable[[Plan], Sequence[Script]], there: frozenset[str]
) -> dict[str, Finding]:
    """Apply what is missing, each file for itself; return why some could not be, by their entities."""
    entities = tuple(
        replace(item, table=None) if item.name in there else item for item in checked.plan.entities
    )
    schema = checked.plan.settings.runtime_schema
    version = read_version(checked.connection, schema)
    refuse_newer(version, schema)
    if version is not None and version.number < RUNTIME:
        # Upgrading it here would let every batch that runs wait for the end of the checks.
        entities = tuple(replace(item, operations=()) for item in entities)
        _tell_earlier(checked, version)
    failed: dict[str, Finding] = {}
    by_file = {item.file: item.name for item in entities}
    for script in render(replace(checked.plan, entities=entities)):
        if script.name == RUNTIME_FILE and version is not None:
            continue
        try:
            for _ in deploy(checked.connection, [script]):
                pass
        except ScriptError as error:
            if error.sqlstate == _LOCKED or script.name not in by_file:
                raise
            name = by_file[script.name]
            failed[name] = _not_deployable(error, checked.project.entity(name))
    return failed


def _tell_earlier(checked: _Checked, version: Version) -> None:
    span = checked.project.entities[0].span
    checked.findings.warning(
        "runtime-version",
        span,
        f"the runtime in schema {checked.plan.settings.runtime_schema} is version {version.number},"
        f" this specgen makes {RUNTIME}: whether functions can be deployed is not tried before the upgrade",
        '"specgen deploy" upgrades it, in one transaction with the functions',
    )


def _not_deployable(error: ScriptError, entity: Entity) -> Finding:
    """Return the finding of a file that cannot be applied, at the operation or else at its entity."""
    span = entity.span
    for operation in entity.operations:
        if error.origin == f"{operation.span.file}:{operation.span.start.line}":
            span = operation.span
    made = f"{error.object}: " if error.object else ""
    message = f"{made}{error.args[0]} (SQLSTATE {error.sqlstate})"
    return Finding("not-deployable", span, message, error.help or error.detail)


def _make_bare(entity: Entity, connection: Connection) -> None:
    """Make a table of columns alone, where a file that failed left none: its operations can be checked."""
    columns = ", ".join(f"{ident(item.name)} {item.type.sql}" for item in entity.fields)
    table = f"{ident(entity.schema)}.{ident(entity.table)}"
    try:
        with connection.transaction():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {ident(entity.schema)}".encode())
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})".encode())
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise


def _check_operation(
    planned: PlannedOperation,
    tables: Mapping[str, bool],
    there: frozenset[str],
    checked: _Checked,
    catalog: Catalog,
) -> None:
    findings = checked.findings
    parts = parts_of(planned, checked.project)
    check_schemas(parts, catalog.probe, findings)
    _search(parts.whole.planned.body.search_path, checked)
    check_whole(parts.whole, catalog, findings, table_exists=tables[parts.whole.target.name])
    returned: dict[str, tuple[Column, ...]] = {}
    calls: dict[str, str] = {}
    for part in parts.steps:
        _search(part.planned.body.search_path, checked)
        check_source(part, catalog, findings)
        check_dates(part, catalog.probe, findings)
        call = part.operation.call
        columns = check_call(part, call, catalog, findings) if call else None
        if call is not None and columns is not None:
            returned[part.planned.name] = columns
            calls[part.planned.name] = call.name
        elif call is None and tables[part.target.name]:
            check_part(part, catalog, findings)
            if part.target.name in there or not part.target.managed:
                check_inserted(part, catalog, findings)
                check_key(part, catalog.probe, findings)
    _search_everywhere(checked)
    for part in parts.steps:
        check_outputs(part, returned, calls, catalog, findings)


def _refuse_transactions(script: Script) -> None:
    """Refuse a file that would end the transaction which is to be undone.

    Raises:
        UsageError: It has a COMMIT or the like, or cannot be read as SQL.
    """
    import pglast

    try:
        statements = pglast.parse_sql(script.text)
    except pglast.parser.ParseError:
        return  # PostgreSQL will say so, with its place
    if any(type(item.stmt).__name__ == "TransactionStmt" for item in statements):
        raise UsageError(
            f"setup_sql: {script.name} begins or ends a transaction, so it cannot be tried and undone",
            help="remove BEGIN, COMMIT and ROLLBACK; deploy applies each file in a transaction",
        )
