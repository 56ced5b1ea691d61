"""The entry point: ``specgen``."""

from __future__ import annotations

import click

from specgen import __version__
from specgen.cli.commands import Program

COMMANDS = {
    "init": "specgen.cli.init:init",
    "validate": "specgen.cli.validate:validate",
    "generate": "specgen.cli.generate:generate",
    "explain": "specgen.cli.explain:explain",
    "test": "specgen.cli.test:test",
    "deploy": "specgen.cli.deploy:deploy",
    "run": "specgen.cli.run:run",
    "status": "specgen.cli.status:status",
    "output": "specgen.cli.output:output",
    "notify": "specgen.cli.notify:notify",
    "demo": "specgen.cli.demo:demo",
    "schema": "specgen.cli.schema:schema",
    "completion": "specgen.cli.completion:completion",
}

ELSEWHERE = {
    "tests": "test run",
    "pytest": "test run",
    "check": "validate",
    "lint": "validate",
    "gen": "generate",
    "build": "generate",
    "compile": "generate",
    "new": "init",
    "create": "init",
    "plan": "explain",
    "show": "explain",
    "apply": "deploy",
    "migrate": "deploy",
    "install": "deploy",
    "exec": "run",
    "execute": "run",
    "start": "run",
    "import": "run OPERATION --input FILE",
    "resume": "run --resume ID",
    "list": "status",
    "ls": "status",
    "help": "--help",
    "version": "--version",
}
"""What people type who know other programs."""


@click.group(
    cls=Program, lazy=COMMANDS, elsewhere=ELSEWHERE, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="specgen", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def main(*, debug: bool) -> None:
    """PostgreSQL batch operations from YAML: SQL, tests, and exact runs.

    Results go to stdout, everything else to stderr. Exit codes: 0 ok; 1 findings, differences, failed
    tests or records; 2 wrong usage; 3 database not reachable; 4 refused for safety.
    """
