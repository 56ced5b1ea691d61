r"""Text from elsewhere as characters that do nothing: a terminal obeys some, and shows others backwards.

What comes from a database, a file or a peer may hold escape sequences (also as single C1 characters),
carriage returns and marks that turn the direction of writing. They are shown as ``\x1b`` or ``\u202e``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_OBEYED = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Line ends to some programs, and halves of characters, which no stream can encode.
_OTHERS = "\u2028\u2029\ufeff\ud800-\udfff"
_IN_LINES = re.compile(f"[{_OBEYED}{_TURNING}{_OTHERS}]")
_IN_VALUE = re.compile(f"[\t\n{_OBEYED}{_TURNING}{_OTHERS}]")
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: str) -> str:
    """Return a value on one line: every control character in it is shown."""
    return _IN_VALUE.sub(_shown, text)


def visible_lines(text: str) -> str:
    """Return text whose lines and tabs are meant, with every other control character shown."""
    return _IN_LINES.sub(_shown, text)


def json_text(document: Any, *, default: Callable[[Any], Any] | None = None) -> str:
    """Return a document as JSON that is readable and does nothing to a terminal.

    JSON itself escapes the control characters of ASCII; the others stand only within strings.
    """
    return escaped_json(_dumps(document, indent=2, default=default))


def json_line(value: Any) -> str:
    """Return a value as JSON on a line."""
    return escaped_json(_dumps(value, indent=None, default=None))


def _dumps(document: Any, *, indent: int | None, default: Callable[[Any], Any] | None) -> str:
    """Return JSON in which numbers that were read as decimals have the digits that they had."""
    import json  # not where only text is printed
    import secrets
    from decimal import Decimal

    mark = secrets.token_hex(8)

    def plain(value: Any) -> Any:
        if isinstance(value, Decimal) and value.is_finite():
            return f"{mark}{value}"
        return str(value) if default is None else default(value)

    text = json.dumps(document, indent=indent, ensure_ascii=False, default=plain)
    return re.sub(f'"{mark}([^"]*)"', r"\1", text)


def escaped_json(text: str) -> str:
    """Return JSON that says the same and does nothing to a terminal."""
    return _IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _NAMED.get(found[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
