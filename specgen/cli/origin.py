"""Where this specgen was installed from, as a machine that is to install the same can be told."""

from __future__ import annotations

import json
from importlib import metadata

from specgen import __version__

WHEEL = f"tools/specgen-{__version__}-py3-none-any.whl"
"""Where a project keeps the wheel when there is no place that others could fetch it from."""


def requirement() -> str:
    """Return what ``pip install`` takes: a version, a repository's address, or a wheel in the project."""
    return requirement_of(_direct_url())


def requirement_of(record: str | None) -> str:
    """Return the requirement that an installation's ``direct_url.json`` (PEP 610) stands for.

    Args:
        record: The file's text; none is written by an installation from a package index.
    """
    if record is None:
        return f"specgen=={__version__}"
    origin = json.loads(record)
    url = str(origin.get("url", ""))
    if "vcs_info" in origin:
        return f"specgen @ {origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
    if url.startswith("https://"):
        return f"specgen @ {url}"
    return WHEEL  # a folder or a file of this machine, which no other machine has


def _direct_url() -> str | None:
    try:
        return metadata.distribution("specgen").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return json.dumps({"url": "file:///"})  # run from a checkout that is not installed
