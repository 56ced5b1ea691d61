"""Columns that records find their rows by, and that an update writes as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.spec.fragments import ParameterName
from specgen.spec.model import Defaulted, Expression, Reference

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from specgen.diagnostics import Findings
    from specgen.spec.entities import Draft
    from specgen.spec.model import Assignment, Value


def report_moved(
    data: Sequence[Assignment], match_on: Collection[str], target: Draft, findings: Findings
) -> None:
    """Report what an update writes to the columns that its records are matched by, but their own values.

    Where the primary key is among those columns, a row is met by the records that name it, and by no others.

    Args:
        data: What the update writes.
        match_on: The columns by which a record finds its rows.
        target: The entity that it writes.
        findings: Gets what is wrong.
    """
    if target.primary_key and set(target.primary_key) <= set(match_on):
        return
    for item in data:
        if item.column in match_on and not _is_own(item.value, item.column):
            findings.warning(
                "match-update",
                item.span,
                f'rows are found by "{item.column}", which this changes: another record may meet the row '
                "under its new value, so what is written depends on the order of the records",
                _remedy(target),
            )


def _is_own(value: Value, column: str) -> bool:
    """Whether a value is the record's field by which its rows were found."""
    match value:
        case Reference(field=field):
            return field == column
        case Defaulted(item):
            return _is_own(item, column)
        case Expression(fragment):
            parts = [part for part in fragment.parts if not isinstance(part, str) or part.strip(" \n()")]
            return len(parts) == 1 and isinstance(parts[0], ParameterName) and parts[0].field == column
    return False


def _remedy(target: Draft) -> str:
    key = ", ".join(target.primary_key)
    if not key:
        return "match on columns that the operation does not change"
    return f"hand in each row's {key} and write match_on: [{key}], or match on columns that do not change"
