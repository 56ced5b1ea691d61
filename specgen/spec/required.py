"""Columns that an insert has to give: they cannot be NULL, and nothing else fills them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.spec.model import OperationType

if TYPE_CHECKING:
    from collections.abc import Collection

    from specgen.diagnostics import Findings, Span
    from specgen.spec.entities import Draft
    from specgen.spec.model import Field

_GENERATED_KEYS = ("uuid", "integer", "bigint")


def report_left_out(
    given: Collection[str], kind: OperationType, target: Draft, span: Span, findings: Findings
) -> None:
    """Report required columns of a managed table that an insert or upsert leaves out.

    An upsert is an insert first: PostgreSQL refuses the row before it looks for a conflict.

    Args:
        given: The columns that it gives or has to give for another reason, wrong ones included.
        kind: What the operation does.
        target: The entity that it writes.
        span: Where its data stands.
        findings: Gets what is wrong.
    """
    if kind not in (OperationType.INSERT, OperationType.UPSERT) or not target.managed or not given:
        return
    if not set(given) <= set(target.types):
        return  # a name that is none of them was reported, and may be the one that is missing
    missing = [item.name for item in target.fields if _is_required(item, target) and item.name not in given]
    if missing:
        names = ", ".join(missing)
        findings.error(
            "required-column",
            span,
            f'"{target.name}" cannot have NULL in {names}, which this {kind} does not give',
            f"give {names} a value, or the field a default",
        )


def _is_required(field: Field, target: Draft) -> bool:
    if field.default is not None or field.generated is not None:
        return False
    if target.primary_key == ("id",) and field.name == "id" and field.references is None:
        return field.type.array or field.type.base not in _GENERATED_KEYS
    return not field.nullable or field.name in target.primary_key
