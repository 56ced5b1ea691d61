"""Validation of records: the rules that a row must meet before it is written, and what becomes of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.spec.fragments import SqlFragment, parse_fragment
from specgen.spec.model import OperationType, RecordSource, RelationSource, Source, Validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.entities import Draft

    Getter = Callable[[str], Node | None]

_KEYS = ("validation_rules", "skip_invalid_rows", "reject_file")


def read_validation(
    own: Node, get: Getter, target: Draft, type_: OperationType, *, source: Source, findings: Findings
) -> Validation:
    """Read ``validation_rules``, ``skip_invalid_rows`` and ``reject_file``.

    Args:
        own: The operation's own keys: what the project gives as a default is no mistake elsewhere.
        get: Its keys, the project's defaults included.
        target: The entity that is written.
        type_: What the operation does.
        source: What it works through.
        findings: Gets what is wrong.
    """
    if not isinstance(source, RecordSource | RelationSource) or type_ is OperationType.CUSTOM_FUNCTION:
        for key in _KEYS:
            node = own.get(key)
            if node is not None:
                message = f"{key} is about records that become rows, and there are none here"
                findings.error(
                    "wrong-mix", node.key_span, message, "add data_source: :records or csv_file, or remove it"
                )
        return Validation()
    rules, skip, reject = get("validation_rules"), get("skip_invalid_rows"), get("reject_file")
    _refuse_reject_file(own, get, source, findings)
    found = [_rule(item, target, type_, findings) for item in rules.each()] if rules else []
    return Validation(
        rules=tuple(rule for rule in found if rule),
        skip_invalid=bool(skip and skip.value),
        reject_file=reject.value if reject else None,
    )


def _refuse_reject_file(own: Node, get: Getter, source: Source, findings: Findings) -> None:
    """Report a file for rejected lines where no lines can be rejected."""
    node, atomic = own.get("reject_file"), get("atomic")
    if node is None:
        return
    if not isinstance(source, RecordSource):
        message = "reject_file is for lines of a file, and these records come from none"
        help = "remove it: batch_operation_errors has the records"
        findings.error("wrong-mix", node.key_span, message, help)
    elif atomic is not None and atomic.value is True:
        message = "an atomic operation writes all records or none, so reject_file stays empty"
        findings.error("wrong-mix", node.key_span, message, "remove reject_file or atomic")


def _rule(node: Node, target: Draft, type_: OperationType, findings: Findings) -> SqlFragment | None:
    fragment = parse_fragment(node.value, node.locate, target.scope("a validation rule"), findings)
    if fragment is None:
        return None
    for name in fragment.parameters:
        if name.field is not None:
            findings.error(
                "unknown-item",
                name.span,
                f":{name.name}.{name.field} is a field of a record, and a rule is about the row it becomes",
                f"name the column: {name.field}",
            )
            return None
    generated = {field.name for field in target.fields if field.generated}
    for column in fragment.columns:
        if column.name in generated and type_ is not OperationType.DELETE:
            findings.error(
                "generated-column",
                column.span,
                f'"{column.name}" is generated: it has a value only once the row is written',
                "name the columns that it is computed from",
            )
            return None
    return fragment
