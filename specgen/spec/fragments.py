"""SQL fragments: expressions with ``:name`` parameters, parsed by PostgreSQL's own grammar.

``lexing`` cuts a fragment into words and finds its parameters, ``grammar`` says what it means; here
that meets a place in a file and a table whose columns are known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specgen.spec.compared import report_unlisted
from specgen.spec.grammar import Analysis, ColumnUse, HoleUse, analyse
from specgen.spec.lexing import LexError, split_at_and
from specgen.spec.mistaken import name_help
from specgen.spec.suggest import closest, did_you_mean
from specgen.spec.types import is_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from specgen.diagnostics import Findings, Span


@dataclass(frozen=True, slots=True)
class ParameterName:
    """``:name`` or ``:name.field`` as it stands in a fragment."""

    name: str
    field: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column as it stands in a fragment, with its qualifier if it has one."""

    name: str
    qualifier: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one use of a parameter tells about its type; one of the first three attributes is set.

    Attributes:
        column: It is compared with this column, or joined to it by a number's operator.
        array_of: It is the array of ``column = ANY(:x)`` or ``column IN (:x)`` over this column.
        sql_type: It is cast to, or compared with a constant of, this type.
        argument: Whether that type is wanted of a function's argument.
    """

    parameter: ParameterName
    column: str | None = None
    array_of: str | None = None
    sql_type: str | None = None
    argument: bool = False


@dataclass(frozen=True, slots=True)
class SqlFragment:
    """One SQL expression of a spec.

    Attributes:
        source: The text as the user wrote it.
        span: Where it stands.
        parts: The text cut at its parameters; rendering joins them again.
        columns: Columns it names at its own level (not inside a subquery).
        evidence: What its uses of parameters tell about their types.
        aggregate: Whether an aggregate function is called at its own level.
        locate: Where a stretch of ``source`` stands, for what only a database finds.
    """

    source: str
    span: Span
    parts: tuple[str | ParameterName, ...]
    columns: tuple[ColumnName, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    aggregate: bool = False
    locate: Callable[[int, int], Span] | None = field(default=None, repr=False, compare=False)

    @property
    def parameters(self) -> tuple[ParameterName, ...]:
        """The parameters in order of appearance, repetitions included."""
        return tuple(part for part in self.parts if isinstance(part, ParameterName))

    def render(self, substitute: Callable[[ParameterName], str]) -> str:
        """Return the SQL text with every parameter replaced."""
        return "".join(part if isinstance(part, str) else substitute(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a fragment may name.

    Attributes:
        columns: The target's columns and the base of each one's type; nothing when no column may be
            named.
        qualifiers: Names that stand for the target before a dot.
        condition: Whether a boolean is wanted.
        aggregates: Whether an aggregate may be called.
        parameters: Whether there may be ``:names``.
        subqueries: Whether there may be subqueries.
        assigned: The column that the fragment's value goes to.
        what: What the fragment is, for messages, such as ``where_condition``.
        enums: The columns whose values are listed, with the values.
    """

    columns: Mapping[str, str] | None
    qualifiers: tuple[str, ...] = ()
    condition: bool = True
    aggregates: bool = False
    parameters: bool = True
    subqueries: bool = True
    assigned: str | None = None
    what: str = "the SQL"
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyTest:
    """A conjunct ``column = ANY(:parameter)``, and what the condition says besides."""

    column: str
    qualifier: str | None
    parameter: ParameterName
    remainder: SqlFragment | None


def parse_fragment(
    text: str, locate: Callable[[int, int], Span], scope: Scope, findings: Findings
) -> SqlFragment | None:
    """Parse one SQL expression.

    Args:
        text: The expression.
        locate: Where a stretch of the text stands in its file.
        scope: What it may name.
        findings: Gets what is wrong.

    Returns:
        The fragment, or nothing when it is wrong.
    """
    analysis = analyse(text)
    if isinstance(analysis, LexError):
        findings.error(analysis.code, locate(analysis.start, analysis.end), analysis.message, analysis.help)
        return None
    before = len(findings.items)
    _check_columns(analysis, locate, scope, findings)
    _check_calls(analysis, locate, scope, findings)
    _check_shape(analysis, locate, scope, findings)
    if len(findings.items) > before:
        return None
    report_unlisted(analysis.texts, scope.enums, locate, findings)
    return _fragment(text, analysis, locate, scope)


def find_key_test(
    text: str, locate: Callable[[int, int], Span], scope: Scope, is_key: Callable[[str, str | None], bool]
) -> KeyTest | None:
    """Find the conjunct of a valid condition that tests the key against an array parameter.

    Args:
        text: The condition.
        locate: Where a stretch of the text stands in its file.
        scope: What it may name.
        is_key: Says of a column and its qualifier whether it is the key.

    Returns:
        The test, if there is exactly one such conjunct and nothing else names its parameter.
    """
    whole = analyse(text)
    if isinstance(whole, LexError) or not any(use.array for use in whole.uses):
        return None
    stretches = split_at_and(whole.words)
    found: list[tuple[int, Analysis]] = []
    for index, (start, end) in enumerate(stretches):
        analysis = analyse(text[start:end])
        if isinstance(analysis, Analysis) and analysis.key_test:
            column = analysis.key_test[0]
            if is_key(column.name, column.qualifier):
                found.append((index, analysis))
    if len(found) != 1:
        return None
    index, analysis = found[0]
    if analysis.key_test is None:
        return None
    column, hole = analysis.key_test
    name = analysis.words.holes[hole]
    if sum(other.name == name.name for other in whole.words.holes) > 1:
        return None
    shift = stretches[index][0]
    parameter = ParameterName(name.name, name.field, locate(name.start + shift, name.end + shift))
    remainder = _joined(text, [part for place, part in enumerate(stretches) if place != index], locate, scope)
    return KeyTest(column.name, column.qualifier, parameter, remainder)


def split_conjuncts(text: str, locate: Callable[[int, int], Span], scope: Scope) -> tuple[SqlFragment, ...]:
    """Cut a valid condition at the ANDs of its top level."""
    whole = analyse(text)
    if isinstance(whole, LexError):
        return ()
    return tuple(_part(text, start, end, locate, scope) for start, end in split_at_and(whole.words))


def _part(text: str, start: int, end: int, locate: Callable[[int, int], Span], scope: Scope) -> SqlFragment:
    analysis = analyse(text[start:end])
    if isinstance(analysis, LexError):  # cannot be: a conjunct of what parses parses
        raise analysis
    return _fragment(
        text[start:end], analysis, lambda first, last: locate(first + start, last + start), scope
    )


def _joined(
    text: str, stretches: list[tuple[int, int]], locate: Callable[[int, int], Span], scope: Scope
) -> SqlFragment | None:
    if not stretches:
        return None
    fragments = [_part(text, start, end, locate, scope) for start, end in stretches]
    parts: list[str | ParameterName] = []
    for fragment in fragments:
        if parts:
            _append(parts, " AND ")
        for part in fragment.parts:
            _append(parts, part)
    return SqlFragment(
        source=" AND ".join(fragment.source.strip() for fragment in fragments),
        span=fragments[0].span,
        parts=tuple(parts),
        columns=tuple(column for fragment in fragments for column in fragment.columns),
        evidence=tuple(item for fragment in fragments for item in fragment.evidence),
        aggregate=any(fragment.aggregate for fragment in fragments),
    )


def _append(parts: list[str | ParameterName], part: str | ParameterName) -> None:
    last = parts[-1] if parts else None
    if isinstance(part, str) and isinstance(last, str):
        parts[-1] = last + part
    else:
        parts.append(part)


def _fragment(text: str, analysis: Analysis, locate: Callable[[int, int], Span], scope: Scope) -> SqlFragment:
    names = [
        ParameterName(hole.name, hole.field, locate(hole.start, hole.end)) for hole in analysis.words.holes
    ]
    evidence = [_evidence(use, names[use.hole], scope) for use in analysis.uses]
    visible = text.strip()
    start = text.find(visible)
    return SqlFragment(
        source=text,
        span=locate(start, start + len(visible)),
        parts=tuple(names[part] if isinstance(part, int) else part for part in analysis.parts),
        columns=tuple(
            ColumnName(column.name, column.qualifier, locate(column.start, column.end))
            for column in analysis.columns
        ),
        evidence=tuple(item for item in evidence if item),
        aggregate=any(call.aggregate for call in analysis.calls),
        locate=locate,
    )


def _evidence(use: HoleUse, name: ParameterName, scope: Scope) -> Evidence | None:
    source = use.source
    if source is None:
        if scope.condition:
            return Evidence(name, sql_type="boolean")
        return Evidence(name, column=scope.assigned) if scope.assigned else None
    if source.column is not None:
        base = (scope.columns or {}).get(source.column)
        joined = joined_type(base, use.operator) if base else None
        if joined is None:
            return None
        if joined != base:
            return Evidence(name, sql_type=joined)
        return Evidence(name, array_of=source.column) if use.array else Evidence(name, column=source.column)
    joined = joined_type(source.sql_type or "", use.operator)
    return Evidence(name, sql_type=joined + "[]" * use.array, argument=use.argument) if joined else None


_MOMENTS = (
    "timestamp",
    "timestamptz",
    "time",
    "timetz",
    "timestamp without time zone",
    "timestamp with time zone",
)


def joined_type(base: str, operator: str) -> str | None:
    """Return the type of what an operator joins to a value, or nothing where it may be several."""
    if not operator or operator == "||":
        return base
    if base in _MOMENTS:
        return "interval" if operator in "+-" else None
    if base == "interval":
        return base if operator in "+-" else "double precision"
    # A domain holds only some of the numbers that its values are computed with.
    return None if base in ("date", "json", "jsonb") or is_own(base) else base


def _check_columns(
    analysis: Analysis, locate: Callable[[int, int], Span], scope: Scope, findings: Findings
) -> None:
    for column in analysis.columns:
        span = locate(column.start, column.end)
        if scope.columns is None:
            message = f'{scope.what} cannot name a column ("{column.name}")'
            text = analysis.words.text
            other = name_help(text, column.name, column.start, column.end, parameters=scope.parameters)
            findings.error("no-columns-here", span, message, other.text if other else None)
        elif column.name == "*":
            findings.error("sql-syntax", span, f"{scope.what} cannot use *", "name the columns")
        elif column.qualifier is not None and column.qualifier not in scope.qualifiers:
            findings.error(
                "unknown-column",
                span,
                f'"{column.qualifier}" is not a table here',
                f'only columns of "{scope.qualifiers[0]}" can be named' if scope.qualifiers else None,
            )
        elif column.name not in scope.columns:
            table = scope.qualifiers[0] if scope.qualifiers else "the table"
            help = _slice_help(analysis, column) or _column_help(analysis, column, scope)
            findings.error("unknown-column", span, f'"{table}" has no column "{column.name}"', help)
    if not scope.parameters:
        for hole in analysis.words.holes:
            message = f"{scope.what} cannot have parameters"
            findings.error("no-parameters-here", locate(hole.start, hole.end), message, "use a constant")


def _column_help(analysis: Analysis, column: ColumnUse, scope: Scope) -> str:
    """Say which column was probably meant, or what else the name may be."""
    columns = scope.columns or {}
    text = analysis.words.text
    other = name_help(text, column.name, column.start, column.end, parameters=scope.parameters)
    if other is None or column.qualifier is not None:
        return did_you_mean(column.name, columns) or f"its columns: {', '.join(columns)}"
    # Where a value stands, a name that is no column's but for a slip is a value.
    near = closest(column.name, columns, within=1 if len(column.name) < _LONG else 2)
    return f'did you mean "{near}"? Else {other.text}' if near and not other.certain else other.text


_LONG = 6


def _slice_help(analysis: Analysis, column: ColumnUse) -> str | None:
    if analysis.words.text[column.start - 1 : column.start] != ":":
        return None
    return f"the colon cuts a slice here; for a parameter write (:{column.name})"


def _check_calls(
    analysis: Analysis, locate: Callable[[int, int], Span], scope: Scope, findings: Findings
) -> None:
    for call in analysis.calls:
        span = locate(call.start, call.start + len(call.name))
        if call.window:
            findings.error("window-function", span, f"{scope.what} cannot use a window function")
        elif call.set_returning:
            message = f"{call.name} returns a set, and {scope.what} wants one value"
            findings.error("set-returning", span, message, "use it in a subquery")
        elif call.aggregate and not scope.aggregates:
            message = f"{scope.what} looks at one row, and {call.name} is an aggregate"
            findings.error("aggregate", span, message, "aggregates belong in preconditions, or in a subquery")


def _check_shape(
    analysis: Analysis, locate: Callable[[int, int], Span], scope: Scope, findings: Findings
) -> None:
    if analysis.subquery and not scope.subqueries:
        span = locate(0, len(analysis.words.text))
        message = f"{scope.what} looks at one row of one table, so it cannot have a subquery"
        findings.error(
            "subquery", span, message, "check it in a trigger, or in an operation's where_condition"
        )
    if scope.condition and analysis.constant not in (None, "boolean"):
        text = analysis.words.text
        message = f"{scope.what} must be true or false, and this is a constant {analysis.constant}"
        findings.error(
            "not-a-condition", locate(0, len(text)), message, 'write a condition, such as "price > 0"'
        )
