"""Names as PostgreSQL takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specgen.diagnostics import Findings, Span

MAX_BYTES = 63


def check_name(name: str, span: Span, what: str, findings: Findings) -> bool:
    """Report a name that PostgreSQL cannot hold; return whether it can."""
    size = len(name.encode())
    if not name.strip():
        findings.error("bad-name", span, f"the {what} is empty", "give it a name")
    elif "\0" in name:
        findings.error("bad-name", span, f"the {what} holds a NUL character", "remove it")
    elif size > MAX_BYTES:
        message = f"the {what} has {size} bytes, and PostgreSQL's names have at most {MAX_BYTES}"
        findings.error("name-too-long", span, message, f'shorten it, for example to "{_cut(name)}"')
    else:
        return True
    return False


def _cut(name: str) -> str:
    return name.encode()[:MAX_BYTES].decode(errors="ignore").rstrip("_ ")
