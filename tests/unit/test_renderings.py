"""Findings as people, programs and code review tools read them."""

from __future__ import annotations

import json
import re

from specgen.diagnostics import Finding, Position, Severity, Span
from specgen.renderings import render_github, render_json, render_sarif, render_text

ERROR = Finding(
    "unknown-column",
    Span("entities/orders.yaml", Position(14, 22), Position(14, 28)),
    'table "orders" has no column "statuz"',
    'did you mean "status"?',
)
WARNING = Finding(
    "looks-like-sql",
    Span("a,b:c.yaml", Position(2, 1), Position(4, 3)),
    "100% odd\nname",
    severity=Severity.WARNING,
)
LINES = {("entities/orders.yaml", 14): "    where_condition: statuz = 'done'\n", ("a,b:c.yaml", 2): "a: |"}


def test_text_shows_the_place_the_line_and_the_remedy() -> None:
    assert render_text([ERROR, WARNING], lambda file, line: LINES.get((file, line))) == (
        'entities/orders.yaml:14:22: error[unknown-column]: table "orders" has no column "statuz"\n'
        "   14 |     where_condition: statuz = 'done'\n"
        "      |                      ^^^^^^\n"
        '   help: did you mean "status"?\n'
        "a,b:c.yaml:2:1: warning[looks-like-sql]: 100% odd\\nname\n"
        "    2 | a: |\n"
        "      | ^^^^\n"
    )


def test_text_of_a_line_that_cannot_be_had() -> None:
    assert render_text([ERROR], lambda _file, _line: None).count("\n") == 2


def test_text_cannot_drive_the_terminal() -> None:
    text = render_text([ERROR], lambda _file, _line: "\x1b[2J\tstatuz\x07")
    assert "\x1b" not in text
    assert "\x07" not in text


def test_text_of_a_very_long_line_is_cut_around_the_finding() -> None:
    span = Span("x", Position(1, 5001), Position(1, 5004))
    text = render_text([Finding("c", span, "m")], lambda _file, _line: "a" * 5000 + "BAD" + "a" * 5000)
    excerpt, underline = text.splitlines()[1:]
    assert len(excerpt) < 200
    assert excerpt[underline.index("^") : underline.rindex("^") + 1] == "BAD"


def test_json_is_a_list_of_objects() -> None:
    first, second = json.loads(render_json([ERROR, WARNING]))
    assert first == {
        "code": "unknown-column",
        "severity": "error",
        "file": "entities/orders.yaml",
        "line": 14,
        "column": 22,
        "end_line": 14,
        "end_column": 28,
        "message": 'table "orders" has no column "statuz"',
        "help": 'did you mean "status"?',
    }
    assert second["help"] is None
    assert json.loads(render_json([])) == []


def test_sarif_names_rules_levels_and_regions() -> None:
    (run,) = json.loads(render_sarif([ERROR, WARNING], "1.2.3"))["runs"]
    assert run["tool"]["driver"]["version"] == "1.2.3"
    assert [item["id"] for item in run["tool"]["driver"]["rules"]] == ["looks-like-sql", "unknown-column"]
    error, warning = run["results"]
    assert (error["level"], warning["level"]) == ("error", "warning")
    place = error["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "entities/orders.yaml"
    assert place["region"] == {"startLine": 14, "startColumn": 22, "endLine": 14, "endColumn": 28}
    # A colon in a relative reference would read as a scheme.
    assert warning["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%2Cb%3Ac.yaml"


def test_github_escapes_what_ends_a_property_or_a_line() -> None:
    assert render_github([ERROR, WARNING]) == (
        "::error file=entities/orders.yaml,line=14,endLine=14,col=22,endColumn=28,"
        "title=specgen unknown-column"
        '::table "orders" has no column "statuz"%0Adid you mean "status"?\n'
        "::warning file=a%2Cb%3Ac.yaml,line=2,endLine=4,title=specgen looks-like-sql::100%25 odd%0Aname\n"
    )


def test_github_reads_back_what_was_said() -> None:
    message = "100%0A is no line: a, b::c\r\nd"
    span = Span("a%,b:c\nd.yaml", Position(1, 1), Position(1, 2))
    (line,) = render_github([Finding("c", span, message, "do: x, y%")]).splitlines()
    command, properties, data = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()  # type: ignore[union-attr]
    assert command == "error"
    pairs = dict(pair.split("=", 1) for pair in properties.split(","))
    assert unescaped(pairs["file"], {"%3A": ":", "%2C": ","}) == span.file
    assert unescaped(data, {}) == f"{message}\ndo: x, y%"


def unescaped(text: str, more: dict[str, str]) -> str:
    """What GitHub's runner makes of a value: the percent sign last."""
    for code, character in {"%0D": "\r", "%0A": "\n", **more, "%25": "%"}.items():
        text = text.replace(code, character)
    return text
