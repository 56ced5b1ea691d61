"""From files to the model: the entry of everything in ``spec``.

The stages run over all files before the next begins, and each reports all it finds: text to documents
(``source``), structure (``schema``), entities (``entities``), operations (``operations``), and last what
only the whole project can tell: names that meet, references in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specgen.diagnostics import Finding, Findings, Position, Span
from specgen.spec import collisions
from specgen.spec.config import FILE, LoadedSettings, display_name, load_settings
from specgen.spec.entities import Catalog, Draft, draft_entity, report_cycles, resolve_entity
from specgen.spec.files import walk
from specgen.spec.model import BatchOperation, Entity, Project
from specgen.spec.schema import ENTITY, check_structure
from specgen.spec.settled import Settled
from specgen.spec.source import read_documents
from specgen.spec.steps import build_operation
from specgen.spec.unread import AnyName, joined, names_defined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from specgen.spec.documents import EntityDocument, Node


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project, or nothing when there is any error, and all findings in the order of their places."""

    project: Project | None
    findings: tuple[Finding, ...]


def load_project(paths: Sequence[Path], *, root: Path) -> Loaded:
    """Read a project's settings and its spec files.

    Args:
        paths: Files, or folders to walk; when empty, the configured ``entities`` folder.
        root: The folder of ``specgen.yaml``, which need not be there.
    """
    findings = Findings()
    files = read_project(paths, root=root, findings=findings)
    if files is None:
        return Loaded(None, in_order(findings))
    entities = build(files.documents, files.loaded, findings, files.unread)
    return Loaded(None if findings.failed else files.project(entities), in_order(findings))


@dataclass(frozen=True, slots=True)
class Files:
    """The settings and the spec files of a project, read as YAML.

    Attributes:
        settings_file: ``specgen.yaml``, as findings name it.
        paths: Each spec file by the name that findings have for it.
        unread: The names of entities that files may define which cannot be read.
    """

    loaded: LoadedSettings
    documents: tuple[EntityDocument, ...]
    settings_file: str
    paths: dict[str, Path]
    unread: frozenset[str]

    def project(self, entities: tuple[Entity, ...]) -> Project:
        """Return the project of these entities."""
        return Project(self.loaded.settings, entities)

    def text_of(self, name: str) -> str:
        """Return what can be read of a spec file that is wrong; nothing where there is none."""
        try:
            return self.paths[name].read_bytes().decode("utf-8", "replace")
        except (KeyError, OSError):
            return ""


def read_project(paths: Sequence[Path], *, root: Path, findings: Findings) -> Files | None:
    """Read the files of :func:`load_project`; nothing where there is no project."""
    loaded = load_settings(root, findings)
    folder = root / loaded.settings.paths.entities
    if not paths and not folder.exists():
        _report_no_project(folder, root, findings)
        return None
    documents: list[EntityDocument] = []
    named: dict[str, Path] = {}
    unread: list[frozenset[str]] = []
    for path in _files(list(paths) or [folder], root, findings):
        name = display_name(path, root)
        named[name] = path
        found = read_documents(path, name, findings)
        documents += found
        if not found:
            unread.append(names_defined(path))
    settings_file = display_name(root / FILE, root)
    return Files(loaded, tuple(documents), settings_file, named, joined(*unread))


def in_order(*found: Findings) -> tuple[Finding, ...]:
    """Return findings, each once, in the order of their places."""
    items = dict.fromkeys(item for findings in found for item in findings.items)
    return tuple(sorted(items, key=lambda item: (item.span, item.code, item.message)))


def _report_no_project(folder: Path, root: Path, findings: Findings) -> None:
    settings = root / FILE
    span = Span(display_name(settings, root), Position(1, 1), Position(1, 2))
    name = display_name(folder, root)
    if settings.exists():
        message = f'there is no folder "{name}" for the spec files'
        findings.error("no-project", span, message, "make it, or set paths: {entities: ...}")
    else:
        message = f'here is no specgen project: neither {FILE} nor a folder "{name}"'
        help = 'start one with "specgen init", name a project\'s folder with --project, or name spec files'
        findings.error("no-project", span, message, help)


def _files(paths: Sequence[Path], root: Path, findings: Findings) -> Iterator[Path]:
    """Yield spec files, each once, folders walked in sorted order."""
    seen: set[Path] = set()
    for path in paths:
        try:
            found = list(walk(path)) if path.is_dir() else [path]
        except OSError as error:
            span = Span(display_name(path, root), Position(1, 1), Position(1, 2))
            reason = error.strerror or type(error).__name__
            findings.error(
                "unreadable-file", span, f"the folder cannot be read: {reason}", "check its rights"
            )
            continue
        if not found:
            name = display_name(path, root)
            span = Span(name, Position(1, 1), Position(1, 2))
            findings.error(
                "no-spec-files", span, "there is no .yaml or .yml file in this folder", "name another one"
            )
        for file in found:
            key = file.resolve()
            if key not in seen:
                seen.add(key)
                yield file


def build(
    documents: Sequence[EntityDocument],
    loaded: LoadedSettings,
    findings: Findings,
    unread: frozenset[str] = frozenset(),
) -> tuple[Entity, ...]:
    """Build the entities of some documents.

    Args:
        documents: What was read.
        loaded: The project's settings.
        findings: Gets what is wrong.
        unread: The names of entities in files that could not be read; nobody is told that they are missing.
    """
    drafts: list[Draft] = []
    broken = [unread]
    for document in documents:
        if _has_right_structure(document, loaded.defaults, findings):
            drafts.append(draft_entity(document, loaded.settings, findings))
        else:
            name = document.data.get("name") if isinstance(document.data, dict) else None
            broken.append(frozenset((name,)) if isinstance(name, str) else AnyName())
    catalog: Catalog = {}
    for draft in drafts:
        catalog.setdefault(draft.name, draft)
    unreadable = joined(*broken)
    for draft in drafts:
        resolve_entity(draft, catalog, unreadable, findings)
    report_cycles(tuple(drafts), findings)
    entities = tuple(_entity(draft, loaded.defaults, catalog, unreadable, findings) for draft in drafts)
    collisions.report(entities, findings)
    return entities


def _has_right_structure(document: EntityDocument, defaults: Node | None, findings: Findings) -> bool:
    """Hold a document against the schema, the project's defaults filled into its operations."""

    def key_span(path: tuple[str | int, ...]) -> Span:
        place = _in_defaults(path, document, defaults)
        return place.key_span if place else document.key_span(path)

    def value_span(path: tuple[str | int, ...]) -> Span:
        place = _in_defaults(path, document, defaults)
        return place.span if place else document.span(path)

    data = _with_defaults(document.data, defaults)
    return check_structure(ENTITY, data, key_span, value_span, findings)


def _with_defaults(data: Any, defaults: Node | None) -> Any:
    if defaults is None or not isinstance(data, dict) or not isinstance(data.get("patterns"), list):
        return data
    filled = [{**defaults.value, **item} if isinstance(item, dict) else item for item in data["patterns"]]
    return {**data, "patterns": filled}


def _in_defaults(path: tuple[str | int, ...], document: EntityDocument, defaults: Node | None) -> Node | None:
    """Return the default that a path of an operation leads to, when the operation itself has no such key."""
    if defaults is None or len(path) < 3 or path[0] != "patterns" or path[:3] in document.places:
        return None
    node = defaults
    for part in path[2:]:
        if isinstance(part, str) and part not in node.value:
            return None
        node = node[part]
    return node


def _entity(
    draft: Draft, defaults: Node | None, catalog: Catalog, broken: frozenset[str], findings: Findings
) -> Entity:
    patterns = draft.node.get("patterns")
    operations: list[BatchOperation] = []
    for pattern in patterns.each() if patterns else ():
        operation = build_operation(Settled(pattern, defaults), draft, catalog, broken, findings)
        if operation:
            operations.append(operation)
    document = draft.document
    return Entity(
        name=draft.name,
        span=draft.node["name"].span,
        file=document.file.name,
        document=document.number,
        digest=document.file.digest,
        schema=draft.schema,
        table=draft.table,
        managed=draft.managed,
        fields=draft.fields,
        primary_key=draft.primary_key,
        indexes=draft.indexes,
        operations=tuple(operations),
        description=draft.node.value.get("description"),
    )
