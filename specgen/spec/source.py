"""YAML text to plain data that remembers where every piece of it stands.

A finding is only as good as its position, so each document keeps, beside its data, the stretch of the
file that every key and every value came from. Three things differ from ``yaml.safe_load``:

* Scalars follow the YAML 1.2 core schema: ``on``, ``yes``, ``010`` and ``12:30:00`` are no surprises,
  and dates stay text.
* A plain scalar may start with a colon inside brackets: ``{month: :target_month}``.
* What PyYAML merges, expands or overflows on without a word (duplicate keys, alias bombs, bottomless
  nesting, merge keys) is refused. The parser's *events* are read, not its composed nodes: composing is
  recursive in C, and a file of opening brackets ends the process there.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from specgen.diagnostics import Position, Span

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from specgen.diagnostics import Findings

DataPath: TypeAlias = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 50
"""Nesting that no spec needs; far below what recursion over the data can bear."""

MAX_NODES = 200_000
"""Keys and values of one file after aliases are expanded."""

MAX_BYTES = 16 * 1024 * 1024
"""A spec file larger than this is something else."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The text of a file and the places of its lines.

    Attributes:
        name: The file as the user named it, with forward slashes.
        text: Its characters, without a byte order mark.
        digest: SHA-256 of its bytes, in hex.
        line_starts: The index of each line's first character.
    """

    name: str
    text: str
    digest: str
    line_starts: tuple[int, ...]

    def position(self, index: int) -> Position:
        """Return the line and column of a character."""
        line = bisect_right(self.line_starts, index)
        return Position(line, index - self.line_starts[line - 1] + 1)

    def span(self, start: int, end: int) -> Span:
        """Return the stretch between two characters, at least one character wide."""
        return Span(self.name, self.position(start), self.position(max(end, start + 1)))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands, and its key if it has one.

    Attributes:
        indirect: Whether an alias put it here, so that key and value stand apart.
    """

    start: int
    end: int
    key_start: int
    key_end: int
    style: str | None


@dataclass(frozen=True, slots=True)
class EntityDocument:
    """One YAML document: its plain data and the place of every key and value."""

    file: SourceFile
    number: int
    data: Any
    places: dict[DataPath, _Place] = field(repr=False)

    def span(self, path: DataPath) -> Span:
        """Return where the value at ``path`` stands (or the nearest value around it)."""
        place = self._place(path)
        return self.file.span(place.start, place.end)

    def key_span(self, path: DataPath) -> Span:
        """Return where the key at ``path`` stands; a list item has none, so its value's place."""
        place = self._place(path)
        return self.file.span(place.key_start, place.key_end)

    def raw(self, path: DataPath) -> str:
        """Return the text of a scalar as it stands in the file."""
        place = self._place(path)
        return self.file.text[place.start : place.end]

    def locator(self, path: DataPath) -> Callable[[int, int], Span]:
        """Return a function from offsets within the string at ``path`` to a stretch of the file."""
        value = self._value(path)
        place = self._place(path)
        first = place.start + (1 if place.style in ('"', "'") else 0)
        if self.file.text.startswith(value, first):
            return lambda start, end: self.file.span(first + start, first + end)
        indexes = _align(value, self.file.text, place)

        def locate(start: int, end: int) -> Span:
            last = indexes[end - 1] + 1 if end > start else indexes[start]
            return self.file.span(indexes[start], last)

        return locate

    def _place(self, path: DataPath) -> _Place:
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def _value(self, path: DataPath) -> str:
        value = self.data
        for part in path:
            value = value[part]
        return str(value)


_ESCAPE_WIDTHS = {"x": 4, "u": 6, "U": 10}


def _align(value: str, text: str, place: _Place) -> list[int]:
    """Return the file index of each character of a scalar's value, and of its end.

    Folding, indentation and doubled quotes only ever drop or change white space and escapes, so
    walking both texts side by side places every visible character exactly.
    """
    index = place.start
    if place.style in ("|", ">"):
        index = text.find("\n", place.start) + 1
    elif place.style:
        index += 1
    indexes: list[int] = []
    for character in value:
        if not character.isspace():
            index = _skip_space(text, index, place)
        if index >= place.end:
            index = place.end - 1
        indexes.append(index)
        index += _width(text, index, character, place.style)
    indexes.append(min(index, place.end))
    return indexes


def _skip_space(text: str, index: int, place: _Place) -> int:
    while index < place.end:
        if text[index].isspace():
            index += 1
        elif place.style == '"' and text[index] == "\\" and text[index + 1] in "\r\n":
            index += 2
        else:
            break
    return index


def _width(text: str, index: int, character: str, style: str | None) -> int:
    if style == "'" and character == "'":
        return 2
    if style == '"' and text[index] == "\\":
        return _ESCAPE_WIDTHS.get(text[index + 1], 2)
    if character.isspace() and not text[index].isspace():
        return 0
    return 1


# A colon that is followed by a word and opens a token is, in YAML 1.2, always the first character of a
# plain scalar. The library's scanner takes it for "value of a key" inside brackets.
_OPENING_COLON = re.compile(r"(?<![^\s\[{,]):(?=[^\s,\[\]{}])")
_PRIVATE_USE = range(0xE000, 0xF8FF)


def _mask_opening_colons(text: str) -> tuple[str, str]:
    """Return the text with opening colons replaced, and the character they were replaced by.

    The substitute occurs nowhere in the file, is exactly as wide, and is turned back in every scalar.
    So in strings, comments, block scalars and outside brackets, where such a colon means nothing, the
    replacement means nothing either; and positions stay what they are.

    One colon is left alone: behind a quoted key or a closing bracket (``{"a" :b}``), where it does
    separate key and value.
    """
    if not _OPENING_COLON.search(text):
        return text, ""
    mask = next(chr(code) for code in _PRIVATE_USE if chr(code) not in text)

    def replace(match: re.Match[str]) -> str:
        start = match.start()
        while start and text[start - 1].isspace():
            start -= 1
        return ":" if start and start != match.start() and text[start - 1] in "\"'}]" else mask

    return _OPENING_COLON.sub(replace, text), mask


def read_documents(path: Path, name: str, findings: Findings) -> tuple[EntityDocument, ...]:
    """Read all YAML documents of a file; what is wrong with it goes to ``findings``."""
    start = Span(name, Position(1, 1), Position(1, 2))
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        findings.error(
            "unreadable-file", start, f"the file cannot be read: {reason}", "check its path and rights"
        )
        return ()
    return parse_documents(content, name, findings)


def parse_documents(content: bytes, name: str, findings: Findings) -> tuple[EntityDocument, ...]:
    """Parse the bytes of a file; what is wrong with them goes to ``findings``."""
    file = _decode(content, name, findings)
    if file is None:
        return ()
    masked, mask = _mask_opening_colons(file.text)
    try:
        events = list(yaml.parse(masked, Loader=_LOADER))
        documents = _Builder(file, events, mask).documents()
    except yaml.YAMLError as error:
        _report_syntax(error, file, findings)
        return ()
    except _Refused as refused:
        findings.error(refused.code, file.span(refused.start, refused.end), refused.message, refused.help)
        return ()
    if not documents:
        findings.error(
            "empty-file", file.span(0, 0), "the file is empty", "describe an entity: name, fields, patterns"
        )
    return documents


def _decode(content: bytes, name: str, findings: Findings) -> SourceFile | None:
    def refuse(index: int, message: str) -> None:
        line = content.count(b"\n", 0, index) + 1
        before = content[content.rfind(b"\n", 0, index) + 1 : index]
        column = len(before.decode("utf-8", "replace")) + 1
        span = Span(name, Position(line, column), Position(line, column + 1))
        findings.error("binary-file", span, message, "a spec file is YAML text in UTF-8")

    if len(content) > MAX_BYTES:
        refuse(0, f"the file has {len(content)} bytes, more than a spec file may have ({MAX_BYTES})")
        return None
    if (index := content.find(b"\0")) >= 0:
        refuse(index, "the file holds a NUL byte, so it is not text")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(error.start, "the file is not UTF-8")
        return None
    starts = (0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text)))
    return SourceFile(name, text, hashlib.sha256(content).hexdigest(), starts)


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """A document that is YAML, but not one that is read."""

    def __init__(self, code: str, start: int, end: int, message: str, help: str) -> None:
        self.code, self.start, self.end, self.message, self.help = code, start, end, message, help
        super().__init__(message)


class _Builder:
    """Builds data and places from parser events, aliases replayed where they stand."""

    def __init__(self, file: SourceFile, events: list[Any], mask: str) -> None:
        self.file = file
        self.events = events
        self.mask = mask
        self.places: dict[DataPath, _Place] = {}
        self.anchors: dict[str, int] = {}
        self.open_anchors: set[str] = set()
        self.nodes = 0

    def documents(self) -> tuple[EntityDocument, ...]:
        """Return the documents of the file, those with nothing in them left out."""
        found: list[EntityDocument] = []
        number = 0
        for index, event in enumerate(self.events):
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            self.places, self.anchors = {}, {}
            data, _ = self._node(index + 1, (), None)
            if data is not None:
                found.append(EntityDocument(self.file, number, data, self.places))
            number += 1
        return tuple(found)

    def _node(self, index: int, path: DataPath, key: Any) -> tuple[Any, int]:
        """Build the value that starts at an event; return it and the index of the event after it."""
        event = self.events[index]
        self._guard(event, path)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, key), index + 1
        anchor = event.anchor
        if anchor:
            self.anchors[anchor] = index
            self.open_anchors.add(anchor)
        if isinstance(event, yaml.ScalarEvent):
            data: Any = self._scalar(event)
            last, index = event, index + 1
        elif isinstance(event, yaml.SequenceStartEvent):
            data, index = self._sequence(index + 1, path)
            last = self.events[index - 1]
        else:
            data, index = self._mapping(index + 1, path)
            last = self.events[index - 1]
        if anchor:
            self.open_anchors.discard(anchor)
        self._remember(path, event, last, key)
        return data, index

    def _guard(self, event: Any, path: DataPath) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._refusal(
                "too-large",
                event,
                f"the file grows to more than {MAX_NODES} values",
                "write out what its aliases repeat, or split the file",
            )
        if len(path) > MAX_DEPTH:
            raise self._refusal(
                "too-deep",
                event,
                f"values are nested more than {MAX_DEPTH} deep",
                "a spec needs about ten levels",
            )
        tag = getattr(event, "tag", None)
        if tag and not tag.startswith("tag:yaml.org,2002:") and tag != "!":
            raise self._refusal("yaml-tag", event, f"the tag {tag} is not understood", "remove it")

    def _alias(self, event: Any, path: DataPath, key: Any) -> Any:
        name = event.anchor
        if name in self.open_anchors:
            raise self._refusal(
                "recursive-alias", event, f"*{name} stands inside what it names", "write the value out"
            )
        if name not in self.anchors:
            raise self._refusal(
                "unknown-alias", event, f"there is no anchor &{name} before this alias", "define it first"
            )
        data, _ = self._node(self.anchors[name], path, key or event)
        return data

    def _sequence(self, index: int, path: DataPath) -> tuple[list[Any], int]:
        items: list[Any] = []
        while not isinstance(self.events[index], yaml.SequenceEndEvent):
            item, index = self._node(index, (*path, len(items)), None)
            items.append(item)
        return items, index + 1

    def _mapping(self, index: int, path: DataPath) -> tuple[dict[str, Any], int]:
        data: dict[str, Any] = {}
        seen: dict[str, Any] = {}
        while not isinstance(self.events[index], yaml.MappingEndEvent):
            event = self.events[index]
            name = self._key(event)
            if name in seen:
                first = self.file.position(seen[name].start_mark.index)
                raise self._refusal(
                    "duplicate-key",
                    event,
                    f'the key "{name}" stands here for the second time; the first is at line {first.line}, '
                    f"column {first.column}",
                    "keep one of the two",
                )
            seen[name] = event
            data[name], index = self._node(index + 1, (*path, name), event)
        return data, index + 1

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refusal(
                "yaml-key", event, "a key has to be a name", "write the key as one word or in quotes"
            )
        name = str(self._text(event))
        if name == "<<" and event.implicit[0]:
            raise self._refusal(
                "merge-key",
                event,
                "merge keys (<<) are not part of YAML 1.2",
                "write the keys out, or put them under `defaults` in specgen.yaml",
            )
        return name

    def _text(self, event: Any) -> str:
        text: str = event.value
        return text.replace(self.mask, ":") if self.mask else text

    def _scalar(self, event: Any) -> Any:
        text = self._text(event)
        if event.tag == "tag:yaml.org,2002:str" or event.tag == "!":
            return text
        return resolve_plain(text) if event.implicit[0] and event.style in (None, "") else text

    def _remember(self, path: DataPath, first: Any, last: Any, key: Any) -> None:
        start, end = first.start_mark.index, last.end_mark.index
        if not isinstance(first, yaml.ScalarEvent):
            # A block collection's end mark lies at the next token, past blank lines and comments.
            text = self.file.text
            while end > start + 1 and text[end - 1 : end].isspace():
                end -= 1
        if key is None:
            self.places[path] = _Place(start, end, start, end, getattr(first, "style", None))
        else:
            self.places[path] = _Place(
                start, end, key.start_mark.index, key.end_mark.index, getattr(first, "style", None)
            )

    @staticmethod
    def _refusal(code: str, event: Any, message: str, help: str) -> _Refused:
        return _Refused(code, event.start_mark.index, event.end_mark.index, message, help)


_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_MAX_DIGITS = 1000


def resolve_plain(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar means in the YAML 1.2 core schema."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in _NUMBER_START or len(text) > _MAX_DIGITS:
        return text
    return _number(text)


def _number(text: str) -> str | int | float:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float("-inf") if text[0] == "-" else float("inf")
    if text in (".nan", ".NaN", ".NAN"):
        return float("nan")
    return text


def _report_syntax(error: yaml.YAMLError, file: SourceFile, findings: Findings) -> None:
    if not isinstance(error, yaml.MarkedYAMLError):
        index = min(getattr(error, "position", 0) or 0, len(file.text))
        message = "the file holds a character that YAML does not allow"
        findings.error(
            "yaml-syntax", file.span(index, index), message, "remove it, or write it as an escape in quotes"
        )
        return
    mark = error.problem_mark or error.context_mark
    index = min(mark.index if mark else 0, len(file.text))
    span = file.span(index, index)
    line = file.text[file.line_starts[span.start.line - 1] :].split("\n", 1)[0]
    if "\t" in line[: len(line) - len(line.lstrip())] or file.text[index : index + 1] == "\t":
        findings.error("yaml-tab", span, "a tab cannot indent YAML", "indent with spaces")
        return
    context = f"{error.context}: " if error.context else ""
    message = f"this is not YAML: {context}{error.problem or 'syntax error'}"
    findings.error("yaml-syntax", span, message, _syntax_help(error.problem or "", line))


def _syntax_help(problem: str, line: str) -> str:
    if "mapping values are not allowed" in problem:
        return 'a text that holds ": " needs quotes'
    if "cannot start any token" in problem:
        return "a text that starts with a special character needs quotes"
    if line.count('"') % 2 or line.count("'") % 2:
        return "look for a quote that is not closed"
    if "alias" in problem or "anchor" in problem:
        return "a text that starts with * or & needs quotes"
    return "look at this line and the one above it: indentation, quotes, brackets, a missing colon"


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a document together with where it stands: what the builders of the model walk."""

    document: EntityDocument
    path: DataPath
    value: Any

    @classmethod
    def root(cls, document: EntityDocument) -> Node:
        """Return the document's top."""
        return cls(document, (), document.data)

    @property
    def span(self) -> Span:
        """Where the value stands."""
        return self.document.span(self.path)

    @property
    def key_span(self) -> Span:
        """Where its key stands."""
        return self.document.key_span(self.path)

    @property
    def raw(self) -> str:
        """The scalar's text as it stands in the file."""
        return self.document.raw(self.path)

    @property
    def locate(self) -> Callable[[int, int], Span]:
        """A function from offsets within the string to a stretch of the file."""
        return self.document.locator(self.path)

    def get(self, key: str) -> Node | None:
        """Return the value under a key, if there is one."""
        if key not in self.value:
            return None
        return Node(self.document, (*self.path, key), self.value[key])

    def __getitem__(self, key: str | int) -> Node:
        return Node(self.document, (*self.path, key), self.value[key])

    def items(self) -> list[tuple[str, Node]]:
        """Return the keys and values of a map."""
        return [(key, self[key]) for key in self.value]

    def each(self) -> list[Node]:
        """Return the items of a list; a single value is a list of one."""
        if not isinstance(self.value, list):
            return [self]
        return [self[index] for index in range(len(self.value))]
