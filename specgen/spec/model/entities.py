"""Entities: columns, keys, indexes, and the operations that a file declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.diagnostics import Span
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.model.operations import BatchOperation
    from specgen.spec.model.values import FieldType, Literal, Value


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``references: entity.column``, resolved."""

    entity: str
    column: str
    on_delete: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Field:
    """One column of an entity."""

    name: str
    type: FieldType
    span: Span
    nullable: bool = True
    default: Value | None = None
    unique: bool = False
    check: SqlFragment | None = None
    references: ForeignKey | None = None
    generated: SqlFragment | None = None
    description: str | None = None
    examples: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a managed entity."""

    columns: tuple[str, ...]
    span: Span
    unique: bool = False
    where: SqlFragment | None = None
    method: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity and the operations that its file declares.

    Attributes:
        name: The entity's name.
        file: The spec file as the user named it, with forward slashes.
        document: Which YAML document of the file this is, counted from 0.
        digest: SHA-256 of the file's bytes, in hex.
    """

    name: str
    span: Span
    file: str
    document: int
    digest: str
    schema: str
    table: str
    managed: bool
    fields: tuple[Field, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    operations: tuple[BatchOperation, ...] = ()
    description: str | None = None

    def field(self, name: str) -> Field:
        """Return the field of that name.

        Raises:
            KeyError: There is none.
        """
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)
