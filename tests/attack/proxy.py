"""A proxy before the server that loses one answer, as a pooler does that is killed at the wrong moment."""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Proxy:
    """Forwards connections, and cuts the first one that asks for something.

    Args:
        server: The server's port.
        wanted: A pattern of what the request has in it.
        answered: Whether the server may do it first; else the request is lost as well.
    """

    def __init__(self, server: int, wanted: bytes, *, answered: bool) -> None:
        self._server = server
        self._wanted = wanted
        self._answered = answered
        self._armed = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._server)) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source in ready:
                    data = source.recv(1 << 20)
                    if not data:
                        return
                    if source is client and self._armed and re.search(self._wanted, data):
                        self._armed = False
                        self._cut(server, data)
                        return
                    (server if source is client else client).sendall(data)

    def _cut(self, server: socket.socket, data: bytes) -> None:
        if not self._answered:
            return
        server.sendall(data)
        # its answer, which nobody gets
        server.settimeout(5)
        with suppress(TimeoutError):
            server.recv(1 << 20)
