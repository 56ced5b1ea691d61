"""The source document's YAML as specs: each block verbatim, inside what it leaves out.

A block that shows only a pattern gets an entity which has the fields that it names. A fragment that names no
data of its own is laid over a complete operation: its text stands first, and what it does not say follows.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent / "blocks.md"
SECTION = re.compile(r"^## ([^\n]+)\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = dict(SECTION.findall(PAGE.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a block leaves out.

    Attributes:
        entity: The head of a spec, up to its patterns; nothing where the block is a whole spec.
        operation: Keys of a complete operation over which the block is laid.
    """

    entity: str = ""
    operation: str = ""


USER = """
    name: user
    fields:
      id: uuid
      email: string
      status: string
      updated_at: timestamp
      is_admin: {type: boolean, nullable: false, default: false}
      last_login_at: timestamp
      deactivated_at: timestamp
      deactivation_reason: string
      legacy_id: integer
      migrated_at: timestamp
      migration_version: string
"""
PRODUCT = """
    name: product
    fields:
      id: bigint
      name: {type: string, nullable: false}
      price: {type: "decimal(10,2)", nullable: false, check: "price > 0"}
      category_id: integer
      category: string
      created_at: timestamp
"""
ORDER = """
    name: order
    fields:
      id: bigint
      status: string
      total_amount: "decimal(12,2)"
      approved_at: timestamp
      approved_by: uuid
"""
PRODUCT_CACHE = """
    name: product_cache
    fields:
      product_id: uuid
      name: string
      price: "decimal(10,2)"
      last_updated: timestamp
    primary_key: product_id
"""
INVOICE = """
    name: invoice
    fields:
      id: bigint
      customer_id: uuid
      month: date
      amount: "decimal(12,2)"
      status: string
"""
UPDATE_STATUS = """
    operation_type: update
    update_data:
      status: :new_status
    where_condition: "id = ANY(:user_ids)"
"""
IMPORT = """
    operation_type: insert
    insert_data:
      name: :item.name
      price: :item.price
    data_source: :input_data
"""

SUBJECTS = {
    "What Are Batch Operations?": Subject(USER, UPDATE_STATUS),
    "Bulk Status Update": Subject(),
    "Parallel Processing": Subject(PRODUCT),
    "Complex Operations": Subject(USER),
    "Conditional Batch Operations": Subject(ORDER),
    "Built-in Monitoring": Subject(PRODUCT, IMPORT),
    "Data Import/Export": Subject(PRODUCT),
    "User Management": Subject(USER),
    "Cache Management": Subject(PRODUCT_CACHE),
    "Report Generation": Subject(INVOICE),
    '"Batch operation timeout"': Subject(USER, "operation: set_status\n" + UPDATE_STATUS),
    '"Out of memory"': Subject(USER, "operation: set_status\n" + UPDATE_STATUS),
    '"High error rate"': Subject(PRODUCT, "operation: import_data\n" + IMPORT),
}


def specs(title: str) -> list[str]:
    """Return the specs that a block makes: one, or one for each of the ways out that it shows."""
    subject = SUBJECTS[title]
    if not subject.entity:
        return [BLOCKS[title]]
    _, *ways = re.split(r"^(?=patterns:$)", BLOCKS[title], flags=re.MULTILINE)
    head = textwrap.dedent(subject.entity).lstrip()
    lines = [textwrap.dedent(part).strip() for part in subject.operation.split("\n", 1)]
    rest = textwrap.indent("\n".join(line for line in lines if line), " " * 4)
    return [f"{head}{way.rstrip()}\n{rest}\n" for way in ways]
