"""The words of a SQL fragment, cut by PostgreSQL's own lexer, and the ``:names`` among them.

A text search for ``:name`` would find it in strings, comments, casts and array slices. The lexer knows
what is a string; what is a slice's colon and what opens a parameter is decided here, by the words
around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from specgen.spec.parsererrors import error_message, error_place

# Letters of any language: a record's fields are often called as a table's columns are.
NAME = r"[^\W\d]\w*"
QUOTED_NAME = r'"(?:[^"]|"")+"'

_IDENTIFIER = re.compile(rf"{NAME}\Z")
_FIELD = re.compile(rf"(?:{NAME}|{QUOTED_NAME})\Z")
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_OPENING = {"ASCII_40": "ASCII_41", "ASCII_91": "ASCII_93"}
_CLOSING = frozenset(_OPENING.values())
_OPERAND_ENDS = frozenset(("IDENT", "ICONST", "FCONST", "SCONST", "PARAM", "ASCII_41", "ASCII_93"))
# Word operators: an operand is still to come behind them.
_WORD_OPERATORS = frozenset(
    ("and", "or", "not", "in", "is", "like", "ilike", "between", "case", "when", "then", "else")
)


class LexError(Exception):
    """A fragment that cannot be cut into words, or holds words it must not.

    Attributes:
        code: The finding's code.
        start: Offset of the first character that is wrong.
        end: Offset after the last one.
        message: What is wrong.
        help: What would be right.
    """

    def __init__(self, code: str, start: int, end: int, message: str, help: str | None = None) -> None:
        self.code, self.start, self.end, self.message, self.help = code, start, end, message, help
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its kind in PostgreSQL's lexer, its text and its place, ``end`` exclusive."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The text in lower case, as keywords are compared."""
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Hole:
    """A ``:name`` or ``:name.field`` and its place."""

    name: str
    field: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Words:
    """A fragment cut up.

    Attributes:
        text: The whole text.
        tokens: Its words without comments; the words of a hole are left out.
        holes: The parameters in order.
        comments: Start and end of each comment.
    """

    text: str
    tokens: tuple[Token, ...]
    holes: tuple[Hole, ...]
    comments: tuple[tuple[int, int], ...]


def unquoted(name: str) -> str:
    """Return what a name is that may stand in double quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def cut(text: str) -> Words:
    """Cut a fragment into words.

    Raises:
        LexError: It has an unfinished string or comment, unbalanced brackets, a semicolon, or a
            parameter in PostgreSQL's own notation.
    """
    everything = _scan(text)
    comments = tuple((token.start, token.end) for token in everything if token.kind in _COMMENTS)
    _refuse_open_comment(text, everything)
    tokens = [token for token in everything if token.kind not in _COMMENTS]
    if not tokens:
        raise LexError("empty-fragment", 0, len(text), "there is no SQL here")
    partners = _match_brackets(tokens)
    for token in tokens:
        _refuse_foreign(token)
    holes, taken = _find_holes(tokens, partners)
    left = tuple(token for index, token in enumerate(tokens) if index not in taken)
    return Words(text, left, tuple(holes), comments)


def _scan(text: str) -> list[Token]:
    from pglast.parser import ParseError, scan

    try:
        return [Token(t.name, text[t.start : t.end + 1], t.start, t.end + 1) for t in scan(text)]
    except ParseError as error:
        start = min(error_place(text, error) or 0, max(len(text) - 1, 0))
        message = error_message(error).split(" at or near", 1)[0]
        raise LexError("sql-syntax", start, start + 1, message) from None


def _refuse_open_comment(text: str, tokens: list[Token]) -> None:
    for token in tokens:
        if token.kind == "SQL_COMMENT" and not text[token.end :].startswith(("\n", "\r")):
            raise LexError(
                "open-comment",
                token.start,
                token.end,
                "this comment runs to the end of the text and hides all that stands behind it",
                "use /* */, or a `|` block with the comment on a line of its own",
            )


def _match_brackets(tokens: list[Token]) -> dict[int, int]:
    """Return for each token the index of the bracket it stands in, if it stands in one."""
    inside: dict[int, int] = {}
    stack: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind in _CLOSING:
            if not stack or _OPENING[tokens[stack[-1]].kind] != token.kind:
                raise LexError(
                    "sql-syntax", token.start, token.end, f'"{token.text}" closes nothing', "remove it"
                )
            stack.pop()
        if stack:
            inside[index] = stack[-1]
        if token.kind in _OPENING:
            stack.append(index)
    if stack:
        token = tokens[stack[-1]]
        raise LexError("sql-syntax", token.start, token.end, f'"{token.text}" is not closed', "close it")
    return inside


def _refuse_foreign(token: Token) -> None:
    match token.kind:
        case "ASCII_59":
            message = "one SQL expression is wanted, and a semicolon ends a statement"
            raise LexError("not-one-expression", token.start, token.end, message, "remove it")
        case "PARAM":
            message = f"{token.text} is not a parameter here"
            raise LexError("sql-syntax", token.start, token.end, message, "name parameters, as in :user_ids")
        case "ASCII_92":
            message = "a backslash is no SQL"
            raise LexError("sql-syntax", token.start, token.end, message, "psql commands do not work here")


def _find_holes(tokens: list[Token], inside: dict[int, int]) -> tuple[list[Hole], set[int]]:
    holes: list[Hole] = []
    taken: set[int] = set()
    for index, token in enumerate(tokens[:-1]):
        if token.kind != "ASCII_58":
            continue
        name = tokens[index + 1]
        if name.start != token.end or not _IDENTIFIER.match(name.text):
            continue
        if _is_slice(tokens, index, inside):
            continue
        taken |= {index, index + 1}
        field, end = None, name.end
        if _has_field(tokens, index):
            field, end = unquoted(tokens[index + 3].text), tokens[index + 3].end
            taken |= {index + 2, index + 3}
        holes.append(Hole(name.text, field, token.start, end))
    return holes, taken


def _has_field(tokens: list[Token], colon: int) -> bool:
    if colon + 3 >= len(tokens):
        return False
    name, dot, field = tokens[colon + 1 : colon + 4]
    return (
        dot.kind == "ASCII_46"
        and dot.start == name.end
        and field.start == dot.end
        and _FIELD.match(field.text) is not None
    )


def _is_slice(tokens: list[Token], colon: int, inside: dict[int, int]) -> bool:
    """Say whether a colon cuts an array slice rather than opens a parameter.

    In a subscript, a colon behind an operand cuts (``a[1:n]``). One right behind the bracket cuts too
    (``a[:n]``), unless another colon does (``a[:lo : :hi]``).
    """
    bracket = inside.get(colon)
    if bracket is None or tokens[bracket].kind != "ASCII_91" or _is_array_constructor(tokens, bracket):
        return False
    before = tokens[colon - 1]
    if _ends_operand(before):
        return True
    if colon - 1 != bracket:
        return False
    others = [
        i for i, t in enumerate(tokens) if t.kind == "ASCII_58" and i != colon and inside.get(i) == bracket
    ]
    return not others


def _is_array_constructor(tokens: list[Token], bracket: int) -> bool:
    """Say whether a bracket opens ``ARRAY[...]`` or a row of one, not a subscript."""
    return bracket == 0 or not _ends_operand(tokens[bracket - 1]) or tokens[bracket - 1].lower == "array"


def _ends_operand(token: Token) -> bool:
    if token.kind in _OPERAND_ENDS:
        return True
    return token.text[:1].isalpha() and token.lower not in _WORD_OPERATORS


def split_at_and(words: Words) -> list[tuple[int, int]]:
    """Return the stretches between the ANDs at the top level; one stretch when there is an OR."""
    depth = cases = 0
    pending_between = 0
    cuts: list[Token] = []
    for token in words.tokens:
        match token.lower:
            case "(" | "[":
                depth += 1
            case ")" | "]":
                depth -= 1
            case "case":
                cases += 1
            case "end" if cases:
                cases -= 1
            case "or" if not depth and not cases:
                return [(0, len(words.text))]
            case "between" if not depth and not cases:
                pending_between += 1
            case "and" if not depth and not cases:
                if pending_between:
                    pending_between -= 1
                else:
                    cuts.append(token)
    starts = [0, *(token.end for token in cuts)]
    ends = [*(token.start for token in cuts), len(words.text)]
    return list(zip(starts, ends, strict=True))
