"""What requirements-dev.txt pins: the exact versions that development and CI install."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-dev.txt"

_PIN = re.compile(r"(?P<pin>(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?P<marker> ; [^\\]+)?) \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def pins() -> list[str]:
    """Return the requirements without their hashes, as a file of constraints has them.

    Raises:
        ValueError: A line is something else, such as a place to install from.
    """
    return [match["pin"] for match in _matches()]


def versions() -> dict[str, str]:
    """Return the version of each package by its normalised name."""
    return {match["name"]: match["version"] for match in _matches()}


def _matches() -> list[re.Match[str]]:
    found = []
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or _HASH.fullmatch(line):
            continue
        match = _PIN.fullmatch(line)
        if match is None:
            raise ValueError(f"{LOCK.name}: neither a version nor a hash: {line}")
        found.append(match)
    return found
