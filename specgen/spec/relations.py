"""Relations as sources: ``{table: ...}``, ``{query: ...}``, and the output of an earlier step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specgen.spec.fragments import Scope, parse_fragment
from specgen.spec.model import (
    Assignment,
    FieldType,
    QueryRows,
    Reference,
    Relation,
    TableRows,
)
from specgen.spec.names import split_name
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specgen.diagnostics import Findings, Span
    from specgen.spec.documents import Node
    from specgen.spec.entities import Catalog, Draft
    from specgen.spec.outputs import StepOutput

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_TEXTS = ("text", "varchar", "character varying", "character", "bpchar")
_MOMENTS = ("date", "timestamp", "timestamptz", "timestamp with time zone", "timestamp without time zone")
_JSON = ("json", "jsonb")
_FIRST_WORD = re.compile(r"\s*([A-Za-z]+)\b")
_QUERIES = ("select", "with", "values", "table")
_EXAMPLE = 'query: "SELECT email FROM staging.users"'


def read_relation(node: Node, catalog: Catalog, home: Draft, findings: Findings) -> Relation | None:
    """Read ``{table: ...}`` or ``{query: ...}``.

    Args:
        node: The map.
        catalog: All entities; a table that is an entity's is read in the order of its key.
        home: The entity of the file, whose schema holds a table that names none.
        findings: Gets what is wrong.
    """
    query = node.get("query")
    if query is not None and "table" in node.value:
        message = "data_source is a table or a query, not both"
        findings.error("wrong-mix", query.key_span, message, "remove one of them")
        return None
    if query is not None:
        return _query(query, findings)
    table = node["table"]
    parts = split_name(table.value)
    if parts is None or len(parts) > 2:
        findings.error("bad-name", table.span, f'"{table.value}" is no table', "write table or schema.table")
        return None
    schema, name = (None, *parts) if len(parts) == 1 else parts
    for draft in catalog.values():
        if name == draft.table and schema in (None, draft.schema):
            return TableRows(draft.schema, draft.table, draft.primary_key)
    return TableRows(schema or home.schema, name)


def _query(node: Node, findings: Findings) -> QueryRows | None:
    """Read a query by reading it as a subquery, which wants the same grammar."""
    text = node.value.rstrip().removesuffix(";")
    first = _FIRST_WORD.match(text)
    if first and first[1].lower() not in _QUERIES:
        message = f"data_source reads rows, so its query is a SELECT, and {first[1].upper()} begins none"
        findings.error("wrong-value", node.locate(*first.span(1)), message, "for example: " + _EXAMPLE)
        return None

    def locate(start: int, end: int) -> Span:
        last = max(len(text) - 1, 0)
        return node.locate(min(max(start - 1, 0), last), min(max(end - 1, 1), len(text)))

    scope = Scope(None, condition=False, what="the query")
    fragment = parse_fragment(f"({text}\n)", locate, scope, findings)
    return QueryRows(fragment) if fragment else None


def check_fields(
    output: StepOutput, fields: Iterable[tuple[str, str | None, Span]], findings: Findings
) -> None:
    """Report fields that a step's output does not have."""
    if output.columns is None:
        return
    reported: set[str] = set()
    for name, field, span in fields:
        if field is None or name not in output.names or output.type_of(field) or field in reported:
            continue
        reported.add(field)
        known = dict.fromkeys((*output.columns, *((output.key,) if output.key else ())))
        findings.error(
            "unknown-output-field",
            span,
            f'the step "{output.step}" yields no "{field}"',
            did_you_mean(field, known) or f"it yields: {', '.join(known)}",
        )


def check_assignable(
    output: StepOutput, data: tuple[Assignment, ...], target: Draft, findings: Findings
) -> None:
    """Report fields of an output that go into a column of another type."""
    for item in data:
        match item.value:
            case Reference(name, str(field), span) if name in output.names:
                given, wanted = output.type_of(field), target.types[item.column]
                if given and not assignable(given, wanted):
                    findings.error(
                        "output-type",
                        span,
                        f":{name}.{field} is {given.sql} (step {output.step}), "
                        f"and {item.column} is {wanted.sql}",
                        f'convert it: {{sql: ":{name}.{field}::{wanted.sql}"}}',
                    )
            case _:
                pass


def assignable(given: FieldType, wanted: FieldType) -> bool:
    """Say whether PostgreSQL assigns a value of one type to a column of another."""
    if given.array or wanted.array:
        return given.array == wanted.array and given.base == wanted.base
    if wanted.base in _TEXTS or given.base == wanted.base:
        return True
    return any(given.base in group and wanted.base in group for group in (_NUMBERS, _MOMENTS, _JSON))
