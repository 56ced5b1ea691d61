"""A container engine for the run, on a machine whose tools can start one."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates import wait_until

from specgen.database import watchdog
from specgen.database.container import listened_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

SCRIPT = Path(__file__).parents[4] / "shared" / "tools" / "container-engine-up"
HOME = os.environ.get("CONTAINER_ENGINE_HOME", "/tmp/container-engine")
SOCKET = f"{HOME}/docker.sock"
STARTED = "started by a test run"


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """The environment that reaches the engine; the last of the processes that share it stops it."""
    Path(HOME).mkdir(exist_ok=True)
    with open_lock("users") as users:
        with open_lock("changes") as changes:
            fcntl.flock(changes, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            was_there = listened_to(SOCKET)
            exports = _start()
            if not was_there:
                users.write(STARTED)
                users.flush()
        try:
            yield exports
        finally:
            with open_lock("changes") as changes:
                fcntl.flock(changes, fcntl.LOCK_EX)
                _stop_unless_used(users)


def open_lock(name: str) -> TextIO:
    return Path(HOME, f"tests-{name}.lock").open("a+", encoding="utf-8")


def _stop_unless_used(users: TextIO) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    users.seek(0)
    if users.read():
        _stop()
        users.truncate(0)


def _stop() -> None:
    """Stop the daemon and see it end: on its way out it removes the file that names its successor."""
    pid = int(Path(HOME, "pid").read_text(encoding="ascii"))
    _run("down")
    wait_until(lambda: not watchdog.alive(pid))


def _start() -> dict[str, str]:
    printed = _run(stdout=subprocess.PIPE)
    return dict(word.split("=", 1) for word in shlex.split(printed.stdout) if word != "export")


def _run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CONTAINER_ENGINE_HOME": HOME}
    command = [str(SCRIPT), *arguments]
    return subprocess.run(
        command, env=environment, stderr=subprocess.DEVNULL, text=True, check=True, **options
    )
