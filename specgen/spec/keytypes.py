"""Columns that rows are found by: PostgreSQL has to keep their values in order, and apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.spec.builtins import UNORDERED_TYPES

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.entities import Draft
    from specgen.spec.fragments import SqlFragment


def check_keys(draft: Draft, findings: Findings) -> None:
    """Report keys and unique columns of an entity whose types have no order."""
    key = draft.node.get("primary_key")
    if key is not None:
        check_columns(draft, key, findings)
    elif "id" in draft.primary_key:
        _check(draft, "id", draft.node["fields"]["id"], findings)
    for name, node in draft.node["fields"].items():
        if isinstance(node.value, dict) and node.value.get("unique"):
            _check(draft, name, node["unique"], findings)
    indexes = draft.node.get("indexes")
    for node in indexes.each() if indexes else ():
        if isinstance(node.value, dict) and node.value.get("unique"):
            check_columns(draft, node["columns"], findings)


def check_columns(draft: Draft, node: Node, findings: Findings) -> None:
    """Report columns that a name, or a list of names, finds rows by, and whose types have no order."""
    for item in node.each():
        if item.value in draft.types:
            _check(draft, item.value, item, findings)


def _check(draft: Draft, column: str, node: Node, findings: Findings) -> None:
    kind = draft.types[column]
    if kind.base not in UNORDERED_TYPES:
        return
    findings.error(
        "unordered-key",
        node.span,
        f'"{column}" is {kind.sql}, and of two values PostgreSQL cannot tell whether they are the same,'
        " so it is no key",
        "jsonb can be a key" if kind.base == "json" else "name columns of other types",
    )


def check_lists(where: SqlFragment, draft: Draft, findings: Findings) -> None:
    """Report an array whose elements would be compared with a column that is an array itself."""
    for item in where.evidence:
        if item.array_of and draft.types[item.array_of].array:
            findings.error(
                "array-of-arrays",
                item.parameter.span,
                f'"{item.array_of}" is an array, and PostgreSQL has no arrays of arrays, so'
                f' ":{item.parameter.name}" cannot be a list of its values',
                f"hand in records instead: data_source: :records, match_on: {item.array_of}",
            )
