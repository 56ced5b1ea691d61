"""Texts that a condition compares with a column, and that the column can never hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from specgen.diagnostics import Findings, Span

_KINDS = (
    "AEXPR_OP", "AEXPR_IN", "AEXPR_OP_ANY", "AEXPR_OP_ALL", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT",
)  # fmt: skip
_SAME = ("=", "<>", "!=")


@dataclass(frozen=True, slots=True)
class ComparedText:
    """A text that is held to be the same as a column's value, or another; ``start`` in the parsed query."""

    column: str
    text: str
    start: int


def texts_compared(node: dict[str, Any]) -> Iterator[ComparedText]:
    """Yield the texts that a comparison, an ``A_Expr`` of PostgreSQL's grammar, holds against a column."""
    if node["kind"] not in _KINDS or node["name"][-1]["String"]["sval"] not in _SAME:
        return
    left, right = _sides(node.get("lexpr")), _sides(node.get("rexpr"))
    for one, other in ((left, right), (right, left)):
        column = _column(one[0]) if len(one) == 1 else None
        if column is None:
            continue
        for item in other:
            constant = item.get("A_Const", {})
            text = constant.get("sval", {}).get("sval", "" if "sval" in constant else None)
            if text is not None:
                yield ComparedText(column, text, constant["location"])


def _sides(node: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return what stands on one side: the items of a list, or the expression."""
    if node is None:
        return []
    for kind, items in (("List", "items"), ("A_ArrayExpr", "elements")):
        if kind in node:
            return list(node[kind].get(items, ()))
    return [node]


def _column(node: dict[str, Any]) -> str | None:
    last = node.get("ColumnRef", {}).get("fields", [{}])[-1]
    found = last.get("String", {}).get("sval")
    return found if isinstance(found, str) else None


def report_unlisted(
    texts: Iterable[tuple[ComparedText, int]],
    enums: Mapping[str, tuple[str, ...]],
    locate: Callable[[int, int], Span],
    findings: Findings,
) -> None:
    """Warn of texts that are none of a column's values: the comparison says the same of every row.

    Args:
        texts: Each with where it ends.
        enums: The columns whose values are listed, with the values.
        locate: Where a stretch of the fragment stands.
        findings: Gets the warnings.
    """
    for item, end in texts:
        allowed = enums.get(item.column, (item.text,))
        if item.text not in allowed:
            listed = f"allowed: {', '.join(allowed)}"
            near = did_you_mean(item.text, allowed)
            findings.warning(
                "unlisted-value",
                locate(item.start, end),
                f"\"{item.column}\" is never '{item.text}'",
                f"{near} ({listed})" if near else listed,
            )
