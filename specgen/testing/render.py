"""Renders generated tests: one pytest file an entity."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from specgen.testing.cases import test_cases

if TYPE_CHECKING:
    from jinja2 import Environment

    from specgen.plan.project import Plan
    from specgen.render.engine import RenderedFile
    from specgen.spec.model import Project

_WIDTH = 100


def render_tests(plan: Plan, project: Project) -> tuple[RenderedFile, ...]:
    """Render the test files of a plan's entities.

    Args:
        plan: The entities that get a file.
        project: The whole project that they belong to.
    """
    from specgen import __version__
    from specgen.render.engine import RenderedFile

    template = _environment().get_template("tests/entity.py.j2")
    return tuple(
        RenderedFile(cases.file, template.render(entity=cases, version=__version__))
        for cases in test_cases(plan, project)
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from specgen.render.engine import comment, template_folder

    environment = Environment(
        loader=FileSystemLoader(template_folder()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 -- Python, not HTML; values go through python() or comment()
    )
    environment.filters.update(comment=comment, python=python, text=text, name=str, built=built)
    return environment


def python(value: object, indent: int = 4) -> str:
    """A value as Python source, broken into lines where it is long."""
    flat = _flat(value)
    if len(flat) + indent <= _WIDTH or not isinstance(value, dict | tuple | list) or not value:
        return flat
    pad, end = " " * (indent + 4), " " * indent
    if isinstance(value, dict):
        lines = [f"{pad}{_flat(key)}: {python(item, indent + 4)},\n" for key, item in value.items()]
        return "{\n" + "".join(lines) + end + "}"
    lines = [f"{pad}{python(item, indent + 4)},\n" for item in value]
    return "(\n" + "".join(lines) + end + ")"


def _flat(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{_flat(key)}: {_flat(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(_flat(item) for item in value) + "]"
        case tuple():
            inner = ", ".join(_flat(item) for item in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case str():
            return _quoted(value)
        case None | bool() | int() | float():
            return repr(value)
        case _:
            return repr(value).split(".")[-1].replace("'", '"')


def built(value: object, indent: int = 4) -> str:
    """A plain dataclass as the call that makes it, without what is as it would be anyway."""
    assert is_dataclass(value) and not isinstance(value, type)
    given = [
        (item.name, getattr(value, item.name))
        for item in fields(value)
        if item.default is MISSING or getattr(value, item.name) != item.default
    ]
    name = type(value).__name__
    flat = f"{name}({', '.join(f'{key}={_flat(item)}' for key, item in given)})"
    if len(flat) + indent + 16 <= _WIDTH:
        return flat
    pad = " " * (indent + 4)
    lines = [f"{pad}{key}={_written(item, indent + 4)},\n" for key, item in given]
    return f"{name}(\n{''.join(lines)}{' ' * indent})"


def _written(value: object, indent: int) -> str:
    return text(value) if isinstance(value, str) and "\n" in value else python(value, indent)


def _quoted(value: str) -> str:
    """A text as a Python literal with double quotes, as formatters write it."""
    shown = repr(value)
    if shown.startswith("'") and '"' not in value:
        return f'"{shown[1:-1]}"'.replace("\\'", "'")
    return shown


def text(value: str) -> str:
    """SQL as a triple-quoted literal that keeps its lines."""
    escaped = value.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{escaped}"""'
