"""SARIF as other tools take it: held against the standard's own schema, for every mistake there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft4Validator

from specgen.diagnostics import Finding, Position, Severity, Span
from specgen.renderings import render_sarif
from specgen.rules import RULES
from specgen.spec.build import load_project

TESTS = Path(__file__).parents[1]
SCHEMA = json.loads((TESTS / "data/sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = Draft4Validator(SCHEMA)
CASES = sorted((TESTS / "golden/errors").iterdir())


def log(findings: list[Finding]) -> Any:
    data = json.loads(render_sarif(findings, "1.2.3"))
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []
    (run,) = data["runs"]
    return run


def test_the_schema_would_notice_a_mistake() -> None:
    data = json.loads(render_sarif([Finding("c", Span("x", Position(1, 1), Position(1, 2)), "m")], "1"))
    data["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert not VALIDATOR.is_valid(data)


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
