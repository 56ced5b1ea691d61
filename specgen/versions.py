"""The versions of the runtime, the objects in a database that all operations share.

A released version never changes again. What changes the runtime after that is a new version: the number here,
and a step to it in ``templates/runtime/migrations``; see "Versions of the runtime" in CONTRIBUTING.md.
"""

from __future__ import annotations

RUNTIME = 2
"""The version that this specgen makes, works with, and upgrades all earlier ones to."""

DEPLOYMENT_LOCK = int.from_bytes(b"specgen", "big")
"""The advisory lock that whoever deploys takes, with a file as with the program. Any number would do."""
