"""The entities' tables: whether they are there, and are what the spec says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.checks.assigning import category
from specgen.checks.probe import Trouble
from specgen.plan.sqltext import ident
from specgen.plan.writes import written_columns
from specgen.spec.model import OperationType
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from specgen.checks.catalog import Catalog, TableColumn
    from specgen.checks.parts import Part
    from specgen.diagnostics import Findings, Span
    from specgen.spec.model import Entity, Field

_INSERTING = (OperationType.INSERT, OperationType.UPSERT)


def check_table(entity: Entity, catalog: Catalog, findings: Findings) -> bool:
    """Compare the table of an entity, which was there before, with its fields; say whether there is one.

    A managed table is compared too: deploy creates what is missing and alters nothing.
    """
    columns = catalog.columns(entity.schema, entity.table)
    if columns is None:
        near = catalog.near_table(entity.schema, entity.table)
        message = f"the database has no table {entity.schema}.{entity.table}"
        findings.error(
            "unknown-table", entity.span, message, near or "create it, or let specgen: managed: true"
        )
        return False
    for item in entity.fields:
        _check_field(item, entity, columns, catalog, findings)
    return True


def _check_field(
    item: Field, entity: Entity, columns: dict[str, TableColumn], catalog: Catalog, findings: Findings
) -> None:
    table = f"{entity.schema}.{entity.table}"
    there = columns.get(item.name)
    if there is None:
        near = None if entity.managed else did_you_mean(item.name, columns)
        findings.error(
            "table-differs",
            item.span,
            f'the table {table} has no column "{item.name}"',
            near or f"ALTER TABLE {table} ADD COLUMN {ident(item.name)} {item.type.sql}",
        )
        return
    kind = category(item.type.sql, catalog)
    if not entity.managed and kind == there.category == "S" and not there.extended:
        return
    wanted = _written(item.type.sql, catalog)
    probe = catalog.probe
    # A domain only refuses more than the type that it is made of.
    fitting = (there.type, there.base)
    if wanted == there.type or (
        not entity.managed and probe.type_oid(wanted) in map(probe.type_oid, fitting)
    ):
        return
    # One of a kind, such as integer and bigint, may well be meant; of two kinds, one is wrong. What brings
    # operators of its own, such as citext, is compared by others where the spec does not name it.
    alike = kind == there.category and not there.extended
    report = findings.warning if alike else findings.error
    report(
        "table-differs",
        item.span,
        f"{item.name} is {there.type} in {table}, and {wanted} here",
        f"ALTER TABLE {table} ALTER COLUMN {ident(item.name)} TYPE {item.type.sql}, or change it here"
        if entity.managed
        else f"write {there.spelt}",
    )


def _written(kind: str, catalog: Catalog) -> str:
    """Return a type as PostgreSQL writes it, with its length or precision."""
    answer = catalog.probe.describe(f"SELECT NULL::{kind}")
    return kind if isinstance(answer, Trouble) else answer[0].type


def check_inserted(part: Part, catalog: Catalog, findings: Findings) -> None:
    """Report columns that an insert has to give and does not, and a conflict that nothing makes arise."""
    operation, target = part.operation, part.target
    columns = catalog.columns(target.schema, target.table)
    if operation.type not in _INSERTING or columns is None:
        return
    table = f"{target.schema}.{target.table}"
    given = {item.column for item in operation.data} | {
        item.column for item in written_columns(part.planned.write)
    }
    missing = [item.name for item in columns.values() if item.required and item.name not in given]
    span = operation.data[0].span if operation.data else operation.span
    if missing and not catalog.fills(target.schema, target.table):
        findings.error(
            "required-column",
            span,
            f"{table} cannot have NULL in {', '.join(missing)}, which this {operation.type} does not give",
            f"give {', '.join(missing)} a value, or the column a default",
        )
    if operation.conflict_target:
        _check_conflict(part, table, span, catalog, findings)


def _check_conflict(part: Part, table: str, span: Span, catalog: Catalog, findings: Findings) -> None:
    """Report a conflict that no unique index makes arise."""
    columns, target = part.operation.conflict_target, part.target
    index = catalog.unique(target.schema, target.table, columns)
    names = ", ".join(ident(name) for name in columns)
    if index is None:
        message = f"no unique index of {table} is on ({names}), so no conflict can arise"
        findings.error("no-unique-index", span, message, f"CREATE UNIQUE INDEX ON {table} ({names})")
    elif index[1] is not None:
        part_of = f"{index[0]} is unique on ({names}) only where {index[1]}"
        findings.error(
            "no-unique-index",
            span,
            f"{part_of}, and a conflict is looked for in all rows",
            "update the rows that are there by match_on, then insert the others; or upsert by another key",
        )
