"""Removes containers whose owner is gone: what testcontainers' own reaper container does, without it.

Run as a script (``python -P``, so that its neighbours do not shadow other packages) it waits on a pipe
whose write end only the owner holds, and at its end removes the containers of one session. An owner that
cleaned up itself says so first. The docker package is imported when there is something to remove.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION = "org.specgen.session"
DONE = b"done"
# An owner killed while the engine still made its container: it appears a moment later.
LATECOMERS = 2.0


def remove(label: str, chosen: Callable[[dict[str, str]], bool]) -> int:
    """Remove the containers that bear a label and are chosen by their labels, with their volumes.

    Returns:
        How many there were.
    """
    import docker  # only where there is something to remove
    from docker.errors import DockerException

    removed = 0
    client = docker.from_env()
    try:
        for container in client.api.containers(all=True, filters={"label": label}):
            if chosen(container["Labels"]):
                # Somebody else may be removing it just now.
                with suppress(DockerException):
                    client.api.remove_container(container["Id"], force=True, v=True)
                    removed += 1
    finally:
        client.close()
    return removed


def wait_for_end(owner: int) -> bool:
    """Wait until the owner is gone; whether it had said that nothing is left to do.

    The owner's end of the pipe may live on in a child that it forked, so the parent is looked at as well.
    """
    received = b""
    while os.getppid() == owner:
        if select.select([0], [], [], 0.25)[0]:
            piece = os.read(0, 1024)
            if not piece:
                break
            received += piece
    return DONE in received


def main() -> None:
    """Wait for the owner's end, then remove the containers of the session."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if wait_for_end(os.getppid()):
        return
    deadline = time.monotonic() + LATECOMERS
    while time.monotonic() < deadline:
        with suppress(Exception):  # the engine may be restarting; there is nobody to tell
            remove(f"{SESSION}={sys.argv[1]}", lambda _: True)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
