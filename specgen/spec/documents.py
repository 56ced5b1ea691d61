"""Documents: plain data that knows where every key and value of it stands in a file."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from specgen.diagnostics import Position, Span

if TYPE_CHECKING:
    from collections.abc import Callable

DataPath: TypeAlias = tuple[str | int, ...]


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
class Place:
    """Where a value stands and where its key does; a list item stands for its own key.

    Attributes:
        style: How a scalar is quoted: a quote, ``|``, ``>``, or nothing when it is plain.
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
    places: dict[DataPath, Place] = field(repr=False)

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

    def _place(self, path: DataPath) -> Place:
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def _value(self, path: DataPath) -> str:
        value = self.data
        for part in path:
            value = value[part]
        return str(value)


_ESCAPE_WIDTHS = {"x": 4, "u": 6, "U": 10}


def _align(value: str, text: str, place: Place) -> list[int]:
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


def _skip_space(text: str, index: int, place: Place) -> int:
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
