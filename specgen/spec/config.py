"""``specgen.yaml``: the settings of a project, every one with a default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from specgen.spec.documents import Node
from specgen.spec.model import Paths, Settings
from specgen.spec.names import check_name
from specgen.spec.notifications import read_channels
from specgen.spec.schema import SETTINGS, check_structure
from specgen.spec.source import read_documents

if TYPE_CHECKING:
    from specgen.diagnostics import Findings

FILE = "specgen.yaml"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and the operation keys that stand under ``defaults``, if any do."""

    settings: Settings
    defaults: Node | None


def load_settings(root: Path, findings: Findings) -> LoadedSettings:
    """Read ``specgen.yaml`` in a folder; without one, all settings have their defaults.

    Args:
        root: The project's folder.
        findings: Gets what is wrong; settings that are wrong have their defaults.
    """
    path = root / FILE
    if not path.exists():
        return LoadedSettings(Settings(root=root), None)
    documents = read_documents(path, display_name(path, root), findings)
    if not documents:
        return LoadedSettings(Settings(root=root), None)
    document = documents[0]
    if len(documents) > 1:
        findings.error(
            "wrong-value", documents[1].span(()), f"{FILE} holds one YAML document", "remove the others"
        )
    if not check_structure(SETTINGS, document.data, document.key_span, document.span, findings):
        return LoadedSettings(Settings(root=root), None)
    node = Node.root(document)
    return LoadedSettings(_settings(node, root, findings), node.get("defaults"))


def _settings(node: Node, root: Path, findings: Findings) -> Settings:
    standard = Settings()
    for key in ("schema", "runtime_schema"):
        found = node.get(key)
        if found is not None:
            check_name(found.value, found.span, key, findings)
    path_node = node.get("search_path")
    for item in path_node.each() if path_node else ():
        check_name(item.value, item.span, "schema name", findings)
    folders = node.value.get("paths", {})
    return Settings(
        root=root,
        schema=node.value.get("schema", standard.schema),
        runtime_schema=node.value.get("runtime_schema", standard.runtime_schema),
        search_path=tuple(node.value.get("search_path", standard.search_path)),
        search_path_is_chosen=path_node is not None,
        postgres=int(node.value.get("postgres", standard.postgres)),
        paths=Paths(**{key: Path(folder) for key, folder in folders.items()}),
        setup_sql=tuple(Path(name) for name in node.value.get("setup_sql", ())),
        notifications=read_channels(node.get("notifications"), findings),
    )


def display_name(path: Path, root: Path) -> str:
    """Return a path as findings and generated files name it: relative where it can be, with slashes."""
    whole = Path(os.path.normpath(path.absolute()))
    for base in (root.absolute(), Path.cwd()):
        if whole.is_relative_to(os.path.normpath(base)):
            return whole.relative_to(os.path.normpath(base)).as_posix()
    return path.as_posix()
