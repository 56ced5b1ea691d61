"""Specs that someone broke by hand: whatever stands in them, findings come out, and no traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specgen.renderings import render_github, render_json, render_sarif, render_text
from specgen.spec.build import load_project

SAMPLES = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[3] / "entities").glob("*.yaml"))
]
WORDS = sorted({word for text in SAMPLES for word in text.split()})
ODDITIES = [
    "",
    "null",
    "[]",
    "{}",
    "1",
    '"',
    "|",
    "-",
    "&a",
    "*a",
    "true",
    "{sql: [1]}",
    ":x",
    ".inf",
    "[null]",
    "a:",
]


@st.composite
def broken_specs(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        words = list(re.finditer(r"\S+", text))
        word = words[draw(st.integers(0, len(words) - 1))]
        text = text[: word.start()] + draw(st.sampled_from(WORDS + ODDITIES)) + text[word.end() :]
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(text=broken_specs())
def test_a_broken_spec_gives_findings(folder: Path, text: str) -> None:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = load_project([file], root=folder)
    assert loaded.project or loaded.findings
    assert all(item.span.start <= item.span.end for item in loaded.findings)
    assert render_text(loaded.findings, lambda _file, _line: text) or not loaded.findings
    render_json(loaded.findings)
    render_sarif(loaded.findings, "1")
    render_github(loaded.findings)


def test_the_samples_are_without_findings(folder: Path) -> None:
    root = Path(__file__).parents[3]
    assert load_project([root / "entities"], root=root).findings == ()
