"""Connection strings: read strictly, and kept out of everything that anybody reads.

What libpq says of a string that it cannot read quotes a piece of it, and of one that it reads otherwise than
it was meant (``postgresql://me:p@ss@host``) it names a piece of the password as the host. So neither comes to
libpq, and whatever it says of the rest passes through :func:`redacted`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from specgen.database.argv import without_logins
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

SECRET = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_SCHEMES = ("postgresql", "postgres")
_ESCAPES = "in a name or a password write %40 for @, %2F for /, %3A for :, %3F for ?, %25 for %"
_BEGIN = "write it as postgresql://HOST/DATABASE, or as host=HOST dbname=DATABASE"
_FLAWS = (
    ("invalid percent-encoded token", "a % stands in it without two hexadecimal digits behind it"),
    ("forbidden value %00", "it holds %00"),
    ("invalid URI query parameter", "behind its ? stands an option that libpq does not know"),
    ("missing key/value separator", 'behind its ? stands a word without "="'),
    ("extra key/value separator", 'behind its ? stands an option with two "="'),
    ("unexpected character", "behind an address in brackets stands something else than a port or a path"),
    ("IPv6 host address may not be empty", "its brackets are empty"),
    ("end of string reached", "a bracket is not closed"),
    ("unterminated quoted string", "a quote is not closed"),
    ("missing \"=\"", 'a word stands in it without "=": a value with blanks needs quotes'),
    ("invalid connection option", "it holds an option that libpq does not know"),
)  # fmt: skip
# Of a short one there are so many in any text that only those which stand alone can be meant.
_LONG = 4


class ConnectionString(str):
    """A connection string whose ``repr`` says only which database it is: tracebacks and pytest show that."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{shown(self)}'"


def options_of(dsn: str, *, kind: str | None = None) -> dict[str, Any]:
    """Return what a connection string says.

    Raises:
        DatabaseUnavailable: It cannot be read, or says something else than was probably meant.
    """
    if re.search("[/@:]", dsn.partition("=")[0].partition("://")[0]):
        # Of a string of keys and values, the first key is a word.
        raise DatabaseUnavailable("a database URL begins with postgresql://", kind=kind, help=_BEGIN)
    if dsn and "=" not in dsn and "://" not in dsn:
        raise DatabaseUnavailable(
            "the connection string is neither a URL nor of keys and values", kind=kind, help=_BEGIN
        )
    scheme, url, rest = dsn.partition("://")
    if url and re.fullmatch(r"[\w+.-]+", scheme) and scheme not in _SCHEMES:
        raise DatabaseUnavailable("a database URL begins with postgresql://", kind=kind, help=_BEGIN)
    authority, *behind = re.split("(?=[/?])", rest, maxsplit=1)
    if url and (authority.count("@") > 1 or "@" in "".join(behind)):
        raise _misread(kind)
    try:
        options = conninfo_to_dict(dsn)
    except psycopg.Error as error:
        flaw = _flaw(str(error), dsn)
        raise DatabaseUnavailable(
            f"the connection string cannot be read: {flaw}", kind=kind, help=_ESCAPES if url else None
        ) from None
    # A name that begins with one is a socket in the abstract namespace, one with a slash a folder.
    hosts = str(options.get("host", "")).split(",")
    if any("@" in host[1:] and not host.startswith("/") for host in hosts):
        raise _misread(kind)
    if not re.fullmatch(r"[\d, ]*", str(options.get("port", ""))):
        raise DatabaseUnavailable("the port of the connection string is no number", kind=kind, help=_ESCAPES)
    return options


def _flaw(said: str, dsn: str) -> str:
    """Return what libpq says of a string, without the piece of it that it quotes."""
    flaw = next((ours for theirs, ours in _FLAWS if said.startswith(theirs)), "libpq does not understand it")
    option = re.match('invalid connection option "(\\w+)"', said)
    # In a string without a password it is none that was torn apart by a blank.
    return f"{flaw}: {option[1]}" if option and "pass" not in dsn.lower() and "://" not in dsn else flaw


def _misread(kind: str | None) -> DatabaseUnavailable:
    return DatabaseUnavailable("the host part of the database URL holds an @", kind=kind, help=_ESCAPES)


def dial(
    dsn: str,
    *,
    kind: str | None = None,
    autocommit: bool = False,
    prepare_threshold: int | None = 5,
    **options: Any,
) -> Connection[tuple[Any, ...]]:
    """Connect.

    Args:
        dsn: A libpq URI or ``key=value`` string; empty for what libpq's environment says.
        kind: Which provider wants it, for the message.
        autocommit: Whether each statement is a transaction of its own.
        prepare_threshold: As psycopg has it.
        options: More of libpq's options, which go before those of the string.

    Raises:
        DatabaseUnavailable: The string cannot be read, nothing answers, or the login is refused. No part of a
            secret is in it, nor in an exception behind it.
    """
    options_of(dsn, kind=kind)
    try:
        return psycopg.connect(
            make_conninfo(dsn, **options), autocommit=autocommit, prepare_threshold=prepare_threshold
        )
    except psycopg.Error as error:
        raise DatabaseUnavailable(redacted(str(error).strip(), dsn), kind=kind) from None


def redacted(text: str, dsn: str) -> str:
    """Return a text without the secrets of a connection string, and of the environment that completes it."""
    return masked(without_logins(text), secrets_of(dsn, os.environ))


def secrets_of(dsn: str, environment: Mapping[str, str]) -> set[str]:
    """Return what must not be shown of a connection string, as it is and as it stands in a URL."""
    found = {environment.get("PGPASSWORD", "")}
    try:
        options = conninfo_to_dict(dsn)
    except psycopg.Error:
        # Not even its parts can be told apart.
        found |= set(re.split(r"[\s:/@?&=,'\"]+", dsn.partition("://")[2] or dsn)) | {dsn}
    else:
        found |= {str(options[name]) for name in SECRET if options.get(name)}
    login = dsn.partition("://")[2].rpartition("@")[0]
    found |= {login.partition(":")[2]}
    forms = (str, quote_plus, unquote, lambda secret: quote(secret, ""))
    return {form(secret) for secret in found for form in forms}


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text with stars in the place of secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= _LONG:
            text = text.replace(secret, "***")
        else:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text


def pinned(dsn: str) -> str:
    """Return a connection string that leads to the same server whatever libpq's environment says.

    ``PGHOSTADDR`` and ``PGSERVICE`` would have a say even where a host is named.
    """
    options = options_of(dsn)
    if "service" in options:
        return ConnectionString(dsn)
    usual = {"hostaddr": "", "port": "5432"}
    return ConnectionString(make_conninfo(dsn, **{k: v for k, v in usual.items() if k not in options}))


def as_url(dsn: str, *, secrets: bool = False) -> str:
    """Return a connection string as a URL, for other programs; without its secrets unless asked."""
    options = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value not in (None, "")}
    if not secrets:
        options = {name: value for name, value in options.items() if name not in SECRET}
    taken = {name: options.pop(name, "") for name in ("user", "password", "host", "port", "dbname")}
    host = taken["host"]
    if "," in host or "," in taken["port"] or host.startswith(("/", "@")):
        # A folder of sockets, or several servers, have no place between the slashes.
        options |= {name: taken.pop(name) for name in ("host", "port") if taken[name]}
    elif ":" in host:
        taken["host"] = f"[{host}]"
    else:
        taken["host"] = quote(host, "")
    if taken["password"] and not taken["user"]:
        options["password"] = taken.pop("password")
    login = ":".join(quote(taken[name], "") for name in ("user", "password") if taken.get(name))
    server = ":".join(taken[name] for name in ("host", "port") if taken.get(name))
    query = "&".join(f"{name}={quote(value, '')}" for name, value in options.items())
    return (
        f"postgresql://{login}{'@' if login else ''}{server}/{quote(taken['dbname'], '')}"
        f"{'?' if query else ''}{query}"
    )


def shown(dsn: str) -> str:
    """Return a connection string without its secrets, for people who know them."""
    try:
        options = conninfo_to_dict(dsn)
    except psycopg.Error:
        return "***"
    return make_conninfo("", **{name: value for name, value in options.items() if name not in SECRET})
