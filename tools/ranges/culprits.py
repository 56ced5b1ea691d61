"""Which dependency it is: back to the locked versions, one at a time, until what failed passes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools import locked
from tools.ranges import trial
from tools.ranges.environment import InstallError, OutOfTimeError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from tools.ranges.environment import Deadline, Environment

PINNED_BY_ANOTHER = frozenset(["psycopg-binary"])
"""Comes and goes with exactly one version of another package."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """A package, the version that fails, the locked one that does not, and what that mends."""

    name: str
    version: str
    locked: str
    mended: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about failures.

    Attributes:
        culprits: Packages whose locked version, alone, mends something.
        always: What fails with the locked versions as well, so that no version is the reason.
        unexplained: What else none of them mended.
        untried: Packages that there was no time for.
    """

    culprits: tuple[Culprit, ...]
    always: frozenset[str]
    unexplained: frozenset[str]
    untried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """Where something failed and how it is tried again.

    Attributes:
        environment: The one that it failed in; it is changed and put back.
        users: What the project itself asks for, by name; these are tried first.
        cache: Where pytest noted what failed.
        deadline: When the search ends.
    """

    environment: Environment
    users: dict[str, Requirement]
    cache: Path
    deadline: Deadline

    def verdict(self, outcome: trial.Outcome) -> Verdict:
        """Go back to the locked version of one package after the other."""
        left = outcome.failed
        always: frozenset[str] = frozenset()
        names = suspects(self.environment, outcome.output, self.users)
        culprits: list[Culprit] = []
        try:
            always = self._always(left)
            left -= always
            while names and left:
                before = self.environment.versions()
                mended = left - self._still_failing(names[0], left)
                name = names.pop(0)
                if mended:
                    culprits.append(Culprit(name, before[name], locked.versions()[name], mended))
                    left -= mended
                if left and names:
                    self._put_back(before)
        except OutOfTimeError:
            return Verdict(tuple(culprits), always, left, tuple(names))
        return Verdict(tuple(culprits), always, left)

    def _always(self, failed: frozenset[str]) -> frozenset[str]:
        """Return what fails in this environment, the locked one, as well."""
        if not failed - {trial.WHEEL}:
            return frozenset()
        return trial.tests_again(Path(sys.executable), self.cache, self.deadline) & failed

    def _still_failing(self, name: str, failed: frozenset[str]) -> frozenset[str]:
        """Return what fails with the locked version of a package, and all else as it is."""
        extras = ",".join(sorted(self.users[name].extras)) if name in self.users else ""
        try:
            self.environment.install([f"{name}[{extras}]=={locked.versions()[name]}"], self.deadline)
        except InstallError:
            return failed
        return trial.run_again(self.environment, failed, self.cache, self.deadline)

    def _put_back(self, before: dict[str, str]) -> None:
        after = self.environment.versions()
        changed = [f"{name}=={version}" for name, version in before.items() if after.get(name) != version]
        if changed:
            self.environment.install(changed, self.deadline, dependencies=False)


def suspects(environment: Environment, output: str, users: dict[str, Requirement]) -> list[str]:
    """Return the packages of other versions than the locked ones, the likeliest first."""
    other = different(environment) - PINNED_BY_ANOTHER
    return sorted(
        other, key=lambda name: (f"/{name.replace('-', '_')}/" not in output, name not in users, name)
    )


def different(environment: Environment) -> set[str]:
    """Return the names of packages that are installed in another version than the locked one."""
    exact = locked.versions()
    return {name for name, version in environment.versions().items() if exact.get(name, version) != version}
