"""What the benchmarks share: a spec's operations in a database, as a checkout of the project deploys them.

Only the command line of a checkout is used, so that it may be one of another day.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

CHECKOUT = Path(__file__).resolve().parents[1]
CONFIG = "schema: public\nruntime_schema: specgen\n"


def command(*arguments: str | Path) -> list[str]:
    """Return a command of specgen; the environment says of which checkout."""
    return [sys.executable, "-P", "-m", "specgen", *map(str, arguments)]


def environment(checkout: Path) -> dict[str, str]:
    """Return an environment in which this interpreter finds the specgen of ``checkout``."""
    return {**os.environ, "PYTHONPATH": str(checkout)}


def deploy(dsn: str, spec: str, checkout: Path = CHECKOUT, folder: Path | None = None) -> None:
    """Write a project into ``folder`` and deploy it, as the specgen of ``checkout`` does.

    Sessions of the database find the runtime's functions without naming its schema.
    """
    with tempfile.TemporaryDirectory() as name:
        project = folder or Path(name)
        (project / "entities").mkdir(parents=True)
        (project / "specgen.yaml").write_text(CONFIG, encoding="utf-8")
        (project / "entities/bench.yaml").write_text(spec, encoding="utf-8")
        done = subprocess.run(
            command("deploy", "--project", project, "--database-url", dsn),
            env=environment(checkout),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{checkout}: {done.stdout}{done.stderr}")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, specgen',"
            " current_database()); END$$"
        )
