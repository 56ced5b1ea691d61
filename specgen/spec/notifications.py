"""Who is told about an operation, and what: the notification keys of section 7 of the language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specgen.spec.model import Channel, Notifications
from specgen.spec.names import check_name
from specgen.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.policies import Getter

FIELDS = (
    "operation_id",
    "operation",
    "entity",
    "status",
    "total_records",
    "processed_records",
    "skipped_records",
    "error_count",
    "batch_count",
    "limit_reached",
    "started_at",
    "completed_at",
    "errors",
    "message",
)
"""What a message may name: the operation, its entity, and all of its result."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_BRACES = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")


def read_notifications(get: Getter, own: Getter, findings: Findings) -> Notifications:
    """Read the keys that say who is told.

    Args:
        get: The operation's keys with the project's defaults.
        own: Its own keys. Channels that are the project's default say nothing about an operation
            that does not notify; its own would be ignored there, so they are refused.
        findings: Gets what is wrong.
    """
    interval, wanted = get("progress_notification_interval"), get("notify_on_completion")
    message, channels = get("notification_message"), get("notification_channels")
    on_completion = wanted is not None and wanted.value
    if not on_completion:
        for key in ("notification_message", "notification_channels"):
            _refuse_unused(key, own(key), findings)
    if message is not None:
        _check_message(message, findings)
    for channel in channels.each() if channels is not None else ():
        check_name(channel.value, channel.span, "channel name", findings)
    return Notifications(
        interval=None if interval is None else int(interval.value),
        on_completion=on_completion,
        message=message.value if message is not None and on_completion else None,
        channels=tuple(channels.value) if channels is not None and on_completion else (),
    )


def read_channels(node: Node | None, findings: Findings) -> tuple[Channel, ...]:
    """Read where the messages of each channel go, from ``specgen.yaml``."""
    return tuple(_channel(name, item, findings) for name, item in node.items()) if node else ()


def _channel(name: str, node: Node, findings: Findings) -> Channel:
    check_name(name, node.key_span, "channel name", findings)
    if isinstance(node.value, dict):
        return Channel(name, env=node.value["env"])
    if not _URL.fullmatch(node.value):
        findings.error(
            "bad-address",
            node.key_span,
            f'the address of channel "{name}" is no URL',
            f"write it as https://..., mailtos://... or another of apprise's, or {name}: {{env: VARIABLE}}",
        )
    return Channel(name, url=node.value)


def _refuse_unused(key: str, node: Node | None, findings: Findings) -> None:
    if node is not None:
        message = f"{key} only says something with notify_on_completion: true"
        findings.error(
            "wrong-mix", node.key_span, message, "add notify_on_completion: true, or remove the key"
        )


def _check_message(node: Node, findings: Findings) -> None:
    """Report fields that a result does not have, and braces that belong to none."""
    locate = node.locate
    if "\0" in node.value:
        findings.error("bad-message", node.span, "notification_message holds a NUL character", "remove it")
    for found in _BRACES.finditer(node.value):
        piece = found.group()
        name = piece[1:-1]
        span = locate(found.start(), found.end())
        if piece in ("{{", "}}") or name in FIELDS:
            continue
        if len(piece) == 1:
            message = f'notification_message has a "{piece}" that belongs to no field'
            findings.error("bad-message", span, message, f'write "{piece * 2}" for the brace itself')
        else:
            message = f'notification_message names "{name}", which is no field of the result'
            near = did_you_mean(name, FIELDS) or f"fields are: {', '.join(FIELDS)}"
            findings.error("unknown-field", span, message, near)
