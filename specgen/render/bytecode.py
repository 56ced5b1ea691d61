"""Compiled templates, kept between runs: compiling them is a third of what a small project takes.

The folder is the user's own cache; nothing in it is ever needed. Jinja compares each entry with a hash of
the template's text, and the folder's name holds what else the code depends on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from jinja2 import BytecodeCache

from specgen import __version__
from specgen.drafts import Draft

if TYPE_CHECKING:
    from jinja2.bccache import Bucket


class TemplateCache(BytecodeCache):
    """Keeps a template's code in a file, and does without where it cannot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read an entry, if it is there and belongs to this user."""
        path = self._folder / bucket.key
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                # Code is loaded from it, so nobody else may have written it.
                found = os.fstat(file.fileno())
                if found.st_uid == os.getuid() and not found.st_mode & 0o022:
                    bucket.load_bytecode(file)
        except OSError:
            return

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write an entry, whole or not at all."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = Draft(self._folder / bucket.key)
        except OSError:
            return
        try:
            draft.write(bucket.bytecode_to_string())
            draft.publish(0o600)
        except OSError:
            draft.discard()


def template_cache() -> TemplateCache | None:
    """Return the user's cache, nothing where there is no place for one."""
    if not hasattr(os, "getuid") or sys.flags.ignore_environment:
        return None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    if not os.path.isabs(base):  # noqa: PTH117
        return None
    return TemplateCache(Path(base) / "specgen" / f"templates-{__version__}-{jinja2.__version__}")
