"""Who receives: a real HTTP server and a real SMTP server on loopback, which can be told to misbehave."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage


@dataclass
class Webhook:
    """A server that keeps what is posted to it, and answers as it is told to.

    Attributes:
        status: What it answers, or a list of answers of which the last one stays.
        hang: Set to let requests that never got an answer go.
    """

    port: int = 0
    status: int | list[int] = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    hang: threading.Event = field(default_factory=threading.Event)
    on_request: Callable[[], None] = lambda: None
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/batches"

    @property
    def ids(self) -> list[str]:
        return [headers["Idempotency-Key"] for _path, headers, _body in self.requests]

    def answer(self) -> int:
        if isinstance(self.status, int):
            return self.status
        return self.status.pop(0) if len(self.status) > 1 else self.status[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        webhook: Webhook = self.server.webhook  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        webhook.requests.append((self.path, dict(self.headers), json.loads(body)))
        webhook.on_request()
        if webhook.silent:
            webhook.hang.wait(30)
            self.close_connection = True
            return
        self.send_response(webhook.answer())
        for name, value in webhook.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(webhook.body)))
        self.end_headers()
        self.wfile.write(webhook.body)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is no error."""


@contextmanager
def webhook() -> Iterator[Webhook]:
    peer = Webhook()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.webhook = peer  # type: ignore[attr-defined]
        peer.port = server.server_address[1]
        thread = threading.Thread(target=lambda: server.serve_forever(0.02))
        thread.start()
        try:
            yield peer
        finally:
            peer.hang.set()
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """A mail server that keeps what it takes, or refuses with a reply."""

    port: int = 0
    refusal: str | None = None
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=batches@example.org&to=ops@example.org"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    peer = Mailbox(free_port())
    controller = Controller(peer, hostname="127.0.0.1", port=peer.port)
    controller.start()
    try:
        yield peer
    finally:
        controller.stop()


@contextmanager
def nobody_answers() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
