"""Something between a client and its server that cuts a connection at a chosen word: a pooler that dies."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

When = Literal["before", "after", "meanwhile"]
_READY = b"Z"
_NOTICE = b"N"


@dataclass
class Cutter:
    """A proxy that cuts the connection over which a word is sent.

    Attributes:
        word: What it waits for in what clients send; empty for nothing.
        when: ``before`` the server gets the word, ``after`` it has done what was asked, the answer being
            kept, or ``meanwhile``, as soon as the server has it.
        times: How often it cuts; afterwards it passes everything on.
        gone: Set to refuse new connections from then on.
        cuts: How often it has cut.
    """

    server: tuple[str, int]
    word: bytes = b""
    when: When = "before"
    times: int = 1
    on_cut: Callable[[], None] = lambda: None
    port: int = 0
    cuts: int = 0
    gone: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claims(self, sent: bytes) -> bool:
        with self._lock:
            if not self.word or self.word not in sent or self.cuts >= self.times:
                return False
            self.cuts += 1
            return True


def _serve(cutter: Cutter, client: socket.socket) -> None:
    with client, socket.create_connection(cutter.server) as server:
        holding = threading.Event()
        cut = threading.Event()
        answers = threading.Thread(target=_answers, args=(server, client, holding, cut), daemon=True)
        answers.start()
        tail = b""
        with suppress(OSError):
            while sent := client.recv(65536):
                if cutter.claims(tail + sent):
                    if cutter.when == "after":
                        holding.set()
                    if cutter.when != "before":
                        server.sendall(sent)
                    if cutter.when == "after":
                        cut.wait()
                    cutter.on_cut()
                    break
                tail = sent[-64:]
                server.sendall(sent)
        for side in (client, server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        answers.join()


def _answers(
    server: socket.socket, client: socket.socket, holding: threading.Event, cut: threading.Event
) -> None:
    """Pass the server's messages on, until it is to be held; then all but notices, until it is ready."""
    buffer = b""
    with suppress(OSError):
        while received := server.recv(65536):
            buffer += received
            while len(buffer) >= 5 and len(buffer) > (length := int.from_bytes(buffer[1:5])):
                message, buffer = buffer[: length + 1], buffer[length + 1 :]
                if not holding.is_set() or message[:1] == _NOTICE:
                    client.sendall(message)
                elif message[:1] == _READY:
                    cut.set()
    cut.set()
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutter(
    dsn: str, word: str = "", when: When = "before", *, times: int = 1
) -> Iterator[tuple[Cutter, str]]:
    """A proxy before a database, and the connection string that leads through it."""
    parts = conninfo_to_dict(dsn)
    host, port = str(parts.get("host", "127.0.0.1")), int(str(parts.get("port", 5432)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Cutter((host, port), word.encode(), when, times, port=listener.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    if proxy.gone.is_set():
                        client.close()
                        continue
                    threading.Thread(target=_serve, args=(proxy, client), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        # In clear, and by TCP: what passes is read.
        yield (
            proxy,
            make_conninfo(
                dsn,
                host="127.0.0.1",
                hostaddr="127.0.0.1",
                port=proxy.port,
                sslmode="disable",
                gssencmode="disable",
            ),
        )
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()
