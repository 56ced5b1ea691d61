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
from typing import TYPE_CHECKING, Any

import yaml

from specgen.diagnostics import Position, Span
from specgen.spec.documents import DataPath, EntityDocument, Place, SourceFile
from specgen.spec.scalars import resolve_plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from specgen.diagnostics import Findings

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 50
"""Nesting that no spec needs; far below what recursion over the data can bear."""

MAX_NODES = 200_000
"""Keys and values of one file after aliases are expanded."""

MAX_BYTES = 16 * 1024 * 1024
"""A spec file larger than this is something else."""


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
        events = _bounded(yaml.parse(masked, Loader=_LOADER))
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


def _bounded(events: Iterable[Any]) -> list[Any]:
    """Return the events of a file, cut short where they nest too deeply.

    The scanner's work grows with the square of the open brackets, so it must not get to read them all.
    """
    taken: list[Any] = []
    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        taken.append(event)
    return taken


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


_KNOWN_TAGS = frozenset(("!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"))


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """A document that is YAML, but not one that is read."""

    def __init__(self, code: str, start: int, end: int, message: str, help: str) -> None:
        self.code, self.start, self.end, self.message, self.help = code, start, end, message, help
        super().__init__(message)


def _too_deep(event: Any) -> _Refused:
    return _Refused(
        "too-deep",
        event.start_mark.index,
        event.end_mark.index,
        f"values are nested more than {MAX_DEPTH} deep",
        "a spec needs about ten levels",
    )


class _Builder:
    """Builds data and places from parser events, aliases replayed where they stand."""

    def __init__(self, file: SourceFile, events: list[Any], mask: str) -> None:
        self.file = file
        self.events = events
        self.mask = mask
        self.places: dict[DataPath, Place] = {}
        self.anchors: dict[str, int] = {}
        self.open_anchors: set[str] = set()
        self.nodes = 0
        self.expanding: Any = None

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
                self.expanding or event,
                f"the file grows to more than {MAX_NODES} values",
                "write out what its aliases repeat, or split the file",
            )
        if len(path) > MAX_DEPTH:
            raise _too_deep(self.expanding or event)
        tag = getattr(event, "tag", None)
        if tag and tag not in _KNOWN_TAGS:
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
        outermost = self.expanding is None
        if outermost:
            self.expanding = event
        data, _ = self._node(self.anchors[name], path, key or event)
        if outermost:
            self.expanding = None
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
            help = "write the key as one word or in quotes"
            text = self.file.text[event.start_mark.index - 1 :][:80]
            if match := re.match(r"\{\{\s*(\w+)", text):
                help = f"there are no templates here: a parameter is written :{match[1]}"
            raise self._refusal("yaml-key", event, "a key has to be a name", help)
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
        if event.tag in ("tag:yaml.org,2002:str", "!"):
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
            self.places[path] = Place(start, end, start, end, getattr(first, "style", None))
        else:
            self.places[path] = Place(
                start, end, key.start_mark.index, key.end_mark.index, getattr(first, "style", None)
            )

    @staticmethod
    def _refusal(code: str, event: Any, message: str, help: str) -> _Refused:
        return _Refused(code, event.start_mark.index, event.end_mark.index, message, help)


def _report_syntax(error: yaml.YAMLError, file: SourceFile, findings: Findings) -> None:
    if not isinstance(error, yaml.MarkedYAMLError):
        index = min(getattr(error, "position", 0) or 0, len(file.text))
        message = "the file holds a character that YAML does not allow"
        findings.error(
            "yaml-syntax", file.span(index, index), message, "remove it, or write it as an escape in quotes"
        )
        return
    from specgen.spec.indenting import indentation, quoting  # most files are YAML
    from specgen.spec.openquotes import open_quote

    quote = open_quote(file.text, error)
    if quote is not None:
        end = f"closed only in line {quote.until}" if quote.until else "never closed"
        message = f"the quote that opens here is {end}"
        place = file.span(quote.start, quote.start + 1)
        findings.error("yaml-syntax", place, message, f"close it in its line: {quote.closed}")
        return
    mark = error.problem_mark or error.context_mark
    index = min(mark.index if mark else 0, len(file.text))
    span = file.span(index, index)
    line = file.text[file.line_starts[span.start.line - 1] :].split("\n", 1)[0]
    if "\t" in line[: len(line) - len(line.lstrip())] or file.text[index : index + 1] == "\t":
        findings.error("yaml-tab", span, "a tab cannot indent YAML", "indent with spaces")
        return
    problem = error.problem or ""
    wrong = indentation(file.text, span.start.line) if _about_lines(problem, line, span) else None
    if wrong:
        start = file.line_starts[span.start.line - 1] + len(line) - len(line.lstrip())
        findings.error("yaml-syntax", file.span(start, start), *wrong)
        return
    context = f"{error.context}: " if error.context else ""
    message = f"this is not YAML: {context}{error.problem or 'syntax error'}"
    help = quoting(file.text, span.start.line) or _syntax_help(problem, line)
    findings.error("yaml-syntax", span, message, help)


def _about_lines(problem: str, line: str, span: Span) -> bool:
    """Say whether the parser did not expect a line where it stands, rather than something in it."""
    if "mapping values are not allowed" in problem:
        # The second colon of a line is one of a text that has no quotes.
        return not re.search(r":\s", line[: span.start.column - 1])
    return "did not find expected" in problem or "block end" in problem


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
