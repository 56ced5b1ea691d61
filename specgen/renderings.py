"""Renderings of findings: text for people, JSON, SARIF 2.1.0, and annotations for GitHub.

All of them only format; reading a line of a spec file is the caller's, so that nothing here touches the
disk and the same findings give the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from specgen.diagnostics import Severity
from specgen.rules import RULES
from specgen.visible import json_text, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specgen.diagnostics import Finding, Span

    LineReader = Callable[[str, int], str | None]

_MAX_EXCERPT = 160


def render_text(findings: Sequence[Finding], read_line: LineReader) -> str:
    """Return findings for people: place, code and message, then the line, underlined, and the help.

    Args:
        findings: What was found.
        read_line: Returns a line of a file (counted from 1), or nothing when it cannot be had.
    """
    return "".join(_text(finding, read_line) for finding in findings)


def _text(finding: Finding, read_line: LineReader) -> str:
    span = finding.span
    place = f"{_one_line(span.file)}:{span.start.line}:{span.start.column}"
    lines = [f"{place}: {finding.severity}[{finding.code}]: {_one_line(finding.message)}"]
    source = read_line(span.file, span.start.line)
    if source is not None and source.strip():
        lines += _excerpt(source, span)
    if finding.help:
        lines.append(f"   help: {_one_line(finding.help)}")
    return "\n".join(lines) + "\n"


def _excerpt(source: str, span: Span) -> list[str]:
    """Return the line and its underline, cut around the finding where the line is very long."""
    source = "".join(" " if character in "\t\r\v\f" else character for character in source.rstrip("\r\n"))
    start = span.start.column - 1
    end = span.end.column - 1 if span.end.line == span.start.line else len(source.rstrip())
    first = max(0, start - _MAX_EXCERPT // 2) if len(source) > _MAX_EXCERPT else 0
    shown = source[first : first + _MAX_EXCERPT]
    width = max(1, min(end - first, len(shown)) - (start - first))
    number = f"{span.start.line:>5}"
    return [
        f"{number} | {_visible(shown)}".rstrip(),
        f"{' ' * len(number)} | {' ' * (start - first)}{'^' * width}",
    ]


def _visible(text: str) -> str:
    """Return text that cannot move a terminal's cursor, character for character."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _one_line(text: str) -> str:
    return visible(text)


def render_json(findings: Sequence[Finding]) -> str:
    """Return findings as a JSON list of objects."""
    return json_text([_plain(finding) for finding in findings]) + "\n"


def _plain(finding: Finding) -> dict[str, Any]:
    span = finding.span
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "file": span.file,
        "line": span.start.line,
        "column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
        "message": finding.message,
        "help": finding.help,
    }


def render_sarif(findings: Sequence[Finding], version: str) -> str:
    """Return findings as a SARIF 2.1.0 log.

    Args:
        findings: What was found.
        version: The version of specgen.
    """
    codes = sorted({finding.code for finding in findings})
    driver = {"name": "specgen", "version": version, "rules": [_sarif_rule(code) for code in codes]}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(finding, codes.index(finding.code)) for finding in findings],
            }
        ],
    }
    return json_text(log) + "\n"


def _sarif_rule(code: str) -> dict[str, Any]:
    # No helpUri: the reference is a page of the repository, and there is no address that stays.
    described = RULES.get(code)
    return {"id": code} if described is None else {"id": code, "shortDescription": {"text": described}}


def _sarif_result(finding: Finding, rule: int) -> dict[str, Any]:
    span = finding.span
    message = finding.message if finding.help is None else f"{finding.message}\n{finding.help}"
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": "error" if finding.severity is Severity.ERROR else "warning",
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(span.file)},
                    "region": {
                        "startLine": span.start.line,
                        "startColumn": span.start.column,
                        "endLine": span.end.line,
                        "endColumn": span.end.column,
                    },
                }
            }
        ],
    }


def render_github(findings: Sequence[Finding]) -> str:
    """Return findings as workflow commands, which GitHub shows beside the changed lines."""
    return "".join(_github(finding) for finding in findings)


def _github(finding: Finding) -> str:
    span = finding.span
    message = finding.message if finding.help is None else f"{finding.message}\n{finding.help}"
    properties: dict[str, object] = {
        "file": span.file,
        "line": span.start.line,
        "endLine": span.end.line,
        "col": span.start.column,
        "endColumn": span.end.column,
        "title": f"specgen {finding.code}",
    }
    if span.end.line != span.start.line:  # GitHub refuses columns that span lines
        del properties["col"], properties["endColumn"]
    listed = ",".join(f"{name}={_escape_property(str(value))}" for name, value in properties.items())
    return f"::{finding.severity} {listed}::{_escape(message)}\n"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
