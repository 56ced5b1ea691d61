"""What is tried with a set of versions: the wheel from elsewhere, and tests that touch every dependency."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tools.ranges.environment import Deadline, Environment

TESTS = (
    "tests/unit",
    "tests/golden/test_golden.py",
    "tests/integration/database/test_choice.py",
    "tests/integration/database/test_databases.py",
    "tests/integration/notify/test_notify.py::test_messages_arrive_at_the_webhook_and_in_the_mailbox",
    "tests/integration/notify/test_notify.py::test_nobody_at_home",
    "tests/integration/runtime/test_commands.py",
    # about the lock, which is not what is installed here, and about this
    "--ignore=tests/unit/test_lock.py",
    "--ignore=tests/unit/test_ranges.py",
)
"""Validation, generation, the command line, and runs on a database: the most in half a minute."""

WHEEL = "the wheel alone: specgen validate and generate"
START = "pytest does not start"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What failed, by name, of how many tests, and what was printed about it."""

    failed: frozenset[str]
    tests: int
    output: str


def use_the_wheel(environment: Environment, deadline: Deadline) -> Outcome:
    """Validate and generate with what is installed, and compare with what this checkout generates."""
    done = deadline.run([sys.executable, "-m", "tools.wheel_check", str(environment.program)])
    return Outcome(frozenset([WHEEL] if done.code else []), 0, done.output)


def run_tests(python: Path, cache: Path, deadline: Deadline) -> Outcome:
    """Run the tests; where the cache names some that failed, those.

    Args:
        python: The interpreter, with pytest.
        cache: pytest's folder of what failed last.
        deadline: When it ends.
    """
    again = ["--last-failed"] if failed_last(cache) else []
    done = deadline.run(
        [
            str(python),
            "-m",
            "pytest",
            *TESTS,
            *again,
            "-q",
            "-n",
            "auto",
            "--tb=line",
            "-o",
            f"cache_dir={cache}",
        ]
    )
    passed = re.search(r"(\d+) passed", done.output)
    failed = failed_last(cache) if done.code else frozenset()
    if done.code and not failed:
        failed = frozenset([START])
    return Outcome(failed, len(failed) + (int(passed[1]) if passed else 0), done.output)


def failed_last(cache: Path) -> frozenset[str]:
    """Return the tests that pytest noted as failed."""
    try:
        return frozenset(json.loads((cache / "v/cache/lastfailed").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return frozenset()


def run_again(
    environment: Environment, failed: frozenset[str], cache: Path, deadline: Deadline
) -> frozenset[str]:
    """Try once more what failed, and return what still does; the cache stays as it was."""
    still: frozenset[str] = frozenset()
    if WHEEL in failed:
        still |= use_the_wheel(environment, deadline).failed
    if failed - {WHEEL}:
        tests = tests_again(environment.python, cache, deadline)
        still |= failed - {WHEEL} if START in tests else tests & failed
    return still


def tests_again(python: Path, cache: Path, deadline: Deadline) -> frozenset[str]:
    """Run the tests that failed with an interpreter, on a copy of the cache that names them."""
    copy = cache.with_name(f"{cache.name}-again")
    shutil.rmtree(copy, ignore_errors=True)
    if cache.is_dir():
        shutil.copytree(cache, copy)
    return run_tests(python, copy, deadline).failed
