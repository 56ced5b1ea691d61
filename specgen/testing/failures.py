"""How a record can fail, and how the error row must then describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.testing.candidates import refuses_words
from specgen.testing.case import Failure
from specgen.testing.subject import REFUSAL, RULE, Step

if TYPE_CHECKING:
    from specgen.testing.catalog import Table

_SQLSTATE = {"c": "23514", "u": "23505", "p": "23505", "f": "23503"}
# What PostgreSQL says about text that is no value of a type depends on the type.
_UNREADABLE = ("22P02", "22007", "22008", "22023")


def failure_named(step: Step, table: Table, name: str | None) -> Failure:
    """Describe a failure by its name in the test file.

    Raises:
        LookupError: The table has no such constraint.
    """
    name = name or default_failure(step, table)
    if name == REFUSAL:
        return Failure(name, ("P0001",), "specgen_test_refusal", step.key[0])
    if name.startswith(RULE):
        return Failure(name, ("P0B08",), None, step.rule_columns.get(name.removeprefix(RULE)))
    if name.startswith("NOT NULL "):
        return Failure(name, ("23502",), None, name.removeprefix("NOT NULL "))
    if name.startswith("unreadable "):
        return Failure(name, _UNREADABLE, None, name.removeprefix("unreadable "))
    if name.startswith("referenced by "):
        wanted = name.removeprefix("referenced by ")
        found = next((item for _, item in table.children if item.name == wanted), None)
        columns = found.parent_columns if found else ()
    else:
        found = next((item for item in table.constraints if item.name == name), None)
        columns = found.columns if found else ()
    if found is None:
        raise LookupError(f"the database has no constraint {name} at {table.name}")
    return Failure(name, (_SQLSTATE[found.kind],), found.name, ", ".join(columns))


def default_failure(step: Step, table: Table) -> str:
    """A failure that always can be had for one record among others."""
    if step.fallback:
        return step.fallback
    if not step.inserts:
        return REFUSAL
    if any(step.field_of(name) for name in table.unique_columns):
        return REFUSAL
    for item in step.fields:
        if refuses_words(item.type):
            return f"unreadable {item.name}"
    for column in table.columns:
        if column.not_null and step.field_of(column.name):
            return f"NOT NULL {column.name}"
    return REFUSAL
