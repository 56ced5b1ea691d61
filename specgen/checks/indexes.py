"""Indexes that a batch needs: for its key, for rows that refer to what it deletes, for its condition.

The first two are looked for with every record or every batch: without an index each of them reads a whole
table. The condition is looked for once, when an operation is planned, so its table has to be large before it
is worth a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from specgen.checks.conditions import tested_columns
from specgen.checks.indexfacts import Facts, Lack, views_of
from specgen.database.connection import explain
from specgen.plan.driving import Rows
from specgen.plan.sqltext import ident
from specgen.plan.writes import Call, Delete, Insert, Select, Update, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from specgen.checks.parts import Part
    from specgen.checks.probe import Probe
    from specgen.database.connection import Connection
    from specgen.diagnostics import Findings
    from specgen.plan.planned import PlannedOperation, PlannedStep
    from specgen.plan.writes import Write
    from specgen.spec.model import Project

    Below = Callable[[str], str | None]

MATTERS = 1024 * 1024
"""Bytes from which reading a whole table again and again takes long: 8,000 times 1 MB are seconds."""
LARGE = 64 * 1024 * 1024
"""Bytes from which reading a whole table once takes long."""
_FEW = 10
"""An index over a column of fewer values finds so many rows that the table is read instead."""

_NO_JIT = "SET LOCAL jit = off"
"""How many partitions a table has is only guessed: compiling for that many would take seconds."""


def tables_of(steps: Sequence[PlannedStep]) -> list[str]:
    """Return the tables that steps work on."""
    return [
        f"{ident(step.table.schema)}.{ident(step.table.name)}"
        for step in steps
        if not isinstance(step.write, Call)
    ]


def lacks(step: PlannedStep, facts: Facts) -> Iterator[Lack]:
    """Yield the indexes that a step lacks."""
    relation, below = facts.below(step.table.schema, step.table.name)
    if relation is None or isinstance(step.write, Call):
        return
    yield from _of_key(step, relation, facts, below)
    yield from _of_references(step, relation, facts, below)
    yield from _of_condition(step, relation, facts, below)


def _of_key(step: PlannedStep, relation: int, facts: Facts, below: Below) -> Iterator[Lack]:
    key = step.key
    columns = _named(key.columns, below) if key else ()
    if key is None or not columns:
        return
    if key.use != "several" and not facts.serves(relation, lambda index: index.tells(columns)):
        return  # key-not-unique says so
    # An upsert finds its conflicts by the unique index that it needs.
    finds = not isinstance(step.write, Insert | Upsert) and key.use != "rows"
    if finds and not facts.serves(relation, lambda index: index.finds(columns)):
        why = "each batch reads the whole table to find its records' rows"
        yield facts.lack(relation, columns, MATTERS, why)
    if key.use == "rows" and not facts.serves(
        relation, lambda index: index.finds(columns[:1]) and index.method == "btree"
    ):
        why = "each batch reads the whole table to find where the key goes on"
        yield facts.lack(relation, columns, MATTERS, why)


def _of_references(step: PlannedStep, relation: int, facts: Facts, below: Below) -> Iterator[Lack]:
    written = {below(column) for column in _rewritten(step.write)}
    seen: set[tuple[int, tuple[str, ...]]] = set()
    for found in facts.references.get(relation, ()):
        child, columns = found["child"], tuple(found["columns"])
        touched = isinstance(step.write, Delete) or (found["direct"] and written & set(found["referred"]))
        if not touched or (child, columns) in seen:
            continue
        seen.add((child, columns))
        if not facts.serves(child, lambda index, wanted=columns: index.finds(wanted)):  # type: ignore[misc]
            done = "deleted" if isinstance(step.write, Delete) else "changed"
            yield facts.lack(
                child,
                columns,
                MATTERS,
                f"its foreign key {found['name']} reads it whole for each row that is {done}",
            )


def _rewritten(write: Write) -> set[str]:
    """Return the columns of rows that are there which are written."""
    match write:
        case Update(assignments=assignments):
            return {item.column for item in assignments}
        case Upsert(update_columns=columns):
            return set(columns)
        case Insert() | Delete() | Select() | Call():
            return set()


def _of_condition(step: PlannedStep, relation: int, facts: Facts, below: Below) -> Iterator[Lack]:
    found = facts.tables[relation]
    if not isinstance(step.driving, Rows) or not step.condition or int(found["bytes"]) < LARGE:
        return
    variables = {item.name for item in step.driving.listing.arguments}
    tested = tested_columns(step.condition.sql, step.table.name, variables)
    names = _named([item.column for item in tested], below)
    if not names:
        return
    values = found["values"] or {}
    telling = any(not item.equality or not 0 < values.get(below(item.column), _FEW) < _FEW for item in tested)
    if telling and not facts.serves(relation, lambda index: index.answers(names)):
        best = _named([item.column for item in tested if item.equality], below) or names
        yield facts.lack(
            relation, best[:1], LARGE, "the whole table is read to find what meets the condition"
        )


def _named(columns: Sequence[str], below: Below) -> tuple[str, ...]:
    """Return what columns are called in the table that holds the rows; nothing where one is computed."""
    names = [below(column) for column in dict.fromkeys(columns)]
    return tuple(name for name in names if name is not None) if None not in names else ()


def check_indexes(parts: Sequence[Part], project: Project, probe: Probe, findings: Findings) -> None:
    """Report the indexes that an operation's parts lack, those that its project declares counted as there."""
    probe.connection.execute(_NO_JIT)
    places = tables_of([part.planned for part in parts])
    facts = Facts(probe.rows, places, views_of(probe.rows, places))
    managed = {(item.schema, item.table): item for item in project.entities if item.managed}
    for entity in managed.values():
        for index in entity.indexes:
            predicate = index.where.source if index.where else None
            facts.declare(entity.schema, entity.table, index.columns, predicate)
    for part in parts:
        for lack in lacks(part.planned, facts):
            home = managed.get((lack.schema, lack.table))
            help = (
                lack.statement
                if home is None
                else f"{lack.statement}, or {_declaration(lack)} in {home.file}"
            )
            findings.warning("no-index", part.operation.span, lack.message, help)


def lacking_in_a_run(connection: Connection, operation: PlannedOperation) -> list[Lack]:
    """Return the indexes that an operation lacks where the tables are so large that a run will feel it.

    Raises:
        DatabaseUnavailable: The connection was lost. Nothing else keeps a run from beginning: what cannot be
            seen, or is locked, is left.
    """

    def rows(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        # One message, which is a transaction by itself: no setting stays, behind a pooler neither.
        literals = [sql.Literal(value) for value in values]
        facts = sql.SQL(query.replace("%s", "{}")).format(*literals)
        cursor = connection.execute(
            sql.SQL("SET LOCAL lock_timeout = '1s'; {}; {}").format(sql.SQL(_NO_JIT), facts)
        )
        while cursor.nextset():
            pass
        return cursor.fetchall()

    try:
        facts = Facts(rows, tables_of(operation.steps))
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise explain(error) from error
        return []
    found = [lack for step in operation.steps for lack in lacks(step, facts)]
    return [lack for lack in dict.fromkeys(found) if lack.bytes >= lack.least]


def _declaration(lack: Lack) -> str:
    columns = ", ".join(lack.columns)
    return f"indexes: [{columns if len(lack.columns) == 1 else f'{{columns: [{columns}]}}'}]"
