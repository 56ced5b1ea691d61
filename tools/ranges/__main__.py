"""Tries the newest and the lowest versions that pyproject.toml allows, and names what breaks.

python -m tools.ranges --seconds N

Both are installed for real, as a user gets them: the wheel, and whatever it asks for. It returns 1 when one
of them does not work, cannot be installed, or could not be tried in time.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import locked
from tools.ranges import culprits, trial
from tools.ranges.environment import ROOT, Deadline, Environment, InstallError, OutOfTimeError

HARNESS = ("aiosmtpd", "hypothesis", "pytest-xdist")
"""What the tests need beside what users get."""

SHOWN = 5


@dataclass(frozen=True, slots=True)
class End:
    """One end of the ranges: what is demanded beside the wheel, and the versions of what tests need."""

    name: str
    pins: tuple[str, ...]
    harness: tuple[str, ...]


def main() -> int:
    """Try both ends and tell about each."""
    parser = argparse.ArgumentParser(prog="python -m tools.ranges", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=900, help="how long it may take, in all (default: 900)"
    )
    total = Deadline.after(parser.parse_args().seconds)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    users = {str(canonicalize_name(item.name)): item for item in map(Requirement, project["dependencies"])}
    tools = [
        text
        for text in project["optional-dependencies"]["dev"]
        if canonicalize_name(Requirement(text).name) in HARNESS
    ]
    ends = (End("newest", (), tuple(tools)), End("lowest", tuple(lowest(users)), tuple(locked_tools())))
    fine = True
    with tempfile.TemporaryDirectory(prefix="specgen-ranges-") as name:
        for number, end in enumerate(ends):
            # The first must leave the second its half.
            deadline = Deadline.after(total.left / (len(ends) - number))
            fine &= tell(end, Path(name), users, deadline)
    return 0 if fine else 1


def lowest(users: dict[str, Requirement]) -> list[str]:
    """Return the requirements with their lower bounds as the only version."""
    pins = []
    for requirement in users.values():
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        (bound,) = (item.version for item in requirement.specifier if item.operator == ">=")
        pins.append(f"{requirement.name}{extras}=={bound}")
    return pins


def locked_tools() -> list[str]:
    """Return the locked versions of what the tests need beside."""
    return [f"{name}=={version}" for name, version in locked.versions().items() if name in HARNESS]


def tell(end: End, folder: Path, users: dict[str, Requirement], deadline: Deadline) -> bool:
    """Try one end of the ranges, say what came of it, and return whether it works."""
    started = time.monotonic()
    try:
        fine, text = attempt(end, folder / end.name, users, deadline)
    except InstallError as error:
        fine, text = False, f"cannot be installed: {error}"
    except OutOfTimeError:
        fine, text = False, "not known: the time was over before it was tried"
    print(f"ranges: {end.name} ({time.monotonic() - started:.0f} s): {text}", flush=True)  # noqa: T201
    return fine


def attempt(end: End, folder: Path, users: dict[str, Requirement], deadline: Deadline) -> tuple[bool, str]:
    """Install, try, and find out about what fails; return whether all is well, and what to say."""
    folder.mkdir()
    environment = Environment.create(folder / "venv")
    environment.install([str(wheel(folder, deadline)), *end.pins], deadline)
    alone = trial.use_the_wheel(environment, deadline)
    environment.install(list(end.harness), deadline)
    if not alone.failed and not culprits.different(environment):
        return True, "the locked versions, which the tests run with; the wheel alone validates and generates"
    cache = folder / "cache"
    tests = trial.run_tests(environment.python, cache, deadline)
    outcome = trial.Outcome(alone.failed | tests.failed, tests.tests, alone.output + tests.output)
    if not outcome.failed:
        works = f"the wheel alone validates and generates, {tests.tests} tests pass"
        return True, f"{works}; with {versions(environment, users)}"
    search = culprits.Search(environment, users, cache, deadline)
    return False, report(outcome, search.verdict(outcome), environment)


def wheel(folder: Path, deadline: Deadline) -> Path:
    """Build the wheel with what is locked."""
    build = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--wheel",
        "--outdir",
        str(folder / "dist"),
        str(ROOT),
    ]
    done = deadline.run(build)
    if done.code:
        raise InstallError(f"the wheel cannot be built: {done.output.strip()[-300:]}")
    return next((folder / "dist").glob("*.whl"))


def versions(environment: Environment, users: dict[str, Requirement]) -> str:
    """Name what users get that is not what is locked."""
    found = environment.versions()
    other = sorted(culprits.different(environment) & set(users))
    return ", ".join(f"{name} {found[name]}" for name in other) or "only what they depend on is not as locked"


def report(outcome: trial.Outcome, verdict: culprits.Verdict, environment: Environment) -> str:
    """Say which version of which package breaks what."""
    lines = [f"{len(outcome.failed)} of {outcome.tests} tests fail"]
    if trial.WHEEL in outcome.failed:
        lines = [f"{lines[0]}, the use of the wheel among them"]
    if verdict.always:
        return f"{lines[0]}, and with the locked versions as well: no dependency's doing" + listed(
            outcome.failed
        )
    for culprit in verdict.culprits:
        lines.append(
            f"  {culprit.name} {culprit.version} breaks, {culprit.locked} does not:{listed(culprit.mended)}"
        )
    if verdict.unexplained and verdict.untried:
        lines.append(f"  no time to try {', '.join(verdict.untried)} for:{listed(verdict.unexplained)}")
    elif verdict.unexplained:
        found = environment.versions()
        other = ", ".join(f"{name} {found[name]}" for name in sorted(culprits.different(environment)))
        lines.append(f"  no locked version alone mends, of {other}:{listed(verdict.unexplained)}")
        lines.append(errors(outcome.output))
    return "\n".join(lines)


def listed(names: frozenset[str]) -> str:
    """Return some names, one a line, and how many more there are."""
    shown = sorted(names)[:SHOWN]
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return "".join(f"\n    {name}" for name in [*shown, *more])


def errors(output: str) -> str:
    """Return the last lines that tell of an error."""
    found = [line for line in output.splitlines() if re.search(r"Error|error", line)]
    return "\n".join(f"    {line[:200]}" for line in found[-SHOWN:])


if __name__ == "__main__":
    raise SystemExit(main())
