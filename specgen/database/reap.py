"""Removes containers whose owner is gone: what testcontainers' own reaper container does, without it.

Run as a script (``python -P``, so that its neighbours do not shadow other packages) it waits on a pipe
whose write end only the owner holds, and at its end removes the containers of one session. An owner that
cleaned up itself says so first. Imported, it removes what earlier owners left although their script was
killed as well. The docker package is imported when there is something to remove.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SESSION = "org.specgen.session"
OWNER = "org.specgen.owner"
DONE = b"done"
# An owner killed while the engine still made its container: it appears a moment later.
LATECOMERS = 2.0


def owner_label(pid: int) -> str:
    """Who owns a container: the process, by a name that no other machine or PID namespace has."""
    return f"{pid} {_started(pid)} {_machine()}"


def owner_gone(label: str) -> bool:
    """Whether an owner is known to be gone; one of another machine never is."""
    pid, _, rest = label.partition(" ")
    started, _, machine = rest.partition(" ")
    return pid.isdigit() and machine == _machine() and started != _started(int(pid))


def remove_session(session: str) -> int:
    """Remove the containers of a session, with their volumes; how many there were."""
    return _remove({"label": f"{SESSION}={session}"}, only_orphans=False)


def remove_orphans() -> int:
    """Remove the containers of owners that are gone; how many there were."""
    return _remove({"label": OWNER}, only_orphans=True)


def _remove(filters: dict[str, Any], *, only_orphans: bool) -> int:
    import docker  # noqa: PLC0415 - only where there is something to remove
    from docker.errors import DockerException  # noqa: PLC0415

    removed = 0
    client = docker.from_env()
    try:
        for container in client.api.containers(all=True, filters=filters):
            if not only_orphans or owner_gone(container["Labels"].get(OWNER, "")):
                # Somebody else may be removing it just now.
                with suppress(DockerException):
                    client.api.remove_container(container["Id"], force=True, v=True)
                    removed += 1
    finally:
        client.close()
    return removed


def _started(pid: int) -> str:
    """When a process started, which tells it from a later one with its number; empty if there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _started_elsewhere(pid)
    return status.rpartition(")")[2].split()[19]


def _started_elsewhere(pid: int) -> str:
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "running"
    return "running"


def _machine() -> str:
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


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
            remove_session(sys.argv[1])
        time.sleep(0.2)


if __name__ == "__main__":
    main()
