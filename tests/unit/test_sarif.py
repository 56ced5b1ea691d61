"""SARIF as other tools take it: held against the part of the standard that is used, for every mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft202012Validator

from specgen.diagnostics import Finding, Position, Severity, Span
from specgen.renderings import render_sarif
from specgen.rules import RULES
from specgen.spec.build import load_project

TESTS = Path(__file__).parents[1]
SCHEMA = json.loads((TESTS / "data/sarif-subset.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
CASES = sorted((TESTS / "golden/errors").iterdir())


def log(findings: list[Finding]) -> Any:
    data = json.loads(render_sarif(findings, "1.2.3"))
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []
    (run,) = data["runs"]
    return run


def valid_log() -> Any:
    return json.loads(render_sarif([Finding("c", Span("x", Position(1, 1), Position(1, 2)), "m")], "1"))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert VALIDATOR.is_valid(valid_log())


def places(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything in a document."""
    match node:
        case dict():
            children: list[tuple[str | int, Any]] = list(node.items())
        case list():
            children = list(enumerate(node))
        case _:
            children = []
    return [found for key, child in children for found in [(*path, key), *places(child, (*path, key))]]


def reach(document: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize("path", places(valid_log()), ids=lambda path: ".".join(map(str, path)))
def test_the_schema_would_notice_what_other_tools_refuse(path: tuple[str | int, ...]) -> None:
    """A value of another type, a number that is none, a key that is missing, one that nobody knows."""
    *above, last = path
    wrong = valid_log()
    value = reach(wrong, path)
    reach(wrong, tuple(above))[last] = 0 if isinstance(value, str) else "0"
    assert not VALIDATOR.is_valid(wrong)
    if isinstance(value, int):
        reach(wrong, tuple(above))[last] = -1 if last == "ruleIndex" else 0
        assert not VALIDATOR.is_valid(wrong)
    if isinstance(value, dict):
        wrong = valid_log()
        reach(wrong, path)["unknown"] = 1
        assert not VALIDATOR.is_valid(wrong)
    if isinstance(last, str):
        wrong = valid_log()
        del reach(wrong, tuple(above))[last]
        assert not VALIDATOR.is_valid(wrong)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_finding_is_valid_sarif_that_points_at_its_place(case: Path) -> None:
    findings = list(load_project([case / "entity.yaml"], root=case).findings)
    run = log(findings)
    rules = run["tool"]["driver"]["rules"]
    for finding, result in zip(findings, run["results"], strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        place = result["locations"][0]["physicalLocation"]
        assert (case / unquote(place["artifactLocation"]["uri"])).is_file()
        region = place["region"]
        start, end = (
            (region["startLine"], region["startColumn"]),
            (region["endLine"], region["endColumn"]),
        )
        assert (1, 1) <= start < end


def test_a_region_holds_the_characters_that_are_meant(tmp_path: Path) -> None:
    spec = tmp_path / "größe.yaml"
    spec.write_text('name: é\nfields: {id: uuid, "schön 😀": strnig}\n', encoding="utf-8")
    (result,) = log(list(load_project([spec], root=tmp_path).findings))["results"]
    place = result["locations"][0]["physicalLocation"]
    region = place["region"]
    line = spec.read_text(encoding="utf-8").splitlines()[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "strnig"
    assert place["artifactLocation"]["uri"].isascii()


def test_rules_are_described_and_listed_once() -> None:
    span = Span("x", Position(1, 1), Position(1, 2))
    run = log(
        [Finding("unknown-key", span, "a"), Finding("unknown-key", span, "b", severity=Severity.WARNING)]
    )
    assert run["tool"]["driver"]["rules"] == [
        {"id": "unknown-key", "shortDescription": {"text": RULES["unknown-key"]}}
    ]
    assert [item["level"] for item in run["results"]] == ["error", "warning"]


def test_no_findings_are_a_valid_log() -> None:
    assert log([])["results"] == []
