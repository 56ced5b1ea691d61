"""The whole project as files of named SQL objects, in an order in which they load.

The plan is the one value that everything after it consumes: rendering, checking, explaining,
deploying, generated tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.diagnostics import Finding, Findings
from specgen.plan import naming
from specgen.plan.entity import PlannedTable, plan_table
from specgen.plan.own import looked_up
from specgen.plan.patterns import PATTERNS

if TYPE_CHECKING:
    from specgen.plan.planned import PlannedOperation
    from specgen.spec.model import Entity, Project, Settings

RUNTIME_FILE = "00_runtime.sql"


@dataclass(frozen=True, slots=True)
class PlannedEntity:
    """One entity's file.

    Attributes:
        file: The file's name in the output folder.
        source: The spec file it comes from.
        digest: The first eight hex digits of the spec file's SHA-256.
        schemas: Schemas that must be there.
        search_path: Where its types are looked for that stand without a schema; nothing where none does, or
            the project leaves it to the session that loads the file.
    """

    name: str
    file: str
    source: str
    digest: str
    schemas: tuple[str, ...]
    runtime: str
    table: PlannedTable | None
    operations: tuple[PlannedOperation, ...]
    search_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be generated, in load order."""

    settings: Settings
    entities: tuple[PlannedEntity, ...]

    def operation(self, name: str) -> PlannedOperation:
        """Return the operation of that name.

        Raises:
            KeyError: There is none.
        """
        for entity in self.entities:
            for operation in entity.operations:
                if operation.name == name:
                    return operation
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, or nothing when there is an error, and what was found."""

    plan: Plan | None
    findings: tuple[Finding, ...]


def plan_project(project: Project) -> Planned:
    """Decide every name, type and order of a project."""
    findings = Findings()
    levels = _levels(project)
    entities = [_plan_entity(entity, levels[entity.name], project, findings) for entity in project.entities]
    ordered = tuple(sorted(entities, key=lambda item: item.file))
    plan = None if findings.failed else Plan(project.settings, ordered)
    return Planned(plan, tuple(findings.items))


def _levels(project: Project) -> dict[str, int]:
    """Return how many references lie below each entity; an entity loads after what it refers to."""
    levels: dict[str, int] = {}
    by_name = {entity.name: entity for entity in project.entities}

    def level(entity: Entity) -> int:
        if entity.name not in levels:
            levels[entity.name] = 0
            below = [
                level(by_name[field.references.entity]) + 1
                for field in entity.fields
                if field.references and field.references.entity != entity.name
            ]
            levels[entity.name] = max(below, default=0)
        return levels[entity.name]

    for entity in project.entities:
        level(entity)
    return levels


def _plan_entity(entity: Entity, level: int, project: Project, findings: Findings) -> PlannedEntity:
    settings = project.settings
    operations = tuple(PATTERNS[item.pattern].plan(item, project, findings) for item in entity.operations)
    return PlannedEntity(
        name=entity.name,
        # The level is in the name, so that the files' lexical order is a load order and a new entity
        # renames no other's file.
        file=f"{level + 10:02d}_{naming.file_stem(entity.name)}.sql",
        source=entity.file,
        digest=entity.digest[:8],
        schemas=tuple(dict.fromkeys((entity.schema, *(item.table.schema for item in operations)))),
        runtime=settings.runtime_schema,
        table=plan_table(entity, project),
        operations=operations,
        search_path=settings.search_path
        if settings.search_path_is_chosen and looked_up(entity, operations)
        else (),
    )
