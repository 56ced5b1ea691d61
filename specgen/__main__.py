"""``python -m specgen``."""

from __future__ import annotations

from specgen.cli.main import main

if __name__ == "__main__":
    main()
