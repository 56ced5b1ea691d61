"""Sends one message to one address: a plain POST to ``http(s)://``, apprise for every other service.

A webhook receives the documented JSON as it is. apprise would wrap it into a document of its own, and tells
only whether a message went out; why not, it writes to its log, where it is picked up here. An address is a
secret: it is never part of a reason.
"""

from __future__ import annotations

import base64
import http.client
import logging
import re
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from specgen.database.conninfo import masked
from specgen.errors import SpecgenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.runtime.outbox import Message

WEBHOOKS = ("http", "https")
MAIL = ("mailto", "mailtos")
_LOGIN = ("user", "pass")
TOKEN = 4
"""Characters that a part of a path has that may be a secret; a login's parts may have fewer."""
EXCERPT = 120
"""Characters of a refusal's body that are worth keeping."""


class NotDelivered(SpecgenError):  # noqa: N818 - an outcome of every day
    """A message did not go out.

    Attributes:
        unreachable: Nobody answers there, so that another message would fare no better now.
    """

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable


def send(address: str, message: Message, seconds: float) -> None:
    """Send a message.

    Args:
        address: Where to, as a URL.
        message: What.
        seconds: How long it may take in all.

    Raises:
        NotDelivered: It was refused, or nobody answered in time.
    """
    post = _post if _scheme(address) in WEBHOOKS else _hand_to_apprise
    try:
        _within(seconds, lambda: post(address, message, seconds))
    except NotDelivered as failure:
        raise NotDelivered(_redacted(str(failure), address), unreachable=failure.unreachable) from None


def flaw(address: str) -> str | None:
    """Return what makes an address unusable, if anything does."""
    try:
        parts = urlsplit(address)
        if parts.scheme.lower() in WEBHOOKS:
            return None if parts.hostname and parts.port != 0 else "its address names no host"
    except ValueError:
        return "its address is no URL"
    return None if _service(address, 1) else "its address is of no service that apprise knows"


def _scheme(address: str) -> str:
    return address.partition(":")[0].lower()


def _within(seconds: float, do: Callable[[], None]) -> None:
    """Wait so long and no longer; a library's timeout is one for each step, which a slow peer stretches.

    Raises:
        NotDelivered: It did not come to an end.
    """
    ended: list[Exception | None] = []

    def work() -> None:
        try:
            do()
            ended.append(None)
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        raise NotDelivered(f"no answer within {seconds:g} s", unreachable=True)
    match ended[0]:
        case None:
            return
        case NotDelivered() as failure:
            raise failure
        case error:
            raise NotDelivered(f"{type(error).__name__}: {error}") from error


# Webhooks


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Following a redirect would turn the POST into a GET, which looks like success and says nothing."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none; the answer then counts as the error that it is."""


def _post(address: str, message: Message, seconds: float) -> None:
    parts = urlsplit(address)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "specgen",
        # A message may come twice; by this a receiver can tell.
        "Idempotency-Key": f"{message.operation_id}-{message.id}",
    }
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    request = urllib.request.Request(  # noqa: S310 - the scheme is http or https
        _without_login(parts), message.payload.encode(), headers, method="POST"
    )
    peer = parts.netloc.rpartition("@")[2]
    try:
        # Longer than the whole may take, which is bounded outside: of two limits the same one always speaks.
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=seconds + 1):
            return
    except urllib.error.HTTPError as answer:
        with answer:
            raise NotDelivered(f"{peer} answered {answer.code} {_refusal(answer)}") from None
    except urllib.error.URLError as error:
        raise NotDelivered(f"{peer}: {_cause(error.reason)}", unreachable=True) from error
    except (http.client.HTTPException, OSError) as error:
        raise NotDelivered(f"{peer}: {_cause(error)}", unreachable=True) from error


def _without_login(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _refusal(answer: urllib.error.HTTPError) -> str:
    """Return the reason phrase of an answer and how its body begins."""
    try:
        body = answer.read(4 * EXCERPT).decode("utf-8", "replace")
    except (http.client.HTTPException, OSError):
        body = ""
    text = " ".join(body.split())[:EXCERPT]
    target = answer.headers.get("Location")
    if target:
        return f"{answer.reason}, which redirects; redirects are not followed"
    return f"{answer.reason}: {text}" if text else str(answer.reason)


def _cause(error: object) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case http.client.RemoteDisconnected():
            return "closed the connection without an answer"
        case http.client.HTTPException():
            return f"answered something that is no HTTP ({type(error).__name__})"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return str(error)


# Everything else


def _service(address: str, seconds: float) -> Any:
    """Return apprise's own object for an address, None if it knows no such service."""
    # Imported late: it brings along the clients of all its services.
    from apprise import Apprise, AppriseAsset

    with _log():
        service: Any = Apprise.instantiate(address, asset=AppriseAsset(app_id="specgen", app_desc="specgen"))
    if service is not None:
        service.socket_connect_timeout = service.socket_read_timeout = seconds
    return service


def _hand_to_apprise(address: str, message: Message, seconds: float) -> None:
    service = _service(address, seconds)
    if service is None:
        raise NotDelivered("its address is of no service that apprise knows")
    with _log() as lines:
        sent = service.notify(title=message.title, body=message.text, body_format="text")
    if not sent:
        raise NotDelivered("; ".join(lines) or "the service did not take it")


_UNDERLYING = re.compile(r"Socket Exception: (.*)", re.DOTALL)


@contextmanager
def _log() -> Iterator[list[str]]:
    """Collect what apprise says went wrong, which it tells nobody but its log."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            underlying = _UNDERLYING.match(text)
            if underlying or record.levelno >= logging.WARNING:
                lines.append(" ".join((underlying[1] if underlying else text).split()))

    logger = logging.getLogger("apprise")
    collector = Collector()
    before = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(collector)
        logger.level, logger.propagate = before


def _redacted(text: str, address: str) -> str:
    """Return a reason without anything of an address that may be a secret.

    A webhook's host is none, nor is all of a mail's address but its login; without them a reason says
    little. In other addresses every part may be a token, even in the host's place.
    """
    rest = address.partition("://")[2]
    netloc, *behind = re.split(r"(?=[/?#])", rest, maxsplit=1)
    login = netloc.rpartition("@")[0]
    known = [login, *login.split(":", 1)]
    if _scheme(address) in MAIL:
        known += [value for name, value in parse_qsl(urlsplit(address).query) if name in _LOGIN]
        secret = ""
    elif _scheme(address) in WEBHOOKS:
        secret = "".join(behind)
        # As the peer gets it, and may send it back.
        known.append(base64.b64encode(unquote(login).encode()).decode())
    else:
        secret = rest
    parts = {part for part in re.split(r"[/:@?&=#;,]", secret) if len(part) >= TOKEN}
    return masked(text, parts.union(known, map(unquote, parts.union(known))))
