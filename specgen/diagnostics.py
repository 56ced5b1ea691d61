"""Findings: what is wrong with a spec, where, and what would be right.

A finding is a value; the text, JSON, SARIF and CI forms are renderings of the same list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs: an error stops the run, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; line and column are counted from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file, ``end`` exclusive."""

    file: str
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: Stable and kebab-case, such as ``unknown-column``.
        span: Where.
        message: What is wrong.
        help: What would be right.
    """

    code: str
    span: Span
    message: str
    help: str | None = None
    severity: Severity = Severity.ERROR


@dataclass(slots=True)
class Findings:
    """Collects findings of a run, so that all are reported together."""

    items: list[Finding] = field(default_factory=list)

    def error(self, code: str, span: Span, message: str, help: str | None = None) -> None:
        """Add an error."""
        self.items.append(Finding(code, span, message, help))

    def warning(self, code: str, span: Span, message: str, help: str | None = None) -> None:
        """Add a warning."""
        self.items.append(Finding(code, span, message, help, Severity.WARNING))

    @property
    def failed(self) -> bool:
        """Whether there is any error among them."""
        return any(item.severity is Severity.ERROR for item in self.items)
