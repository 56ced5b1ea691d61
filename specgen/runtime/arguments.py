"""Arguments from text: what stands behind ``-p name=value`` as PostgreSQL reads it.

Every value goes to the server as text with a cast to the parameter's type, so the server's own input
rules hold and nothing is ever pasted into SQL.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from specgen.errors import UsageError
from specgen.runtime.examples import RECORDS, array_forms, example, has_no_comma

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OPTIONS = (
    "operation_id",
    "batch_size",
    "max_records",
    "max_errors",
    "error_handling",
    "timeout",
    "idempotency_key",
    "priority",
    "context",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation; ``type`` is SQL, and records may come from a file instead.

    Attributes:
        findable: Whether every session finds the type by its name, whatever it searches.
    """

    name: str
    type: str
    required: bool = True
    records: bool = False
    findable: bool = True

    @property
    def is_array(self) -> bool:
        """Whether it takes a list."""
        return self.type.endswith("[]")

    @property
    def is_json(self) -> bool:
        """Whether it takes a JSON document."""
        return self.type in ("json", "jsonb")

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"parameter {self.name} ({self.type})"

    def example(self, values: Sequence[str] = ()) -> str:
        """Return how it is given, with a value that works, or with one of these."""
        if self.records:
            return f"-p {self.name}='{RECORDS}', or -p {self.name}=@FILE.json"
        return example(self.name, self.type, values) or f"-p {self.name}=..."

    def example_as(self, kind: str) -> str:
        """Return how it is given, as a value of another type, which its own is made of."""
        return example(self.name, kind) or self.example()


def split_pair(text: str, option: str) -> tuple[str, str]:
    """Return the two sides of ``name=value``.

    Raises:
        UsageError: There is no ``=``.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f'{option} wants name=value, not "{text}"')
    return name.strip(), value


def read_arguments(
    pairs: Iterable[str], parameters: Sequence[Parameter], nulls: Iterable[str] = ()
) -> dict[str, str | None]:
    """Return each given parameter's value as PostgreSQL's text form of its type.

    Args:
        pairs: ``name=value``; array parameters may come several times, an element each.
        parameters: What the operation takes.
        nulls: Names of parameters that are NULL.

    Raises:
        UsageError: A name is unknown, comes twice, or is missing; a value or its file cannot be read.
    """
    known = {parameter.name: parameter for parameter in parameters}
    given: dict[str, list[str]] = {}
    for pair in pairs:
        name, value = _parameter_pair(pair, known)
        given.setdefault(name, []).append(value)
    absent = dict.fromkeys(nulls)
    for name in absent:
        if name not in known:
            raise _unknown("parameter", name, known)
        if name in given:
            raise UsageError(
                f"{known[name].title} is given with -p and with --null",
                help="one of the two says what is meant",
            )
    missing = [
        item for item in parameters if item.required and item.name not in given and item.name not in absent
    ]
    if missing:
        listed = ", ".join(f"{item.name} ({item.type})" for item in missing)
        file = "--input FILE, or " if missing[0].records else ""
        rest = "" if len(missing) == 1 else f"; {missing[1].name} as {missing[1].example()}"
        raise UsageError(
            f"missing {'parameter' if len(missing) == 1 else 'parameters'}: {listed}",
            help=f"for example {file}{missing[0].example()}{rest}",
        )
    return absent | {name: _value(known[name], values) for name, values in given.items()}


def _parameter_pair(pair: str, known: Mapping[str, Parameter]) -> tuple[str, str]:
    """Return the name of a parameter that there is, and its value."""
    name, equals, value = pair.partition("=")
    name = name.strip()
    if equals and name in known:
        return name, value
    if equals and name:
        raise _unknown("parameter", name, known)
    meant = next(
        (item for item in known if re.fullmatch(rf"{re.escape(item)}(?!\w).*", name, re.DOTALL)), None
    )
    if meant is not None:
        raise UsageError(
            f'{known[meant].title} has no value in -p "{pair}"', help=f"for example {known[meant].example()}"
        )
    listed = ", ".join(f"{item.name} ({item.type})" for item in known.values())
    raise UsageError(
        f'-p wants name=value, not "{pair}"',
        help=f"it takes {listed}" if listed else "the operation takes no parameters",
    )


def read_options(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the ``options`` of a call from ``name=value``.

    Raises:
        UsageError: A name is unknown or comes twice, ``context`` is no JSON, or an id is no UUID.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, value = split_pair(pair, "-o")
        if name not in OPTIONS:
            raise _unknown("option", name, OPTIONS)
        if name in options:
            raise UsageError(f"option {name} is given twice")
        options[name] = _option(name, value)
    return options


def _option(name: str, value: str) -> Any:
    match name:
        case "context":
            return _json(value, f"option {name}", """for example -o 'context={"ticket": 7}'""")
        case "operation_id":
            try:
                return str(UUID(value))
            except ValueError:
                raise UsageError(
                    f'option operation_id: "{value}" is not a UUID', help="leave it out, and one is made"
                ) from None
        case _:
            return value


def array_literal(elements: Iterable[Any]) -> str:
    """Return a list, nested ones too, as PostgreSQL's text form of an array."""
    return "{" + ",".join(_element(element) for element in elements) + "}"


def _element(element: Any) -> str:
    match element:
        case None:
            return "NULL"
        case list():
            return array_literal(element)
        case bool():
            return str(element).lower()
        case str():
            text = element
        case _:
            text = json.dumps(element, ensure_ascii=False)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _value(parameter: Parameter, values: list[str]) -> str:
    if parameter.is_array:
        return _array(parameter, values)
    if len(values) > 1:
        raise UsageError(
            f"{parameter.title} is given {len(values)} times and takes one value",
            help=f"for example {parameter.example()}",
        )
    if parameter.is_json:
        return _json_text(parameter, values[0])
    return values[0]


def _array(parameter: Parameter, values: list[str]) -> str:
    if len(values) == 1 and values[0].lstrip().startswith("{"):
        return values[0]
    elements: list[Any] = []
    for value in values:
        if value.startswith("@"):
            elements += _lines(parameter, value[1:])
        elif value.lstrip().startswith("["):
            elements += _list(parameter, value)
        elif value.lstrip().startswith("{"):
            raise UsageError(
                f"{parameter.title} takes one {{...}}, or several single values, not both",
                help=f"for example {parameter.example()}",
            )
        elif "," in value and has_no_comma(parameter.type):
            # Not taken apart: 1,5 and 1,000 are single numbers to some.
            raise _comma(parameter, value)
        else:
            elements.append(value)
    return array_literal(elements)


def _comma(parameter: Parameter, value: str) -> UsageError:
    parts = [part.strip() for part in value.split(",")]
    usable = parts[:3] if all(re.fullmatch(r"[\w.:+-]+", part) for part in parts) else ()
    forms = array_forms(parameter.name, parameter.type, usable) if usable else parameter.example()
    return UsageError(
        f'{parameter.title}: "{value}" is read as one element, and holds a comma',
        help=f"several are given as {forms}",
    )


def _lines(parameter: Parameter, file: str) -> list[Any]:
    text = _read(parameter.name, file)
    if Path(file).suffix == ".json":
        return _list(parameter, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def _list(parameter: Parameter, text: str) -> list[Any]:
    document = _json(text, parameter.title, f"for example {parameter.example()}")
    if not isinstance(document, list):
        raise UsageError(f"{parameter.title} wants a JSON array", help=f"for example {parameter.example()}")
    return document


def _json_text(parameter: Parameter, value: str) -> str:
    """Return a JSON document; its text is passed on as it is, so that no number loses a digit."""
    title, help = parameter.title, f"for example {parameter.example()}"
    text = _read(parameter.name, value[1:]) if value.startswith("@") else value
    if value.startswith("@") and Path(value).suffix == ".jsonl":
        lines = [line for line in text.splitlines() if line.strip()]
        for number, line in enumerate(lines, 1):
            _json(line, f"{title}, line {number} of {value[1:]}", help)
        return "[" + ",\n".join(lines) + "]"
    _json(text, title, help)
    return text


def _json(text: str, what: str, help: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{what} is no JSON: {error}", help=help) from error


def _read(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"parameter {name}: {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"parameter {name}: {file} is not UTF-8: {error.reason}") from error


def _unknown(kind: str, name: str, known: Iterable[str] | Mapping[str, object]) -> UsageError:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return UsageError(f'there is no {kind} "{name}"', help=f'did you mean "{near[0]}"?')
    return UsageError(f'there is no {kind} "{name}"', help=f"there are {', '.join(names)}" if names else None)
