"""docs/language.md as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from specgen.spec.published import of_this_version
from tools.reference.check import findings
from tools.reference.keys import BODY, FIELDS, OPERATION, WRONG, sections
from tools.reference.text import WIDTH, flow, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.reference.keys import Key, Section

INTRODUCTION = """\
# The language: every key

How the pieces work together (values, conditions, parameters, results) is told in
[concepts](language-concepts.md), how an operation does several things in turn in [steps](steps.md); this page
lists the keys. For each: what it means, its default, an example, and below the example what
`specgen validate` says about a wrong value.

`make reference` makes this page from the JSON Schemas in `specgen/spec/`. Each example is run by the tests,
and each message is what was printed. A file holds one entity, or several as YAML documents."""


def page() -> str:
    """Return the whole page."""
    anchors: Counter[str] = Counter()
    parts = [INTRODUCTION]
    for section in sections():
        keys = list(section.keys())
        body = [_entry(key) for key in keys]
        anchors[_slug(section.title)] += 1
        links = [f"[`{key.name}`](#{_anchor(key.name, anchors)})" for key in keys]
        introduction = [section.introduction] if section.introduction else []
        parts += [f"## {section.title}", *introduction, *_base(section), _filled(links), *body]
    return "\n\n".join(parts) + "\n"


def _base(section: Section) -> Iterator[str]:
    if section.title == "An operation":
        whole = {"name": "user", "fields": FIELDS, "patterns": [{**OPERATION, **BODY}]}
        yield _code("yaml", yaml_text(whole))


def _entry(key: Key) -> str:
    told = key.schema["description"].strip()
    more = [_needed(key), _default(key), _bounds(key.schema)]
    lines = [f"### `{key.name}`", " ".join([told, *filter(None, more)])]
    lines.append(_code("yaml", yaml_text(key.shown)))
    lines.append(_code("text", _refusal(key)))
    return "\n\n".join(lines)


def _needed(key: Key) -> str:
    if key.later:
        return "*Not supported yet: refused by name.*"
    return "*Required.*" if key.required else ""


def _default(key: Key) -> str:
    return f"Default: `{flow(key.schema['default'])}`." if "default" in key.schema else ""


def _bounds(schema: dict[str, Any]) -> str:
    schema = schema.get("else", {}) | of_this_version(schema)
    if len(schema.get("enum", ())) > 1:
        return f"One of {', '.join(f'`{value}`' for value in schema['enum'])}."
    least, most = schema.get("minimum"), schema.get("maximum")
    match least, most:
        case None, None:
            return ""
        case _, None:
            return f"At least {least:,}."
        case None, _:
            return f"At most {most:,}."
        case _:
            return f"From {least:,} to {most:,}."


def _refusal(key: Key) -> str:
    text = findings(key.wrong)
    if not text:
        raise SystemExit(f"{key.name}: give it {WRONG} in its schema, a value that is refused")
    return text


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}```"


def _filled(links: list[str]) -> str:
    lines = [links[0]]
    for link in links[1:]:
        if len(lines[-1]) + len(link) > WIDTH:
            lines[-1] += " ·"
            lines.append(link)
        else:
            lines[-1] += f" · {link}"
    return "\n".join(lines)


def _slug(heading: str) -> str:
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _anchor(name: str, seen: Counter[str]) -> str:
    """Return the anchor that GitHub gives a heading: a heading met before gets a number."""
    slug = _slug(name)
    seen[slug] += 1
    return slug if seen[slug] == 1 else f"{slug}-{seen[slug] - 1}"
