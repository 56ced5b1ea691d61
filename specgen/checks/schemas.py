"""Schemas of the search path in which others may create what would be taken for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan.path import CLOSED
from specgen.plan.sqltext import ident
from specgen.spec.resolution import called_names

if TYPE_CHECKING:
    from specgen.checks.parts import Part, Parts, Whole
    from specgen.checks.probe import Probe
    from specgen.diagnostics import Findings

_WHO_MAY_CREATE = """
SELECT n.nspname, coalesce(r.rolname, 'PUBLIC')
  FROM pg_catalog.pg_namespace AS n
 CROSS JOIN LATERAL aclexplode(n.nspacl) AS granted
  LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = granted.grantee
 WHERE quote_ident(n.nspname) = ANY (%s)
   AND granted.privilege_type = 'CREATE'
   AND granted.grantee <> n.nspowner
   AND r.rolsuper IS NOT TRUE
   AND r.rolname IS DISTINCT FROM current_user
   AND r.rolname IS DISTINCT FROM 'pg_database_owner'
 ORDER BY 1, 2
"""
_BESIDE = """
SELECT format('%%I.%%s(%%s)', n.nspname, p.proname, pg_get_function_arguments(p.oid))
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE quote_ident(n.nspname) = ANY (%s)
   AND p.proname = ANY (%s)
   AND EXISTS (
           SELECT FROM pg_catalog.pg_proc AS own
            WHERE own.proname = p.proname AND own.pronamespace = 'pg_catalog'::regnamespace
       )
 ORDER BY 1
"""


def check_schemas(parts: Parts, probe: Probe, findings: Findings) -> None:
    """Warn where others may create in a schema that an operation searches, once for each schema."""
    every: tuple[Part | Whole, ...] = (parts.whole, *parts.steps)
    wide = [part for part in every if part.planned.body.search_path != CLOSED]
    if not wide:
        return
    whole = parts.whole
    searched = sorted({name for part in wide for name in part.planned.body.search_path if name not in CLOSED})
    creators: dict[str, list[str]] = {}
    for schema, role in probe.rows(_WHO_MAY_CREATE, (searched,)):
        creators.setdefault(schema, []).append(role if role == "PUBLIC" else ident(role))
    told = {item.help for item in findings.items if item.code == "open-schema"}
    for schema, roles in creators.items():
        who = ", ".join(roles)
        remedy = f"REVOKE CREATE ON SCHEMA {ident(schema)} FROM {who}"
        if remedy in told:
            continue
        findings.warning(
            "open-schema",
            whole.operation.span,
            f"{whole.planned.name} looks names up in {schema}, where {who} may create: "
            "a function or an operator made there is taken where it fits better",
            remedy,
        )
    _tell_beside(wide, [ident(schema) for schema in creators], probe, findings)


def _tell_beside(parts: list[Part | Whole], schemas: list[str], probe: Probe, findings: Findings) -> None:
    """Warn of functions there that are called like one of PostgreSQL's which an operation calls."""
    names = sorted({name for part in parts for text in part.planned.sources for name in called_names(text)})
    if not schemas or not names:
        return
    found = [str(row[0]) for row in probe.rows(_BESIDE, (schemas, names))]
    if found:
        listed = ", ".join(found)
        findings.warning(
            "open-schema",
            parts[0].operation.span,
            f"{listed} stands beside PostgreSQL's own, and is called where its arguments fit better",
            "drop it, or write which one is meant, such as pg_catalog.lower(name)",
        )
