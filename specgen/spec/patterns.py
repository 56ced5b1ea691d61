"""The names of the patterns that an entity may have, and where the schema of each stands.

What a pattern is planned and rendered by stands in the registry of :mod:`specgen.plan.patterns`, under the
same names.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH_OPERATIONS = "batch_operations"

SCHEMAS: Mapping[str, str] = MappingProxyType({BATCH_OPERATIONS: "pattern"})
"""A pattern's name, and its definition in the entity's schema."""
