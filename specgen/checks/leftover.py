"""Operations that are deployed from a project and stand in its YAML no more: they can still be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident, literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specgen.checks.probe import Probe
    from specgen.diagnostics import Findings
    from specgen.plan.project import PlannedEntity
    from specgen.spec.model import Project

_IS_THERE = "SELECT pg_catalog.to_regclass(%s) IS NOT NULL"
_DEPLOYED = """
SELECT d.schema_name,
       d.operation,
       d.entity,
       d.file,
       (
           SELECT count(*)
             FROM {runtime}.batch_operations AS o
            WHERE o.schema_name = d.schema_name
              AND o.operation = d.operation
              AND o.completed_at IS NULL
              AND o.submitted
       )
  FROM {runtime}.batch_definitions AS d
 WHERE d.schema_name = ANY (%s)
   AND d.file = ANY (%s)
 ORDER BY 1, 2
"""


def check_left_behind(
    project: Project, entities: Iterable[PlannedEntity], probe: Probe, findings: Findings
) -> None:
    """Warn of operations that are deployed from files of a project and stand in none of them.

    Args:
        project: The whole of it.
        entities: What is checked of it.
        probe: Where they are deployed.
        findings: Gets the warnings.
    """
    runtime = ident(project.settings.runtime_schema)
    ((is_there,),) = probe.rows(_IS_THERE, (f"{runtime}.batch_definitions",))
    if not is_there:
        return
    homes = {project.entity(item.name).file: project.entity(item.name) for item in reversed(list(entities))}
    known = {(entity.schema, item.name) for entity in project.entities for item in entity.operations}
    schemas = sorted({entity.schema for entity in project.entities})
    query = _DEPLOYED.format(runtime=runtime.replace("%", "%%"))
    for schema, operation, name, file, count in probe.rows(query, (schemas, sorted(homes))):
        if (schema, operation) in known:
            continue
        named = next((item for item in project.entities if (item.name, item.file) == (name, file)), None)
        runs = "1 open run" if count == 1 else f"{count:,} open runs"
        still = f" ({runs} of it would not go on)" if count else ""
        findings.warning(
            "left-behind",
            (named or homes[file]).span,
            f"{operation} is deployed from this file, where it stands no more: it can still be called",
            f"unless another project has it too{still}:"
            f" CALL {runtime}.batch_forget({literal(schema)}, {literal(operation)});",
        )
