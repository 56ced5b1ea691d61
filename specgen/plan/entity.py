"""One entity as SQL objects: its table, constraints and indexes, if specgen manages them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from specgen.plan import naming
from specgen.plan.naming import QualifiedName
from specgen.plan.sqltext import constant, ident, literal, one_line_strings
from specgen.spec.model import Entity, Expression, Field, Index, Literal, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.spec.fragments import SqlFragment


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column.

    Attributes:
        type: As SQL writes it, with its length or precision.
        default: The SQL of its default.
        generated: The SQL that it is computed from.
        identity: Whether the table generates its values.
    """

    name: str
    type: str
    default: str | None
    generated: str | None
    identity: bool
    nullable: bool
    description: str | None


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """The columns of the primary key."""

    kind: ClassVar[str] = "primary_key"

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """Columns in which no values repeat."""

    kind: ClassVar[str] = "unique"

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A condition that rows must meet."""

    kind: ClassVar[str] = "check"

    name: str
    condition: str


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns whose values stand in another table.

    Attributes:
        table: The other table.
        referred: Its columns.
        on_delete: What becomes of a row whose other row is deleted, as SQL says it.
    """

    kind: ClassVar[str] = "foreign_key"

    name: str
    columns: tuple[str, ...]
    table: QualifiedName
    referred: tuple[str, ...]
    on_delete: str | None


Constraint: TypeAlias = PrimaryKey | Unique | Checked | ForeignKey


@dataclass(frozen=True, slots=True)
class PlannedIndex:
    """An index beside those that constraints bring."""

    name: str
    unique: bool
    method: str | None
    columns: tuple[str, ...]
    where: str | None


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """A table that specgen creates."""

    name: QualifiedName
    description: str | None
    columns: tuple[PlannedColumn, ...]
    constraints: tuple[Constraint, ...]
    indexes: tuple[PlannedIndex, ...]


def plan_table(entity: Entity, project: Project) -> PlannedTable | None:
    """Return the table of a managed entity, nothing for one that exists already."""
    if not entity.managed:
        return None
    return PlannedTable(
        name=QualifiedName(entity.schema, entity.table),
        description=entity.description,
        columns=tuple(_column(item, entity) for item in entity.fields),
        constraints=_constraints(entity, project),
        indexes=tuple(_index(item, entity) for item in entity.indexes),
    )


def _column(field: Field, entity: Entity) -> PlannedColumn:
    default = _default(field) if field.default is not None else None
    identity = False
    drawn = entity.primary_key == ("id",) and field.name == "id" and field.references is None
    if drawn and field.generated is None and default is None and not field.type.array:
        default = "gen_random_uuid()" if field.type.base == "uuid" else None
        identity = field.type.base in ("integer", "bigint")
    return PlannedColumn(
        name=field.name,
        type=field.type.sql,
        default=default if field.generated is None else None,
        generated=_sql(field.generated) if field.generated else None,
        identity=identity,
        nullable=field.nullable and field.name not in entity.primary_key,
        description=field.description,
    )


def _default(field: Field) -> str:
    match field.default:
        case Literal(value):
            return constant(value, field.type)
        case Expression(fragment):
            return _sql(fragment)
        case _:
            return "NULL"


def _sql(fragment: SqlFragment) -> str:
    return one_line_strings(fragment.source.strip(), settled=True)


def _constraints(entity: Entity, project: Project) -> tuple[Constraint, ...]:
    result: list[Constraint] = []
    if entity.primary_key:
        result.append(PrimaryKey(naming.constraint(entity.table, (), "pkey"), entity.primary_key))
    for field in entity.fields:
        result += _field_constraints(field, entity, project)
    return tuple(result)


def _field_constraints(field: Field, entity: Entity, project: Project) -> Iterator[Constraint]:
    column, own = ident(field.name), (field.name,)

    def named(kind: str) -> str:
        return naming.constraint(entity.table, own, kind)

    if field.unique and entity.primary_key != own:
        yield Unique(named("key"), own)
    if field.type.enum:
        values = ", ".join(literal(value) for value in field.type.enum)
        test = f"{column} <@ ARRAY[{values}]" if field.type.array else f"{column} IN ({values})"
        yield Checked(named("enum"), test)
    if field.check:
        yield Checked(named("check"), _sql(field.check))
    if field.references:
        target = project.entity(field.references.entity)
        action = field.references.on_delete
        yield ForeignKey(
            name=named("fkey"),
            columns=own,
            table=QualifiedName(target.schema, target.table),
            referred=(field.references.column,),
            on_delete=action.upper().replace("_", " ") if action else None,
        )


def _index(index: Index, entity: Entity) -> PlannedIndex:
    return PlannedIndex(
        name=index.name or naming.constraint(entity.table, index.columns, "idx"),
        unique=index.unique,
        method=index.method,
        columns=index.columns,
        where=_sql(index.where) if index.where else None,
    )
