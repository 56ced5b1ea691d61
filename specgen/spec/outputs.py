"""What a step leaves behind, and the names by which later steps call it (LANGUAGE, "Steps").

A step named ``VERB_OBJECT`` is called ``:OBJECT.column`` row by row, ``:OBJECT_COLUMNs`` for a column as
an array, and ``:VERBed_ENTITY_ids`` for the keys; ``output:`` gives a second name beside ``OBJECT``. Of a
select the list has the singular's name too: ``find_episodes`` yields ``:episodes_ids`` and ``:episode_ids``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specgen.spec.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from specgen.diagnostics import Findings, Span
    from specgen.spec.model import FieldType

_IRREGULAR = {
    "build": "built",
    "find": "found",
    "get": "got",
    "make": "made",
    "pay": "paid",
    "read": "read",
    "send": "sent",
    "set": "set",
    "take": "taken",
    "write": "written",
}
_VOWELS = "aeiou"
_SLIPS = 2
"""So many characters may be wrong in a name that is taken for an output's; further off is another name."""


@dataclass(frozen=True, slots=True)
class StepOutput:
    """The rows that a step leaves, before anybody asks for them.

    Attributes:
        step: The step's name.
        output: The name that ``output:`` gives.
        entity: The entity it works on.
        key: That entity's key column, if it is one column.
        columns: The columns of the rows; nothing where only the function that is called knows.
        key_type: The type of the key column.
        selected: Whether it is a select.
    """

    step: str
    output: str | None
    entity: str
    key: str | None
    key_type: FieldType | None
    columns: Mapping[str, FieldType] | None
    selected: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What its rows are called."""
        named = _object(self.step)
        return tuple(dict.fromkeys(name for name in (self.output, named) if name))

    @property
    def key_lists(self) -> frozenset[str]:
        """What its keys are called, as an array."""
        if self.key is None:
            return frozenset()
        verb = self.step.partition("_")[0]
        return frozenset(f"{past}_{self.entity}_ids" for past in _past(verb))

    def column_of(self, name: str) -> str | None:
        """Return the column that a name means as an array, if it means one."""
        if name in self.key_lists:
            return self.key
        for base in self.names:
            if self.columns is not None:
                for column in self.columns:
                    if name == f"{base}_{column}s":
                        return column
            elif name.startswith(f"{base}_") and name.endswith("s") and len(name) > len(base) + 2:
                return name[len(base) + 1 : -1]
        return None

    def column_of_singular(self, name: str) -> str | None:
        """Return the column that ``:episode_ids`` means, where the rows are ``episodes``."""
        if not self.selected:
            return None
        singulars = [singular for base in self.names for singular in _singular(base)]
        named = {f"{singular}_{column}s": column for singular in singulars for column in self.columns or ()}
        return named.get(name)

    def lists(self) -> Iterator[str]:
        """Yield the names of arrays that are known without the function."""
        yield from sorted(self.key_lists)
        for base in self.names:
            for column in self.columns or ():
                yield f"{base}_{column}s"

    def type_of(self, column: str) -> FieldType | None:
        """Return a column's type, if it is known."""
        if column == self.key:
            return self.key_type
        return (self.columns or {}).get(column)


def _object(step: str) -> str:
    verb, _, rest = step.partition("_")
    return rest or verb


def _singular(word: str) -> tuple[str, ...]:
    """Return the words that a word may be the plural of."""
    if not word.endswith("s") or word.endswith("ss"):
        return ()
    if word.endswith("ies"):
        return (f"{word[:-3]}y", word[:-1])
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return (word[:-2], word[:-1])
    return (word[:-1],)


def _past(verb: str) -> tuple[str, ...]:
    """Return the forms that the past of a verb may be written in."""
    if verb in _IRREGULAR:
        return (_IRREGULAR[verb], f"{verb}ed")
    if verb.endswith("e"):
        return (f"{verb}d",)
    if verb.endswith("y") and verb[-2:-1] not in _VOWELS:
        return (f"{verb[:-1]}ied",)
    if len(verb) > 2 and verb[-1] not in f"{_VOWELS}wxy" and verb[-2] in _VOWELS and verb[-3] not in _VOWELS:
        return (f"{verb}ed", f"{verb}{verb[-1]}ed")
    return (f"{verb}ed",)


@dataclass(frozen=True, slots=True)
class ListMeaning:
    """What a plain ``:name`` means, when it is a column of an output."""

    output: StepOutput
    column: str


@dataclass(frozen=True, slots=True)
class Names:
    """What the names in an operation are known to be.

    Attributes:
        declared: Parameters that the operation declares, which no output's name overrules.
        mentioned: The plain ``:names`` in each step.
        waiting: For each step, those that wait for it, directly or through others.
    """

    declared: frozenset[str] = frozenset()
    mentioned: Mapping[str, frozenset[str]] = field(default_factory=dict)
    waiting: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Outputs:
    """The outputs that a step may refer to.

    Args:
        step: The step.
        earlier: Those of the steps that stand before it, which come first when a name is looked up.
        later: Those of the steps that stand behind it.
        names: What the operation's names are known to be.
        findings: Gets names that could be of two steps.
    """

    def __init__(
        self,
        step: str,
        earlier: Iterable[StepOutput],
        later: Iterable[StepOutput],
        names: Names,
        findings: Findings,
    ) -> None:
        self.step = step
        self.earlier = tuple(earlier)
        self.outputs = (*self.earlier, *later)
        self.names = names
        self.findings = findings

    def rows(self, name: str, span: Span) -> StepOutput | None:
        """Return the output whose rows a name means; two are an error."""
        return self._one(name, span, [item for item in self.outputs if name in item.names])

    def column(self, name: str, span: Span) -> ListMeaning | None:
        """Return the output column that a name means as an array; two are an error."""
        if name in self.names.declared:
            return None
        found = {item.step: (item, item.column_of(name)) for item in self.outputs}
        output = self._one(name, span, [item for item, column in found.values() if column])
        if output is None and not any(column for _, column in found.values()):
            found = {item.step: (item, item.column_of_singular(name)) for item in self.earlier}
            output = self._one(name, span, [item for item, column in found.values() if column])
            if output is not None and self._is_parameter(name, output, span):
                return None
        column = found[output.step][1] if output else None
        return ListMeaning(output, column) if output and column else None

    def _is_parameter(self, name: str, output: StepOutput, span: Span) -> bool:
        """Report a name that is a parameter before the output is there, and could be either from then on."""
        user = self._mentioned_before(name, output)
        if user is None:
            return False
        column = output.column_of_singular(name)
        kind = output.type_of(column) if column else None
        declared = f'{{{name}: "{kind.sql}[]"}}' if kind else f"{{{name}: ...}}"
        self.findings.error(
            "ambiguous-output",
            span,
            f'":{name}" is a parameter in the step "{user}", and could here be what "{output.step}" selects',
            f"for what was selected write :{output.names[0]}_{column}s, for the parameter declare it: "
            f"parameters: {declared}",
        )
        return True

    def _mentioned_before(self, name: str, output: StepOutput) -> str | None:
        """Return the first step that says a name before an output is there to be meant by it."""
        until = self.earlier.index(output) if output in self.earlier else -1
        steps = (item.step for item in self.earlier[: until + 1])
        return next((step for step in steps if name in self.names.mentioned.get(step, ())), None)

    def _one(self, name: str, span: Span, found: list[StepOutput]) -> StepOutput | None:
        found = [item for item in found if item in self.earlier] or found
        if len(found) > 1:
            steps = " and of ".join(f'"{item.step}"' for item in found)
            self.findings.error(
                "ambiguous-output",
                span,
                f'":{name}" could be of the step {steps}',
                "give one of them a name of its own: output: ...",
            )
        return found[0] if found else None

    def near(self, name: str, field: str | None) -> str | None:
        """Return a suggestion for a name that is no output's, where one is near and can be read here."""
        waiting = self.names.waiting.get(self.step, frozenset())
        readable = [item for item in self.outputs if item.step not in waiting]
        if field is None:
            if name in self.names.declared:
                return None
            readable = [item for item in readable if self._mentioned_before(name, item) is None]
        words = (word for item in readable for word in (item.names if field is not None else item.lists()))
        found = closest(name, words, within=_SLIPS if len(name) > 2 * _SLIPS else 1)
        return f'did you mean ":{found}"?' if found else None
