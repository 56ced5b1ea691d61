"""What one operation needs of a project: its own file, and the entities that this one refers to.

Whoever runs an operation that is deployed does not wait for another file to be right. So all files are read
as YAML, to find the one that holds the operation, and of the others only what it refers to has to be right:
their fields, not their operations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from specgen.diagnostics import Findings
from specgen.spec.build import Loaded, build, in_order, read_project
from specgen.spec.outline import patterns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from specgen.diagnostics import Finding
    from specgen.spec.build import Files
    from specgen.spec.documents import EntityDocument
    from specgen.spec.model import Project

_REFERRING = ("references", "target_entity", "table", "type")
"""Keys whose values may name an entity or its table."""
_WORD = re.compile(r"[^\s.()\"']+")


@dataclass(frozen=True, slots=True)
class Needed:
    """An operation's part of a project.

    Attributes:
        loaded: The project with only that part; nothing where it is wrong.
        operations: The operations that the whole project has, as far as its files can be read.
        aside: What is wrong with files that the operation does not need.
        unknown: Whether no file names the operation, not even one that cannot be read.
    """

    loaded: Loaded
    operations: tuple[str, ...]
    aside: tuple[Finding, ...] = ()
    unknown: bool = False


def load_needed(operation: str, *, root: Path) -> Needed:
    """Read what an operation needs.

    A file that cannot be read as YAML is needed where it names the operation, or where the operation is in
    no other: then what is wrong with it is all that can be told.

    Args:
        operation: Its name.
        root: The folder of ``specgen.yaml``.
    """
    findings = Findings()
    files = read_project((), root=root, findings=findings)
    if files is None:
        return Needed(Loaded(None, in_order(findings)), ())
    names = tuple(dict.fromkeys(_operations(files.documents)))
    homes = {item.file.name for item in files.documents if operation in _operations([item])}
    unread = {item.span.file for item in findings.items} - {files.settings_file}
    if not homes:
        mentioned = {name for name in unread if operation in _words(files.text_of(name))}
        needed = _parted(None, in_order(findings), names, {*(mentioned or unread), files.settings_file})
        return replace(needed, unknown=not mentioned)
    built = Findings([item for item in findings.items if item.span.file == files.settings_file])
    defaults = files.loaded.defaults
    documents = _reached(files.documents, homes, defaults.value if defaults else None)
    entities = build(documents, files.loaded, built)
    if not built.failed:
        return _parted(files.project(entities), in_order(findings, built), names, homes)
    return Needed(Loaded(None, _told_in_full(files, built, findings)), names)


def _told_in_full(files: Files, built: Findings, read: Findings) -> tuple[Finding, ...]:
    """Return what keeps an operation from being read, as it is told where the whole project is known."""
    whole = Findings(list(read.items))
    build(files.documents, files.loaded, whole)
    places = {(item.code, item.span) for item in built.items}
    told = [item for item in whole.items if (item.code, item.span) in places]
    if any(item.code == "unknown-entity" for item in built.items):
        # It may stand where nothing could be read.
        told += read.items
    return in_order(Findings(told or built.items))


def _parted(
    project: Project | None, findings: Sequence[Finding], names: tuple[str, ...], wanted: Collection[str]
) -> Needed:
    """Tell what is wrong with the wanted files from the rest."""
    mine = tuple(item for item in findings if item.span.file in wanted)
    aside = tuple(item for item in findings if item.span.file not in wanted)
    return Needed(Loaded(project, mine), names, aside)


def _operations(documents: Iterable[EntityDocument]) -> Iterator[str]:
    for document in documents:
        for pattern in patterns(document.data):
            name = pattern.get("operation")
            if isinstance(name, str):
                yield name


def _reached(documents: Sequence[EntityDocument], homes: set[str], defaults: Any) -> list[EntityDocument]:
    """Return the files that hold the operation whole, and of those that they refer to the fields."""
    others = [item for item in documents if item.file.name not in homes]
    found = [item for item in documents if item.file.name in homes]
    named = {name for item in found for name in _named(item.data)} | set(_named(defaults))
    while True:
        reached = [item for item in others if named & set(_own_names(item.data))]
        if not reached:
            return found
        others = [item for item in others if item not in reached]
        fields = [_without_operations(item) for item in reached]
        named |= {name for item in fields for name in _named(item.data)}
        found += fields


def _without_operations(document: EntityDocument) -> EntityDocument:
    data = {key: value for key, value in document.data.items() if key != "patterns"}
    return replace(document, data=data)


def _own_names(data: Any) -> Iterator[str]:
    """Yield the names that an entity is referred to by; another of the same name would be its double."""
    if isinstance(data, dict):
        for key in ("name", "table"):
            if isinstance(data.get(key), str):
                yield from (data[key], *_words(data[key]))


def _named(data: Any) -> Iterator[str]:
    """Yield the words of a document that may be names of entities; too many do no harm."""
    if isinstance(data, dict) and isinstance(data.get("name"), str):
        yield data["name"]
    todo: list[Any] = [data]
    while todo:
        value = todo.pop()
        match value:
            case dict():
                todo += value.values()
                texts = [value[key] for key in _REFERRING if isinstance(value.get(key), str)]
                fields = value.get("fields")
                if isinstance(fields, dict):
                    texts += [kind for kind in fields.values() if isinstance(kind, str)]
                for text in texts:
                    yield text
                    yield from _words(text)
            case list():
                todo += value
            case _:
                pass


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))
