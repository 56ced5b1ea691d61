"""An environment with other versions than the locked ones, made and used within a time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class OutOfTimeError(Exception):
    """The time that was given is over."""


class InstallError(Exception):
    """The versions that were asked for cannot be had, or not together; it says what pip said."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a program returned and printed."""

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment, on the clock that only goes forward, at which everything ends."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the moment so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The seconds until then."""
        return self.moment - time.monotonic()

    def run(self, command: list[str], folder: Path = ROOT) -> Done:
        """Run a program; what still runs at the deadline is killed with all that it has started.

        Raises:
            OutOfTimeError: It was killed, or there was no time to start it.
        """
        if self.left <= 0:
            raise OutOfTimeError
        with subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=self.left)
            except BaseException as stop:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(stop, subprocess.TimeoutExpired):
                    raise OutOfTimeError from None
                raise
        return Done(process.returncode, output)


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment of this interpreter's version."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        """Make an empty one; this environment's pip fills it, which is quicker than one more pip."""
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        return cls(folder)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def program(self) -> Path:
        """Its specgen."""
        return self.folder / "bin" / "specgen"

    def install(self, requirements: list[str], deadline: Deadline, *, dependencies: bool = True) -> None:
        """Install what is asked for, changing nothing else that fits.

        Raises:
            InstallError: pip could not.
            OutOfTimeError: It took too long.
        """
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(self.python),
            "install",
            "--quiet",
            "--no-compile",
        ]
        alone = [] if dependencies else ["--no-deps"]
        done = deadline.run([*pip, *alone, *requirements])
        if done.code:
            said = [line for line in done.output.splitlines() if re.match(r" *(ERROR|error):", line)]
            raise InstallError("; ".join(line.strip() for line in said[-2:]) or done.output.strip()[-300:])

    def versions(self) -> dict[str, str]:
        """Return what is installed, by normalised names."""
        (site,) = self.folder.glob("lib/python*/site-packages")
        return {
            re.sub(r"[-_.]+", "-", distribution.name).lower(): distribution.version
            for distribution in metadata.distributions(path=[str(site)])
        }
