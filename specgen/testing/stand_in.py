"""Stands in for a function that a step calls: notes each call, refuses what the test wants refused.

What the user's function does is the user's; how it is called, and what becomes of its result, is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from specgen.testing import candidates
from specgen.testing.joins import quote
from specgen.testing.solve import Unbreakable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from specgen.testing.case import Record
    from specgen.testing.subject import Called, Step

_FIND = """
    SELECT n.nspname AS schema,
           p.proname AS name,
           p.prokind = 'f' AS plain,
           p.proretset AS many,
           pg_get_function_arguments(p.oid) AS arguments,
           pg_get_function_identity_arguments(p.oid) AS identity,
           pg_get_function_result(p.oid) AS result,
           coalesce(p.proargnames, '{}') AS names,
           coalesce(p.proargmodes::text[], array_fill('i'::text, ARRAY[p.pronargs::integer])) AS modes,
           ARRAY(SELECT format_type(a.type, NULL)
                   FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]))
                        WITH ORDINALITY AS a (type, n)
                  ORDER BY a.n) AS types,
           t.typtype = 'c' AS composite,
           CASE WHEN t.typtype = 'c'
                THEN ARRAY(SELECT format_type(a.atttypid, a.atttypmod)
                             FROM pg_attribute AS a
                            WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                            ORDER BY a.attnum)
                ELSE ARRAY[format_type(p.prorettype, NULL)] END AS columns
      FROM pg_proc AS p
      JOIN pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_type AS t ON t.oid = p.prorettype
     WHERE p.proname = %(name)s
       AND CASE WHEN %(schema)s::text IS NULL
                THEN pg_function_is_visible(p.oid)
                ELSE n.nspname = %(schema)s END
       AND %(count)s BETWEEN p.pronargs - p.pronargdefaults AND p.pronargs
"""
_NAMED = re.compile(r'("?[^"\s]+"?) => ')


@dataclass(frozen=True, slots=True)
class _Function:
    """A function as the catalog has it; ``types`` are those of all its parameters, ``modes`` too."""

    schema: str
    name: str
    plain: bool
    many: bool
    arguments: str
    identity: str
    result: str
    names: list[str]
    modes: list[str]
    types: list[str]
    composite: bool
    columns: list[str]

    @property
    def inputs(self) -> list[int]:
        """The places of the parameters that callers pass, counted from 1."""
        return [place for place, mode in enumerate(self.modes, 1) if mode in "ibv"]

    @property
    def outputs(self) -> list[tuple[int, str]]:
        """Place and type of the parameters that it returns."""
        return [(place, self.types[place - 1]) for place, mode in enumerate(self.modes, 1) if mode in "obt"]

    @property
    def body(self) -> str:
        """What the stand-in returns: two rows where it returns rows, else one value."""
        if self.result == "void":
            return ""
        kinds = [kind for _, kind in self.outputs] or self.columns
        if self.many:
            rows = (f"({', '.join(_made(kind, number) for kind in kinds)})" for number in (1, 2))
            return f"RETURN QUERY VALUES {', '.join(rows)};"
        if self.outputs:
            return " ".join(f"${place} := {_made(kind, 1)};" for place, kind in self.outputs)
        if self.composite:
            return f"RETURN ROW({', '.join(_made(kind, 1) for kind in kinds)});"
        return f"RETURN {_made(self.result, 1)};"


def missing(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether there is no function of that name, as SQL writes it."""
    schema, plain = _split(name)
    query = """
        SELECT FROM pg_proc AS p
          JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE p.proname = %(name)s
           AND CASE WHEN %(schema)s::text IS NULL THEN pg_function_is_visible(p.oid)
                    ELSE n.nspname = %(schema)s END
    """
    return connection.execute(query, {"name": plain, "schema": schema}).fetchone() is None


@dataclass(slots=True)
class StandIn:
    """A function of a test in place of the user's.

    Attributes:
        connection: Where it stands.
        called: How the step calls it.
        step: What calls it.
        types: The type of each argument that the step passes.
        places: Its place among the function's parameters.
        returns: The rows that each call returns, as a step keeps them.
    """

    connection: psycopg.Connection[Any]
    called: Called
    step: Step
    types: list[str]
    places: list[int]
    returns: list[Any]

    @classmethod
    def install(cls, connection: psycopg.Connection[Any], called: Called, step: Step) -> StandIn:
        """Set the user's function aside and put one in its place.

        Raises:
            Unbreakable: It cannot be replaced.
        """
        schema, plain = _split(called.name)
        wanted = {"name": plain, "schema": schema, "count": len(called.arguments)}
        with connection.cursor(row_factory=class_row(_Function)) as cursor:
            found = cursor.execute(_FIND, wanted).fetchall()
        assert found, (
            f"there is no function {called.name} that takes {len(called.arguments)} arguments: "
            "name the file that makes it in setup_sql of specgen.yaml"
        )
        function = found[0]
        if len(found) > 1 or function.schema == "pg_catalog" or not function.plain:
            raise Unbreakable(
                f"nothing can stand in for {called.name}: it is PostgreSQL's, or there are several"
            )
        whole = f"{quote(function.schema)}.{quote(function.name)}"
        noted = ", ".join(f"${place}" for place in function.inputs)
        connection.execute(
            f"ALTER FUNCTION {whole}({function.identity}) RENAME TO specgen_test_set_aside;"
            f"CREATE FUNCTION {whole}({function.arguments}) RETURNS {function.result} "
            "LANGUAGE plpgsql AS $specgen$ BEGIN "
            f"PERFORM specgen_test.note_call(jsonb_build_array({noted})); {function.body} END $specgen$"
        )
        passed = ", ".join(f"NULL::{function.types[place - 1]}" for place in function.inputs)
        query = f"SELECT to_jsonb(returned) FROM (SELECT value.* FROM {whole}({passed}) AS value) AS returned"
        returns = [row[0] for row in connection.execute(query).fetchall()]
        connection.execute("TRUNCATE specgen_test.called")
        places = list(_places(function, called))
        return cls(
            connection=connection,
            called=called,
            step=step,
            types=[function.types[place - 1] for place in places],
            places=[function.inputs.index(place) for place in places],
            returns=returns,
        )

    def refuse(self, records: list[Record], values: dict[str, tuple[str, Any]]) -> None:
        """Let calls for these records fail."""
        for arguments in self.expected([[item] for item in records], values):
            self.connection.execute(
                "INSERT INTO specgen_test.refused_calls VALUES (%s, %s)",
                (Jsonb(arguments), self.called.collected),
            )

    def noted(self) -> list[list[Any]]:
        """The arguments of the calls that were made and not undone, as far as the step passes them."""
        rows = self.connection.execute("SELECT arguments FROM specgen_test.called ORDER BY place").fetchall()
        return [[row[0][place] for place in self.places] for row in rows]

    def expected(self, batches: list[list[Record]], values: dict[str, tuple[str, Any]]) -> list[list[Any]]:
        """The arguments of the calls for records that come in these batches, evaluated by the database."""
        slices = batches if self.called.collected else [[item] for batch in batches for item in batch]
        given = ", ".join(f"%({name})s::{kind} AS {quote(name)}" for name, (kind, _) in values.items())
        fields = self.step.fields
        columns = [quote(item.name) for item in fields]
        read = [
            f"array_agg({name} ORDER BY n) AS {name}" if self.called.collected else name for name in columns
        ]
        types = ", ".join(f"{name} {item.type}" for name, item in zip(columns, fields, strict=True))
        record = (
            f"(SELECT {', '.join(read)} FROM ROWS FROM (jsonb_to_recordset(%(specgen_slice)s) AS ({types})) "
            f"WITH ORDINALITY AS handed ({', '.join(columns)}, n))"
            if fields
            else "(SELECT 1 AS specgen_nothing)"
        )
        arguments = []
        for text, kind in zip(self.called.arguments, self.types, strict=True):
            value = _NAMED.sub("", text, count=1).replace("%", "%%")
            arguments.append(f"({value})" if kind.startswith("any") else f"({value})::{kind}")
        query = (
            f"SELECT jsonb_build_array({', '.join(arguments)}) FROM (SELECT {given or '1 AS specgen_none'}) "
            f"AS parameters CROSS JOIN {record} AS {quote(self.step.item)}"
        )
        found = []
        for part in slices:
            bound = {name: value for name, (_, value) in values.items()}
            row = self.connection.execute(
                query, {**bound, "specgen_slice": Jsonb([item.item for item in part])}
            ).fetchone()
            found.append(list(row[0]) if row else [])
        return found


def _places(function: _Function, called: Called) -> Iterator[int]:
    """The place of the parameter that each argument is for."""
    for number, argument in enumerate(called.arguments):
        named = _NAMED.match(argument)
        yield function.names.index(named[1].strip('"')) + 1 if named else function.inputs[number]


def _made(kind: str, number: int) -> str:
    value = candidates.nth(kind, number)
    if value is None:
        found = candidates.of_type(kind)
        return f"({found[0] if found else 'NULL'})::{kind}"
    return f"{sql.Literal(value).as_string(None)}::{kind}"


def _split(name: str) -> tuple[str | None, str]:
    """Schema and name of a function as SQL writes it."""
    found = re.findall(r'"((?:[^"]|"")+)"|([^".]+)', name)
    parts = [(quoted or plain).replace('""', '"') for quoted, plain in found]
    return (parts[0], parts[1]) if len(parts) > 1 else (None, parts[0])
