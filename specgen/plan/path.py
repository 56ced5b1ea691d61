"""The search path of an operation's functions: no wider than what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident
from specgen.spec.model import Expression, KeySource, QueryRows, RelationSource
from specgen.spec.resolution import foreign_names
from specgen.spec.types import is_built_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specgen.plan.records import Records
    from specgen.spec.fragments import SqlFragment
    from specgen.spec.model import BatchOperation, Entity, Settings

CLOSED = ("pg_catalog", "pg_temp")
"""Where nobody but a superuser can put anything; temporary objects are last, and no functions."""


def search_path(records: Records, settings: Settings) -> tuple[str, ...]:
    """Return the schemas that an operation's functions search.

    Where all that an operation names is PostgreSQL's own, between values of PostgreSQL's types, no other
    schema is searched: what others create there cannot be taken for it. Else it is the project's path,
    and so it is where the project says one, or where the table was there before: its triggers may have
    been written for a path with more in it.
    """
    if (
        settings.search_path_is_chosen
        or not records.target.managed
        or not _own_types(records)
        or any(foreign_names(item.source) for item in fragments(records))
        or _calls(records)
    ):
        return tuple(ident(name) for name in dict.fromkeys(("pg_catalog", *settings.search_path, "pg_temp")))
    return CLOSED


def _own_types(records: Records) -> bool:
    """Whether all values are of types that PostgreSQL brings."""
    columns = (item.type.base for item in records.target.fields)
    parameters = (item.type for item in records.names.parameters)
    items = (item.type for item in records.fields())
    return all(is_built_in(name) for name in (*columns, *parameters, *items))


def _calls(records: Records) -> bool:
    """Whether a function is called that is looked for."""
    call = records.operation.call
    return call is not None and call.schema is None


def fragments(records: Records) -> Iterator[SqlFragment]:
    """Yield every piece of SQL that an operation's functions may hold."""
    yield from _of_operation(records.operation)
    yield from _of_entity(records.target)


def _of_operation(operation: BatchOperation) -> Iterator[SqlFragment]:
    if operation.where is not None:
        yield operation.where
    values = [item.value for item in operation.data]
    values += [item.value for item in operation.call.arguments] if operation.call else []
    yield from (value.fragment for value in values if isinstance(value, Expression))
    yield from operation.validation.rules
    yield from (item.fragment for item in operation.preconditions)
    match operation.source:
        case KeySource(remainder=remainder) if remainder is not None:
            yield remainder
        case RelationSource(relation=QueryRows(query)):
            yield query
        case _:
            pass


def _of_entity(target: Entity) -> Iterator[SqlFragment]:
    """Yield what is looked at before writing, and what fills a column that is not given."""
    for item in target.fields:
        if item.check is not None:
            yield item.check
        if isinstance(item.default, Expression):
            yield item.default.fragment
