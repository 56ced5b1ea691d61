"""Who made something that outlives a process: a name that says later whether its maker is gone.

Without it, what a killed run left on somebody's server or engine could not be told from what a running
one still needs.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path


def label(pid: int) -> str:
    """A process, by a name that no other machine or PID namespace has."""
    return f"{pid} {_started(pid)} {_machine()}"


def is_gone(label: str) -> bool:
    """Whether an owner is known to be gone; one of another machine never is."""
    pid, _, rest = label.partition(" ")
    started, _, machine = rest.partition(" ")
    return pid.isdigit() and machine == _machine() and started != _started(int(pid))


def _started(pid: int) -> str:
    """When a process started, which tells it from a later one with its number; empty if there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _started_elsewhere(pid)
    state, *fields = status.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else fields[18]


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
