"""Every test has a database of its own, a copy of one that holds the spec's SQL."""

from __future__ import annotations

from operations.conftest import copy_of, lab_of

__all__ = ["copy_of", "lab_of"]
