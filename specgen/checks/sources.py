"""Relations as sources: tables and queries, and the fields that are read of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.checks.assigning import becomes
from specgen.checks.functions import field_span
from specgen.checks.probe import Trouble
from specgen.checks.refusals import report_refusal
from specgen.spec.model import QueryRows, RelationSource, TableRows
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.checks.catalog import Catalog
    from specgen.checks.parts import Part
    from specgen.diagnostics import Findings, Span
    from specgen.spec.fragments import SqlFragment


@dataclass(frozen=True, slots=True)
class _Relation:
    """What is gone through: its name in messages, its columns and their types, where the spec names it."""

    name: str
    columns: Mapping[str, str]
    span: Span


def check_source(part: Part, catalog: Catalog, findings: Findings) -> None:
    """Check the table or the query that a step goes through, and that it has the fields that are read."""
    relation = None
    match part.operation.source:
        case RelationSource(relation=TableRows() as table, span=span):
            relation = _table(table, span, catalog, findings)
        case RelationSource(relation=QueryRows(query), span=span):
            relation = _query(part, query, span, catalog, findings)
        case _:
            pass
    if relation is not None:
        _check_fields(part, relation, catalog, findings)


def _table(rows: TableRows, span: Span, catalog: Catalog, findings: Findings) -> _Relation | None:
    name = f"{rows.schema}.{rows.table}"
    columns = catalog.columns(rows.schema, rows.table)
    if columns is not None:
        return _Relation(name, {item.name: item.type for item in columns.values()}, span)
    near = catalog.near_table(rows.schema, rows.table)
    findings.error("unknown-table", span, f"the database has no table {name}", near or "create it first")
    return None


def _query(
    part: Part, query: SqlFragment, span: Span, catalog: Catalog, findings: Findings
) -> _Relation | None:
    statement = part.statement("SELECT source.* FROM ").fragment(query).add(" AS source")
    answer = catalog.probe.describe(statement.text, statement.types)
    if not isinstance(answer, Trouble):
        return _Relation("the query", {item.name: item.type for item in answer}, span)
    report_refusal(answer, statement, query.span, catalog, findings)
    return None


def _check_fields(part: Part, relation: _Relation, catalog: Catalog, findings: Findings) -> None:
    found = relation.columns
    for item in part.planned.fields:
        place = field_span(part, item.name, relation.span)
        if item.name not in found:
            near = did_you_mean(item.name, found) or f"its columns: {', '.join(found)}"
            findings.error("unknown-column", place, f'{relation.name} has no column "{item.name}"', near)
        elif not becomes(found[item.name], item.type, catalog):
            findings.error(
                "output-type",
                place,
                f"{item.name} is {found[item.name]} in {relation.name}, and it is read as {item.type}",
                "convert it in a query: data_source: {query: ...}",
            )
