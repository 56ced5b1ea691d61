"""Statements made of a spec's SQL, which know for each of their characters where it stands in the spec."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from specgen.plan.sqltext import constant, literal
from specgen.spec.model import Defaulted, Expression, Literal, Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.diagnostics import Span
    from specgen.spec.fragments import ParameterName, SqlFragment
    from specgen.spec.model import FieldType, Value

_WORD = re.compile(r"(?:\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|[\w.$])+|[^\w\s\"'$]+")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a statement; ``locate`` gives the place in the spec of a character within it."""

    start: int
    end: int
    locate: Callable[[int], Span]


@dataclass(slots=True)
class Statement:
    """A statement that grows; parameters are numbered as they come.

    Attributes:
        type_of: The type of ``:name`` or ``:name.field``; nothing leaves it to PostgreSQL.
        types: The parameters' types so far.
    """

    type_of: Callable[[str, str | None], str]
    text: str = ""
    types: list[str] = field(default_factory=list)
    _stretches: list[_Stretch] = field(default_factory=list)

    def add(self, sql: str) -> Statement:
        """Add SQL that no spec holds."""
        self.text += sql
        return self

    def fragment(self, fragment: SqlFragment) -> Statement:
        """Add SQL of a spec."""
        named = ""
        for part in fragment.parts:
            if isinstance(part, str):
                self._written(fragment, part, len(named))
                named += part
            else:
                self._parameter(part.name, part.field, part.span)
                named += _named(part)
        return self

    def value(self, value: Value, kind: FieldType | None, *, collected: bool = False) -> Statement:
        """Add a value.

        Args:
            value: What is assigned or handed over.
            kind: The column's type, where it is assigned to a column.
            collected: Whether an array of it is handed over.
        """
        match value:
            case Literal(data, span):
                self._spot(constant(data, kind) if kind else literal(str(data)), span)
            case Reference(name, part, span):
                self._parameter(name, part, span, suffix="[]" if collected else "")
            case Expression(fragment):
                self.fragment(fragment)
            case Defaulted(item):
                self.value(item, kind, collected=collected)
        return self

    def span_at(self, position: int | None) -> Span | None:
        """Return what stands in the spec at a character, or nothing where it is not of a spec."""
        if position is None:
            return None
        for stretch in self._stretches:
            if stretch.start <= position < stretch.end:
                return stretch.locate(position - stretch.start)
        return None

    def word_at(self, position: int | None) -> str:
        """Return the word that begins at a character."""
        found = _WORD.match(self.text, position) if position is not None else None
        return found[0] if found else ""

    def calls_at(self, position: int | None) -> bool:
        """Whether a function is called at a character, and no operator is."""
        word = self.word_at(position)
        if position is None or not re.match(r"[\w\"]", word):
            return False
        return self.text[position + len(word) :].lstrip().startswith("(")

    def _parameter(self, name: str, part: str | None, span: Span, suffix: str = "") -> None:
        self.types.append(self.type_of(name, part) + suffix)
        self._spot(f"${len(self.types)}", span)

    def _spot(self, text: str, span: Span) -> None:
        start = len(self.text)
        self.text += text
        self._stretches.append(_Stretch(start, len(self.text), lambda _offset: span))

    def _written(self, fragment: SqlFragment, part: str, before: int) -> None:
        start = len(self.text)
        self.text += part
        self._stretches.append(
            _Stretch(start, len(self.text), lambda offset: _place(fragment, before + offset))
        )


def _named(part: ParameterName) -> str:
    return f":{part.name}.{part.field}" if part.field else f":{part.name}"


def _place(fragment: SqlFragment, offset: int) -> Span:
    """Return where a character of a fragment stands, comments and rewritten words allowed for."""
    if fragment.locate is None:
        return fragment.span
    text = "".join(part if isinstance(part, str) else _named(part) for part in fragment.parts)
    source = fragment.source
    start = 0
    for _, first, last, there, _ in SequenceMatcher(None, text, source, autojunk=False).get_opcodes():
        if first <= offset < last:
            start = min(there + offset - first, max(len(source) - 1, 0))
            break
    found = _WORD.match(source, start)
    return fragment.locate(start, found.end() if found else start + 1)
