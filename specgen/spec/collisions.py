"""Names that meet: what two entities or operations of a project cannot both be called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from specgen.diagnostics import Findings, Span
    from specgen.spec.model import BatchOperation, Entity

DERIVED_SUFFIXES = (
    "_submit", "_check", "_keys", "_between", "_records", "_matching", "_invalid", "_identity", "_suspects",
    "_write",
)  # fmt: skip
"""What the functions beside an operation's own are called; a test holds it to the plan's naming."""


def report(entities: tuple[Entity, ...], findings: Findings) -> None:
    """Report entities and operations whose names, tables or files meet."""
    _report_entities(entities, findings)
    operations = [item for entity in entities for item in entity.operations]
    _report_operations(operations, findings)
    _report_functions(operations, {entity.name: entity.schema for entity in entities}, findings)


def _report_entities(entities: tuple[Entity, ...], findings: Findings) -> None:
    names: dict[str, Entity] = {}
    tables: dict[tuple[str, str], Entity] = {}
    files: dict[str, Entity] = {}
    for entity in entities:
        first = names.setdefault(entity.name, entity)
        if first is not entity:
            message = f'there are two entities "{entity.name}"; the first is at {_where(first.span)}'
            findings.error("duplicate-entity", entity.span, message, "rename one of them")
            continue
        first = tables.setdefault((entity.schema, entity.table), entity)
        if first is not entity and (entity.managed or first.managed):
            message = f'"{entity.name}" and "{first.name}" are both the table {entity.schema}.{entity.table}'
            findings.error("duplicate-table", entity.span, message, "give one of them another table")
            continue
        first = files.setdefault(file_key(entity.name), entity)
        if first is not entity:
            message = f'"{entity.name}" and "{first.name}" would be written to one file'
            findings.error("duplicate-file", entity.span, message, "rename one of them")


def file_key(name: str) -> str:
    """Return what a file name keeps of an entity's name on every file system."""
    return re.sub(r"[^\w-]", "_", name).casefold()


def _report_operations(operations: list[BatchOperation], findings: Findings) -> None:
    names: dict[str, BatchOperation] = {}
    for operation in operations:
        first = names.setdefault(operation.name, operation)
        if first is not operation:
            message = f'there are two operations "{operation.name}"; the first is at {_where(first.span)}'
            findings.error("duplicate-operation", operation.span, message, "rename one of them")
    for operation in names.values():
        for derived in _derived(operation):
            other = names.get(derived)
            if other is not None:
                message = f'"{other.name}" is also the name of a function that "{operation.name}" gets'
                findings.error("duplicate-operation", other.span, message, "rename one of the two operations")


def _report_functions(
    operations: list[BatchOperation], schemas: Mapping[str, str], findings: Findings
) -> None:
    """Report operations whose steps would have the same functions: all lie in the runtime's schema."""
    owners: dict[str, BatchOperation] = {}
    for operation in operations:
        for part in (operation, *(step.operation for step in operation.steps)):
            schema = schemas.get(part.entity, "public")
            stem = part.name if schema == "public" else f"{schema}_{part.name}"
            first = owners.setdefault(stem, operation)
            if first.name != operation.name:
                message = f'"{first.name}" and "{operation.name}" would both have functions "{stem}_..."'
                findings.error(
                    "duplicate-operation", operation.span, message, "rename one of the two operations"
                )


def _derived(operation: BatchOperation) -> Iterator[str]:
    for suffix in DERIVED_SUFFIXES:
        yield operation.name + suffix
        yield from (step.operation.name + suffix for step in operation.steps)


def _where(span: Span) -> str:
    return f"{span.file}:{span.start.line}"
