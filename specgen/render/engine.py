"""The template engine: Jinja with filters that quote, and nothing that decides.

Templates are looked for in the project's own folder first, so that a project may shadow one of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from specgen import __version__
from specgen.plan.driving import Rows
from specgen.plan.patterns import PATTERNS
from specgen.plan.project import RUNTIME_FILE, Plan, PlannedEntity
from specgen.plan.sqltext import BODY_TAG, ident, literal
from specgen.render.bytecode import template_cache
from specgen.versions import DEPLOYMENT_LOCK, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specgen.plan.naming import QualifiedName
    from specgen.plan.parts import PlannedFunction
    from specgen.plan.planned import PlannedStep
    from specgen.spec.model import Settings


STEPS = "runtime/migrations"
"""The folder of the templates that upgrade the runtime, a step each, named after the version it leads to."""
_JSON_WIDTH = 100
"""Up to where an object stays on one line."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file's name, relative to the output folder, and its text."""

    name: str
    text: str


def render_plan(plan: Plan, *, shadow: Path | None = None) -> tuple[RenderedFile, ...]:
    """Render every file of a plan.

    Args:
        plan: What to render.
        shadow: A folder whose templates take the place of those with the same name.

    Raises:
        jinja2.TemplateError: A template, most likely a shadowing one, is wrong.
    """
    environment = _environment(shadow)
    runtime = RenderedFile(RUNTIME_FILE, render_runtime(plan.settings, shadow=shadow))
    template = environment.get_template("entity/entity.sql.j2")

    def render(entity: PlannedEntity) -> RenderedFile:
        operations = [
            environment.get_template(pattern.template).render(op=item, definition=pattern.define(item))
            for item in entity.operations
            if (pattern := PATTERNS[item.pattern])
        ]
        return RenderedFile(
            entity.file, template.render(entity=entity, version=__version__, operations=operations)
        )

    return (runtime, *(render(entity) for entity in plan.entities))


def render_runtime(settings: Settings, *, shadow: Path | None = None) -> str:
    """Render the objects that all operations share."""
    template = _environment(shadow).get_template("runtime/runtime.sql.j2")
    return template.render(
        runtime=settings.runtime_schema,
        postgres=settings.postgres,
        version=__version__,
        runtime_version=RUNTIME,
        steps=_steps(shadow),
        lock=DEPLOYMENT_LOCK,
    )


def _steps(shadow: Path | None) -> list[str]:
    """Return the templates that bring a runtime from one version to the next, in their order."""
    folders = [folder / STEPS for folder in _folders(shadow)]
    return sorted({f"{STEPS}/{path.name}" for folder in folders for path in folder.glob("*.sql.j2")})


def render_catalog(schema: str) -> str:
    """Render the functions that read the catalog alone, into a schema of the caller's choice."""
    return _environment(None).get_template("runtime/catalog.sql.j2").render(runtime=schema)


def render_statements(step: PlannedStep, *, shadow: Path | None = None) -> dict[str, str]:
    """Render the statement that writes a batch, for each form of batch that the step may take."""
    template = _environment(shadow).get_template("steps/statement.sql.j2")
    forms = {"ranges": "range", "keys": "keys"} if isinstance(step.driving, Rows) else {"items": "keys"}
    return {name: template.render(step=step, form=form).strip() for name, form in forms.items()}


def template_folder() -> Path:
    """Return the folder of the templates: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    shipped = package / "templates"
    return shipped if shipped.is_dir() else package.parent / "templates"


def _folders(shadow: Path | None) -> list[Path]:
    return [template_folder()] if shadow is None else [shadow, template_folder()]


@lru_cache(maxsize=4)
def _environment(shadow: Path | None) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_folders(shadow)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
        bytecode_cache=template_cache(),
        autoescape=False,  # noqa: S701 -- SQL, not HTML; a test forbids interpolation without a filter
    )
    environment.filters.update(FILTERS)
    return environment


def qname(name: QualifiedName | PlannedFunction) -> str:
    """Return a qualified name as SQL."""
    return f"{ident(name.schema)}.{ident(name.name)}"


def comment(text: object) -> str:
    """Return a text that stays within its ``--`` comment."""
    return BODY_TAG.sub("$ ", " ".join(str(text).split()))


def sql(text: str, indent: int = 0) -> str:
    """Return SQL that the plan made, its further lines indented."""
    return text.replace("\n", "\n" + " " * indent) if indent else text


def sqllist(parts: Iterable[str]) -> str:
    """Return expressions that the plan made, joined by commas."""
    return ", ".join(parts)


def jsonb(value: object, indent: int) -> str:
    """Return a value as a jsonb constant, a key or an object a line."""
    text = _json(value, indent)
    # Dollar quotes, because no setting changes how they are read; JSON can do without a dollar sign.
    return "$json$" + text.replace("$", "\\u0024") + "$json$"


def _json(value: object, indent: int) -> str:
    pad, further = " " * indent, " " * (indent + 4)
    flat = json.dumps(value, ensure_ascii=False)
    if not value or len(flat) + indent < _JSON_WIDTH:
        return flat
    match value:
        case dict():
            lines = [f"{further}{json.dumps(key)}: {_json(item, indent + 4)}" for key, item in value.items()]
            return "{\n" + ",\n".join(lines) + f"\n{pad}}}"
        case list() | tuple() if any(isinstance(item, dict) for item in value):
            lines = [f"{further}{_json(item, indent + 4)}" for item in value]
            return "[\n" + ",\n".join(lines) + f"\n{pad}]"
        case _:
            return flat


def in_format(text: str) -> str:
    """Return a text that RAISE prints as it is."""
    return text.replace("%", "%%")


def number(value: int) -> str:
    """Return a whole number."""
    return str(int(value))


FILTERS = {
    "comment": comment,
    "ident": ident,
    "in_format": in_format,
    "jsonb": jsonb,
    "literal": literal,
    "number": number,
    "qname": qname,
    "sql": sql,
    "sqllist": sqllist,
}
"""What a template may pass an interpolation through."""
