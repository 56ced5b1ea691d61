"""Keys: whether a table tells its rows as the spec has them do it.

The rule stands once, in the runtime's ``batch_key_problems``, which also refuses an operation that begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident

if TYPE_CHECKING:
    from specgen.checks.parts import Part
    from specgen.checks.probe import Probe
    from specgen.diagnostics import Findings

SCHEMA = "pg_temp"
"""Where the checks have the functions of ``runtime/catalog.sql.j2``, beside a runtime of any version."""
_PROBLEMS = """
SELECT p.problem, p.column_name, p.message, p.hint
  FROM pg_temp.batch_key_problems(%s, %s, %s::text[]::regtype[], %s, %s) AS p
"""
_CODES = {
    "type": "key-type",
    "collation": "key-type",
    "not unique": "key-not-unique",
    "null": "key-not-unique",
}
"""Problem to code. What only the rows can tell is asked when an operation begins."""


def check_key(part: Part, probe: Probe, findings: Findings) -> None:
    """Report what keeps the columns by which an operation, or a step, finds its rows from telling them."""
    key, target = part.planned.key, part.target
    if key is None or any(probe.type_oid(name) is None for name in key.types):
        return
    table = f"{ident(target.schema)}.{ident(target.table)}"
    values = (table, list(key.columns), list(key.types), list(key.modifiers), key.use)
    for problem, column, message, hint in probe.rows(_PROBLEMS, values):
        code = _CODES.get(problem)
        if code is not None:
            # Where it is told is the field, once for all operations that find their rows by it.
            findings.error(code, target.field(column).span, message, _help(hint))


def _help(hint: str) -> str:
    """Return a hint of PostgreSQL's style in the findings' own; SQL keeps its capitals."""
    words = hint.removesuffix(".")
    return words if words[1].isupper() else words[0].lower() + words[1:]
