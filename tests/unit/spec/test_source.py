"""YAML: what it means, where it stands, and that nothing in a file can crash the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from specgen.diagnostics import Findings
from specgen.spec.scalars import resolve_plain
from specgen.spec.source import parse_documents

if TYPE_CHECKING:
    from specgen.spec.documents import EntityDocument


def load(text: str) -> EntityDocument:
    findings = Findings()
    documents = parse_documents(text.encode(), "x.yaml", findings)
    assert not findings.items
    return documents[0]


def at(document: EntityDocument, path: tuple[str | int, ...], word: str) -> tuple[int, int]:
    """Where a word within a string of the document stands in the file."""
    value: Any = document.data
    for part in path:
        value = value[part]
    start = value.index(word)
    position = document.locator(path)(start, start + len(word)).start
    return position.line, position.column


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("{month: :target_month}", {"month": ":target_month"}),
        ("[:a, :b]", [":a", ":b"]),
        ("{a: [:x], b: {c: :y}}", {"a": [":x"], "b": {"c": ":y"}}),
        ("{:key: 1}", {":key": 1}),
        ('{"a" :b, "c": :d}', {"a": "b", "c": ":d"}),
        ("a: '{b: :c}'", {"a": "{b: :c}"}),
        ('a: "x :y" # {b: :c}', {"a": "x :y"}),
        ("a: |\n  {b: :c}\n  [:d]\n", {"a": "{b: :c}\n[:d]\n"}),
        ("a: :b", {"a": ":b"}),
        ("[a :b]", ["a :b"]),
        ("[\ue000, :b]", ["\ue000", ":b"]),
    ],
)
def test_a_colon_may_open_a_word(text: str, data: object) -> None:
    assert load(text).data == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("yes", "yes"),
        ("on", "on"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2025-01-31", "2025-01-31"),
        ("2.0", 2.0),
        ('"2.0"', "2.0"),
        ("1e3", 1000.0),
        ("~x", "~x"),
        ("null", None),
        ("=", "="),
        ("!!str 12", "12"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    found = load(f"a: {text}").data["a"]
    assert found == value
    assert type(found) is type(value)


# The dumper writes YAML 1.1 and quotes what that takes for something else; what only 1.2 takes for a
# number, such as 0E0, it leaves bare.
TEXT = st.text().filter(lambda text: isinstance(resolve_plain(text), str))
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), DATA, min_size=1, max_size=5))
def test_dumped_data_loads_again(data: dict[str, object]) -> None:
    assert load(yaml.safe_dump(data)).data == data


@given(st.text() | st.text(alphabet="[]{}:,-?&*!|>'\"%@`#\n\t ab1"))
def test_any_text_gives_documents_or_findings(text: str) -> None:
    findings = Findings()
    documents = parse_documents(text.encode("utf-8", "surrogatepass"), "x.yaml", findings)
    assert documents or findings.failed
    for finding in findings.items:
        assert finding.span.start.line >= 1
        assert finding.span.start.column >= 1


@given(st.binary())
def test_any_bytes_give_documents_or_findings(content: bytes) -> None:
    findings = Findings()
    assert parse_documents(content, "x.yaml", findings) or findings.failed


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "- " * 100_000, "? " * 100_000])
def test_bottomless_nesting_is_a_finding(text: str) -> None:
    findings = Findings()
    assert not parse_documents(text.encode(), "x.yaml", findings)
    assert [item.code for item in findings.items] == ["too-deep"]


def test_positions_within_strings_are_those_of_the_file() -> None:
    document = load(
        "a:\n"
        "  block: |\n"
        "    é = 1\n"
        "      AND b = :x\n"
        "  folded: >-\n"
        "    one\n"
        "    two\n"
        '  quoted: "a\\tb \\u00e9 \\"c\\" d"\n'
        "  plain: one\n"
        "    two three\n"
        "  single: 'it''s x'\n"
    )
    assert at(document, ("a", "block"), "b =") == (4, 11)
    assert at(document, ("a", "block"), ":x") == (4, 15)
    assert at(document, ("a", "folded"), "two") == (7, 5)
    assert at(document, ("a", "quoted"), "d") == (8, 30)
    assert at(document, ("a", "quoted"), "c") == (8, 26)
    assert at(document, ("a", "plain"), "three") == (10, 9)
    assert at(document, ("a", "single"), "x") == (11, 18)


def test_keys_and_values_have_places_of_their_own() -> None:
    document = load("name: user\nfields:\n  id: uuid\n")
    assert document.key_span(("fields", "id")).start.column == 3
    assert document.span(("fields", "id")).start.column == 7
    assert document.span(("fields", "id", "nothing", "here")).start.column == 7


def test_windows_line_ends_and_a_byte_order_mark_do_not_move_positions() -> None:
    document = load("\ufeffname: user\r\nfields:\r\n  id: uuid\r\n")
    start = document.span(("fields", "id")).start
    assert (start.line, start.column) == (3, 7)


def test_aliases_expand_and_point_to_what_they_name() -> None:
    document = load("a: &x {b: 1}\nc: *x\nd: *x\n")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1}}
    assert document.span(("d", "b")).start.line == 1


def test_each_document_of_a_file_counts() -> None:
    findings = Findings()
    documents = parse_documents(b"name: a\n---\nname: b\n---\n", "x.yaml", findings)
    assert [(item.number, item.data["name"]) for item in documents] == [(0, "a"), (1, "b")]
