"""Findings from what PostgreSQL says about a statement that it does not take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.checks.catalog import Candidate, Catalog
    from specgen.checks.probe import Trouble
    from specgen.checks.statement import Statement
    from specgen.diagnostics import Findings, Span

NO_FUNCTION = "42883"
AMBIGUOUS_FUNCTION = "42725"
NO_SCHEMA = "3F000"
NO_TABLE = "42P01"
NO_COLUMN = "42703"
_SHOWN = 4


def report_refusal(
    trouble: Trouble, statement: Statement, otherwise: Span, catalog: Catalog, findings: Findings
) -> None:
    """Report SQL of a spec that PostgreSQL does not take, at its place in the spec.

    Args:
        trouble: What PostgreSQL says.
        statement: What it was asked about.
        otherwise: The place where PostgreSQL names none.
        catalog: For names that are near.
        findings: Gets it.
    """
    span = statement.span_at(trouble.position) or otherwise
    word = statement.word_at(trouble.position)
    match trouble.sqlstate:
        case "42883" | "3F000" if statement.calls_at(trouble.position):
            report_no_function(word, span, catalog, findings)
        case "42P01":
            near = catalog.near_table(*split(word))
            findings.error("unknown-table", span, _sentence(trouble.message), near or trouble.hint)
        case "42703":
            findings.error("unknown-column", span, _sentence(trouble.message), trouble.hint)
        case _:
            findings.error("refused-sql", span, _sentence(trouble.message), _help(trouble))


def report_no_function(name: str, span: Span, catalog: Catalog, findings: Findings) -> None:
    """Report a function that is called and is not there, or not with such arguments."""
    schema, bare = split(name)
    found = [
        item for item in catalog.functions(bare) if item.schema == schema or (not schema and item.visible)
    ]
    if found:
        message = f'no "{name}" of the database takes the arguments that it is called with'
        findings.error("function-arguments", span, message, takes(found))
        return
    message = f'the database has no function "{name}"'
    findings.error("unknown-function", span, message, near_function(schema, bare, catalog))


def near_function(schema: str, name: str, catalog: Catalog) -> str:
    """Return what may have been meant by a function that is not there."""
    elsewhere = [item for item in catalog.functions(name) if item.kind == "f"]
    if elsewhere:
        there = elsewhere[0]
        if there.visible:
            return f"it has {name}, without a schema"
        found = f"it has {there.schema}.{name}"
        return found if schema else f"{found}: name its schema, or add it to search_path in specgen.yaml"
    whole = f"{schema}.{name}" if schema else name
    return catalog.near_function(whole) or "create it first, or let setup_sql and --setup do it"


def takes(found: list[Candidate]) -> str:
    """Return the signatures of functions, for help."""
    shown = "; ".join(item.signature for item in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"there is {shown}{more}"


def split(name: str) -> tuple[str, str]:
    """Return schema and name of a function as SQL writes it."""
    parts = [_plain(part) for part in re.findall(r'"(?:[^"]|"")*"|[^."]+', name)]
    return ("", parts[-1]) if len(parts) == 1 else (parts[-2], parts[-1])


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _sentence(message: str) -> str:
    return f"PostgreSQL: {message}"


def _help(trouble: Trouble) -> str | None:
    return " ".join(trouble.hint.split()) if trouble.hint else None
