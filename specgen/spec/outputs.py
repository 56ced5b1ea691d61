"""What a step leaves behind, and the names by which later steps call it (LANGUAGE, "Steps").

A step named ``VERB_OBJECT`` is called ``:OBJECT.column`` row by row, ``:OBJECT_COLUMNs`` for a column as
an array, and ``:VERBed_ENTITY_ids`` for the keys; ``output:`` gives a second name beside ``OBJECT``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specgen.spec.suggest import did_you_mean

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
    """

    step: str
    output: str | None
    entity: str
    key: str | None
    key_type: FieldType | None
    columns: Mapping[str, FieldType] | None

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


class Outputs:
    """The outputs that a step may refer to.

    Args:
        earlier: Those of the steps that stand before it, which come first when a name is looked up.
        later: Those of the steps that stand behind it.
        findings: Gets names that could be of two steps.
    """

    def __init__(
        self, earlier: Iterable[StepOutput], later: Iterable[StepOutput], findings: Findings
    ) -> None:
        self.earlier = tuple(earlier)
        self.outputs = (*self.earlier, *later)
        self.findings = findings

    def rows(self, name: str, span: Span) -> StepOutput | None:
        """Return the output whose rows a name means; two are an error."""
        return self._one(name, span, [item for item in self.outputs if name in item.names])

    def column(self, name: str, span: Span) -> ListMeaning | None:
        """Return the output column that a name means as an array; two are an error."""
        found = [(item, item.column_of(name)) for item in self.outputs]
        output = self._one(name, span, [item for item, column in found if column])
        column = output.column_of(name) if output else None
        return ListMeaning(output, column) if output and column else None

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
        """Return a suggestion for a name that is no output's, where one is near."""
        if field is not None:
            return did_you_mean(name, (base for item in self.outputs for base in item.names))
        return did_you_mean(name, (known for item in self.outputs for known in item.lists()))
