"""A container engine for the run, on a machine whose tools can start one."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specgen.database.container import listened_to

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parents[4] / "shared" / "tools" / "container-engine-up"
HOME = os.environ.get("CONTAINER_ENGINE_HOME", "/tmp/container-engine")
SOCKET = f"{HOME}/docker.sock"
LOCK = Path(HOME) / "tests.lock"
STARTED = "started by a test run"


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """The environment that reaches the engine; the last of the processes that share it stops it."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        was_there = listened_to(SOCKET)
        exports = _start()
        if not was_there:
            lock.write(STARTED)
            lock.flush()
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield exports
        finally:
            # Refused while another process of the run still uses the engine.
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.seek(0)
                if lock.read():
                    _stop()
                    lock.truncate(0)


def _start() -> dict[str, str]:
    printed = _run(stdout=subprocess.PIPE)
    return dict(word.split("=", 1) for word in shlex.split(printed.stdout) if word != "export")


def _stop() -> None:
    _run("down")
    while listened_to(SOCKET):
        time.sleep(0.05)


def _run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CONTAINER_ENGINE_HOME": HOME}
    command = [str(SCRIPT), *arguments]
    return subprocess.run(
        command, env=environment, stderr=subprocess.DEVNULL, text=True, check=True, **options
    )
