"""The relations that steps go through, as queries whose rows are records.

Each query yields a column ``record``, jsonb, in the order in which the records are numbered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.plan.sqltext import ident
from specgen.spec.model import ListRows, QueryRows, TableRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.spec.fragments import SqlFragment


def relation_query(
    relation: TableRows | QueryRows | ListRows,
    *,
    variable: Callable[[str], str],
    is_own: Callable[[str], bool],
    sql: Callable[[SqlFragment], str],
) -> str:
    """Return the query of a relation's records; those that an earlier step yields the engine finds by itself.

    Args:
        relation: What is gone through.
        variable: Gives the SQL of a parameter by its name.
        is_own: Says whether a parameter is of a type of the user's own.
        sql: Gives the SQL of a fragment, its parameters replaced.
    """
    match relation:
        case TableRows(schema, table, order_by):
            lines = [
                "SELECT to_jsonb(source) AS record",
                f"  FROM {ident(schema)}.{ident(table)} AS source",
            ]
            if order_by:
                lines.append(f" ORDER BY {', '.join(f'source.{ident(name)}' for name in order_by)}")
        case QueryRows(query):
            indented = sql(query).replace("\n", "\n       ")
            lines = ["SELECT to_jsonb(source) AS record", f"  FROM {indented} AS source"]
        case ListRows(parameter, records=True):
            lines = [
                "SELECT source.record",
                f"  FROM jsonb_array_elements({variable(parameter)})",
                "       WITH ORDINALITY AS source (record, place)",
                " ORDER BY source.place",
            ]
        case ListRows(parameter) if is_own(parameter):
            # In FROM, unnest() would spread what is a row by itself.
            lines = [
                "SELECT jsonb_build_object('value', source.value) AS record",
                f"  FROM (SELECT unnest({variable(parameter)}) AS value) AS source",
            ]
        case ListRows(parameter):
            lines = [
                "SELECT jsonb_build_object('value', source.value) AS record",
                f"  FROM unnest({variable(parameter)})",
                "       WITH ORDINALITY AS source (value, place)",
                " ORDER BY source.place",
            ]
    return "\n".join(lines)
