"""Writes docs/language.md, docs/findings.md and schemas/, or with --check says whether they are up to date.

python -m tools.reference [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from specgen.spec.published import SCHEMAS, published_text
from tools.reference.findings import findings_page
from tools.reference.page import page

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Return 1 when something is not up to date and was only to be checked."""
    files = {ROOT / f"schemas/{name}.schema.json": published_text(name) for name in SCHEMAS}
    files[ROOT / "docs/language.md"] = page()
    files[ROOT / "docs/findings.md"] = findings_page()
    if "--check" in sys.argv:
        return int(any(path.read_text(encoding="utf-8") != text for path, text in files.items()))
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
