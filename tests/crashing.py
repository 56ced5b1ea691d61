"""Servers that crash and come back."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gates import wait_until

from specgen.database import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def port_of_its_own() -> Iterator[None]:
    """The next embedded server keeps its port while it is down.

    Another program could be given it then, and the server could not come back. A socket that is bound and
    does not listen keeps it from them, and on Linux lets a server have it that asks for its reuse.
    """
    if sys.platform != "linux":
        yield
        return
    with socket.socket() as reserved, pytest.MonkeyPatch.context() as patch:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        patch.setattr(embedded, "_free_port", lambda: reserved.getsockname()[1])
        yield


def crash(provider: embedded.EmbeddedProvider) -> None:
    """Kill a server with all its children.

    It is stopped first: a child that it forks while the others are looked up would live on, and a server
    does not come back while a child of its predecessor is there.
    """
    status = Path(f"/proc/{provider.pid}/stat")
    os.kill(provider.pid, signal.SIGSTOP)
    if status.exists():
        wait_until(lambda: status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T")
    provider.kill()
