"""The report about other versions: it names the package, ends in time, and says what it does not know."""

from __future__ import annotations

import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import locked
from tools.ranges import __main__ as ranges
from tools.ranges import culprits, trial
from tools.ranges.environment import Deadline, Environment, InstallError, OutOfTimeError

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PROJECT = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
LOCKED = locked.versions()


def test_every_range_has_a_lower_end_that_can_be_tried() -> None:
    users = {text: Requirement(text) for text in PROJECT["dependencies"]}
    pins = ranges.lowest(users)
    assert len(pins) == len(users)
    for requirement, pin in zip(users.values(), map(Requirement, pins), strict=True):
        (exact,) = pin.specifier
        assert (pin.name, pin.extras) == (requirement.name, requirement.extras)
        assert requirement.specifier.contains(exact.version)


def test_a_program_that_hangs_ends_with_the_time_and_takes_its_children_along() -> None:
    # The child holds the pipe: while it lives, reading what was printed does not end.
    hanging = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    started = time.monotonic()
    with pytest.raises(OutOfTimeError):
        Deadline.after(0.5).run([sys.executable, "-c", hanging])
    assert time.monotonic() - started < 60


def test_a_registry_that_has_nothing_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "none"))
    environment = Environment.create(tmp_path / "venv")
    with pytest.raises(InstallError, match="No matching distribution found for click"):
        environment.install(["click"], Deadline.after(60))

    def nothing(*_: object) -> tuple[bool, str]:
        raise InstallError("No matching distribution found for click")

    monkeypatch.setattr(ranges, "attempt", nothing)
    assert not ranges.tell(ranges.End("newest", (), ()), tmp_path, {}, Deadline.after(60))
    assert "newest" in (told := capsys.readouterr().out)
    assert "cannot be installed: No matching distribution found for click" in told


@dataclass
class Installed:
    """An environment in which a test fails while a package has not its locked version."""

    breaks: dict[str, str]
    found: dict[str, str] = field(default_factory=lambda: {**LOCKED})
    python: Path = Path(sys.executable)

    def versions(self) -> dict[str, str]:
        return {**self.found}

    def install(self, requirements: list[str], deadline: Deadline, *, dependencies: bool = True) -> None:
        for text in requirements:
            requirement = Requirement(text)
            (exact,) = requirement.specifier
            self.found[requirement.name] = exact.version

    def failing(self, *_: object) -> frozenset[str]:
        return frozenset(test for test, name in self.breaks.items() if self.found[name] != LOCKED[name])


def search(installed: Installed, monkeypatch: pytest.MonkeyPatch, always: frozenset[str]) -> culprits.Verdict:
    monkeypatch.setattr(trial, "run_again", lambda environment, failed, *_: installed.failing() & failed)
    monkeypatch.setattr(trial, "tests_again", lambda *_: always)
    outcome = trial.Outcome(installed.failing() | always, 9, "")
    users = {text: Requirement(text) for text in ("click", "pglast", "rich")}
    return culprits.Search(installed, users, Path("cache"), Deadline.after(60)).verdict(outcome)  # type: ignore[arg-type]


def test_each_package_that_breaks_something_is_named_with_what_it_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = Installed({"a": "pglast", "b": "idna", "c": "pglast"})
    installed.found |= {"pglast": "0.1", "idna": "0.2", "rich": "0.3", "click": "0.4"}
    verdict = search(installed, monkeypatch, frozenset(["flaky"]))
    assert verdict == culprits.Verdict(
        (
            culprits.Culprit("pglast", "0.1", LOCKED["pglast"], frozenset("ac")),
            culprits.Culprit("idna", "0.2", LOCKED["idna"], frozenset("b")),
        ),
        always=frozenset(["flaky"]),
        unexplained=frozenset(),
    )


def test_time_that_is_over_is_not_taken_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = Installed({"a": "rich"})
    installed.found |= {"rich": "0.1", "click": "0.2"}

    def late(*_: object) -> frozenset[str]:
        raise OutOfTimeError

    monkeypatch.setattr(installed, "install", late)
    verdict = search(installed, monkeypatch, frozenset())
    assert (verdict.culprits, verdict.unexplained, verdict.untried) == ((), frozenset("a"), ("click", "rich"))
    outcome = trial.Outcome(frozenset("a"), 9, "")
    assert "no time to try click, rich for:\n    a" in ranges.report(outcome, verdict, installed)  # type: ignore[arg-type]
