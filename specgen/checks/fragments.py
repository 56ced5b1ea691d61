"""SQL of a spec against the database's names and types: conditions, values, preconditions, defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.checks.probe import Trouble
from specgen.checks.refusals import report_refusal
from specgen.checks.statement import Statement
from specgen.plan.sqltext import ident
from specgen.spec.model import Expression, OperationType

if TYPE_CHECKING:
    from specgen.checks.catalog import Catalog
    from specgen.checks.parts import Part, Whole
    from specgen.diagnostics import Findings, Span
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.model import Assignment, Entity


def check_part(part: Part, catalog: Catalog, findings: Findings) -> None:
    """Check the conditions and the values of an operation or a step whose table is there."""
    operation = part.operation
    table = f"{ident(part.target.schema)}.{ident(part.target.table)}"
    if operation.where is not None:
        statement = part.statement(f"SELECT FROM {table} WHERE (").fragment(operation.where).add(") IS TRUE")
        _ask(statement, operation.where.span, catalog, findings)
    for rule in operation.validation.rules:
        statement = part.statement("SELECT (").fragment(rule).add(f") IS TRUE{_row(part.target)}")
        _ask(statement, rule.span, catalog, findings)
    columns = catalog.columns(part.target.schema, part.target.table) or {}
    for item in operation.data:
        if item.column in columns:
            _check_value(item, part, table, catalog, findings)


def _check_value(item: Assignment, part: Part, table: str, catalog: Catalog, findings: Findings) -> None:
    column = ident(item.column)
    kind = part.target.field(item.column).type
    if part.operation.type is OperationType.UPDATE:
        statement = part.statement("UPDATE ").add(f"{table} SET {column} = ").value(item.value, kind)
    else:
        statement = part.statement("INSERT INTO ").add(f"{table} ({column}) VALUES (")
        statement.value(item.value, kind).add(")")
    _ask(statement, item.span, catalog, findings)


def check_whole(whole: Whole, catalog: Catalog, findings: Findings, *, table_exists: bool) -> None:
    """Check what an operation says once: preconditions and the defaults of parameters."""
    table = f"{ident(whole.target.schema)}.{ident(whole.target.table)}"
    for item in whole.operation.preconditions:
        if item.aggregate and not table_exists:
            continue
        statement = whole.statement("SELECT (").fragment(item.fragment).add(") IS TRUE")
        statement.add(f" FROM {table}" if item.aggregate else "")
        _ask(statement, item.fragment.span, catalog, findings)
    types = {item.name: item.type for item in whole.planned.parameters}
    for parameter in whole.operation.parameters:
        if parameter.default is not None:
            _check_cast(parameter.default, types.get(parameter.name, "text"), catalog, findings)


def check_entity(entity: Entity, catalog: Catalog, findings: Findings) -> None:
    """Check the types and the SQL of a managed entity's fields and indexes, as if its table were there."""
    wrong = [item for item in entity.fields if catalog.probe.type_oid(item.type.sql) is None]
    for item in wrong:
        message = f'the database has no type "{item.type.base}"'
        findings.error("unknown-type", item.span, message, "create it, or the extension that brings it")
    if wrong:
        return
    row = _row(entity)
    for item in entity.fields:
        if item.check is not None:
            statement = Statement(_nothing, "SELECT (").fragment(item.check).add(f") IS TRUE{row}")
            _ask(statement, item.check.span, catalog, findings)
        if item.generated is not None:
            statement = Statement(_nothing, "SELECT CAST((").fragment(item.generated)
            _ask(statement.add(f") AS {item.type.sql}){row}"), item.generated.span, catalog, findings)
        if isinstance(item.default, Expression):
            _check_cast(item.default.fragment, item.type.sql, catalog, findings)
    for index in entity.indexes:
        if index.where is not None:
            statement = Statement(_nothing, "SELECT (").fragment(index.where).add(f") IS TRUE{row}")
            _ask(statement, index.where.span, catalog, findings)


def _row(entity: Entity) -> str:
    """Return a FROM clause with one row that has an entity's columns and types."""
    columns = ", ".join(f"NULL::{item.type.sql} AS {ident(item.name)}" for item in entity.fields)
    return f" FROM (SELECT {columns}) AS {ident(entity.table)}"


def _check_cast(fragment: SqlFragment, kind: str, catalog: Catalog, findings: Findings) -> None:
    statement = Statement(_nothing, "SELECT CAST((").fragment(fragment).add(f") AS {kind})")
    _ask(statement, fragment.span, catalog, findings)


def _ask(statement: Statement, otherwise: Span, catalog: Catalog, findings: Findings) -> None:
    answer = catalog.probe.describe(statement.text, statement.types)
    if isinstance(answer, Trouble):
        report_refusal(answer, statement, otherwise, catalog, findings)


def _nothing(_name: str, _field: str | None) -> str:
    return "text"
