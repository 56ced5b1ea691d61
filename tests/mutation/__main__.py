"""``python -m tests.mutation``: break the generated SQL in every listed way, and see who notices.

The table of results is written to docs/mutants.md. Exit code 1 when a mutant survives that should not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from specgen.database import databases
from specgen.database.provider import choose
from specgen.plan.project import plan_project
from specgen.spec.build import load_project
from specgen.testing import environment
from specgen.testing.render import render_tests
from specgen.testing.run import plugin_arguments
from tests.mutation.mutants import MUTANTS, SMOKE, Mutant

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "docs" / "mutants.md"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: the first test that noticed, or nobody."""

    mutant: Mutant
    noticed_by: str | None
    seconds: float


def mutate(files: list[tuple[str, str]], mutant: Mutant) -> list[tuple[str, str]]:
    """Return the SQL with the mutant in it."""
    changed = [
        (name, text.replace(mutant.old, mutant.new) if mutant.file in name else text) for name, text in files
    ]
    if changed == files:
        raise SystemExit(f"the mutant {mutant.name!r} does not apply: its text is not in the SQL any more")
    return changed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("names", nargs="*", help="parts of mutants' names")
    parser.add_argument("--smoke", action="store_true", help="only the few that every CI run tries")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--database-url")
    parser.add_argument("--postgres", type=int)
    options = parser.parse_args(arguments)
    chosen = [
        mutant
        for mutant in MUTANTS
        if (not options.smoke or mutant.name in SMOKE)
        and (not options.names or any(part in mutant.name for part in options.names))
    ]
    verdicts = run(chosen, options)
    bad = [item for item in verdicts if item.noticed_by is None and not item.mutant.survives]
    noticed = sum(item.noticed_by is not None for item in verdicts)
    for item in verdicts:
        verdict = "noticed " if item.noticed_by else "SURVIVED"
        told = item.noticed_by or item.mutant.survives
        print(f"{verdict} {item.seconds:5.1f} s  {item.mutant.name}: {told}")
    print(f"{noticed} of {len(verdicts)} noticed")
    if len(chosen) == len(MUTANTS):
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(table(verdicts), encoding="utf-8")
    return 1 if bad else 0


def run(chosen: list[Mutant], options: argparse.Namespace) -> list[Verdict]:
    """Try mutants, several at a time, each on a database of its own."""
    project = load_project([], root=HERE / "project").project
    assert project is not None
    plan = plan_project(project).plan
    assert plan is not None
    files = environment.rendered(project)
    for mutant in chosen:
        mutate(files, mutant)
    broken: list[str] = []
    with ExitStack() as stack:
        server = stack.enter_context(choose(database_url=options.database_url, postgres=options.postgres))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for item in render_tests(plan, project):
            (folder / item.name).write_text(item.text, encoding="utf-8")

        def attempt(mutant: Mutant) -> Verdict:
            began = time.monotonic()
            noticed = try_one(mutant, mutate(files, mutant))
            print(f"{mutant.name}: {noticed}", file=sys.stderr, flush=True)
            return Verdict(mutant, noticed, time.monotonic() - began)

        def try_one(mutant: Mutant, sql: list[tuple[str, str]]) -> str | None:
            def build(dsn: str) -> None:
                environment.fill(dsn, project, sql)

            try:
                with databases.template(server, build) as template:
                    variables = {
                        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                        environment.TEMPLATE_VARIABLE: template,
                        environment.SERVER_VARIABLE: server.dsn,
                        environment.KIND_VARIABLE: str(server.kind),
                        environment.PREAMBLE_VARIABLE: environment.preamble(project),
                    }
                    return first_failure([folder / f"test_{name}.py" for name in mutant.tests], variables)
            except environment.SpecgenError as error:
                broken.append(f"the mutant {mutant.name!r} does not even load: {error}")
                return None

        with ThreadPoolExecutor(options.jobs) as pool:
            verdicts = list(pool.map(attempt, chosen))
    if broken:
        raise SystemExit("\n".join(broken))
    return verdicts


def first_failure(paths: list[Path], variables: dict[str, str]) -> str | None:
    """Return the first test that fails."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-rfE",
        "--no-header",
        "--tb=no",
        *plugin_arguments(),
    ]
    command += ["-p", "no:cacheprovider", f"--rootdir={paths[0].parent}", *map(str, paths)]
    done = subprocess.run(
        command,
        env={**os.environ, **variables},
        cwd=paths[0].parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,  # a mutant that hangs is ended by its tests long before
    )
    if done.returncode == 0:
        return None
    if done.returncode != 1:
        raise SystemExit(done.stdout + done.stderr)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return lines[0].split("::", 1)[1].split(" - ")[0]


def table(verdicts: list[Verdict]) -> str:
    """Return the results as the page that is checked in."""
    noticed = sum(item.noticed_by is not None for item in verdicts)
    lines = [
        "# What the generated tests notice",
        "",
        "`make mutants` breaks the SQL of `tests/mutation/project` in the ways listed in",
        "`tests/mutation/`, one at a time, runs the generated tests, and writes this page.",
        "",
        f"**{noticed} of {len(verdicts)} mutants are noticed.**",
        "",
        "| what is broken | first test that fails |",
        "|---|---|",
    ]
    for item in verdicts:
        told = (
            f"`{item.noticed_by}`"
            if item.noticed_by
            else f"**survives**: {item.mutant.survives or 'unexplained'}"
        )
        lines.append(f"| {item.mutant.name} | {told.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
