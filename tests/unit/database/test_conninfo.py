"""Connection strings: no part of a secret in any message, ``repr`` or traceback, however they are written."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import specgen
from specgen.database.connection import connect
from specgen.database.conninfo import ConnectionString, dial, masked, redacted, secrets_of, shown
from specgen.database.url import UrlProvider
from specgen.errors import DatabaseUnavailable
from specgen.runtime.channels import _redacted

NOBODY = "127.0.0.1:1"
"""Where nobody listens: the answer comes at once."""


def told(dsn: str) -> str:
    """Everything that somebody may read when the connection fails."""
    said = []
    for attempt in (
        lambda: connect(dsn, application="test"),
        lambda: dial(dsn),
        lambda: UrlProvider(dsn).__enter__(),
    ):
        with pytest.raises(DatabaseUnavailable) as caught:
            attempt()
        said += [str(caught.value), repr(caught.value), str(caught.value.help)]
        shown = traceback.format_exception(caught.value)
        # The lines of this file hold the very text that is looked for.
        said += [line for line in shown if Path(__file__).name not in line]
    return "\n".join(said)


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://u:w1@w2@{NOBODY}/db",
        f"postgresql://u@w1:w2@{NOBODY}/db",
        f"postgresql://u:w1/w2@{NOBODY}/db",
        f"postgresql://u:w1?w2@{NOBODY}/db",
        f"postgresql://u:w1?w2=w3@{NOBODY}/db",
        f"postgresql://u:1?application_name=w1@{NOBODY}/db",
        f"postgresql://u:w1%zzw2@{NOBODY}/db",
        f"postgresql://u:w1%00w2@{NOBODY}/db",
        f"postgresql://u:w1[w2@{NOBODY}/db",
        f"postgresql://u:w1#w2@{NOBODY}/db",
        f"postgresql://u:w1 w2@{NOBODY}/db",
        f"postgresql://{NOBODY}/db?password=w1&w2",
        f"postgresql://{NOBODY}/db?password=w1=w2",
        f"postgresql://{NOBODY}/db?password=w1&w2=w3",
        f"postgresql://{NOBODY}/db?password=w1@w2",
        "postgresql://u:w1@[::1/db",
        "postgresql://u:w1@[::1]w2/db",
        "postgresql://u:w1",
        "postgresql://w1:w2/db",
        f"postgresql+psycopg://u:w1@{NOBODY}/db",
        f"mysql://u:w1w2@{NOBODY}/db",
        "host=127.0.0.1 port=1 password=w1 w2",
        "host=127.0.0.1 port=1 password=w1 w2=w3",
        "host=127.0.0.1 port=1 password='w1 w2",
        "host=127.0.0.1 port=1 password = 'w1'w2",
        "host=u:w1@w2@127.0.0.1 port=1",
        "host=127.0.0.1 port=w1",
        "w1",
        "u:w1",
    ],
)
@pytest.mark.parametrize("secret", ["Tr0ub4dor", "x7"])
def test_nothing_of_a_password_that_libpq_takes_for_something_else_is_told(dsn: str, secret: str) -> None:
    for number in "123":
        dsn = dsn.replace(f"w{number}", secret + number)
    said = told(dsn)
    for number in "123":
        assert secret + number not in said


def test_a_password_with_an_at_sign_is_refused_with_what_to_write() -> None:
    with pytest.raises(DatabaseUnavailable, match="holds an @") as caught:
        connect("postgresql://me:p@ss@db.example.org/app", application="test")
    assert "%40" in str(caught.value.help)
    assert "ss@db" not in told("postgresql://me:p@ss@db.example.org/app")


def test_an_at_sign_that_is_escaped_or_names_a_socket_is_none() -> None:
    for dsn in (
        f"postgresql://me%40x:p%40ss@{NOBODY}/d%40b",
        f"postgresql://{NOBODY}/db?user=a%40b",
        "host=@specgen-nobody-listens port=1",
        "host=/nowhere/a@b port=1",
    ):
        assert "holds an @" not in told(dsn), dsn


def test_an_unknown_option_is_named_where_no_password_can_be_meant() -> None:
    with pytest.raises(DatabaseUnavailable, match="nonsense"):
        connect("host=127.0.0.1 nonsense=1", application="test")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=6, max_size=20))
def test_a_password_is_taken_out_of_a_message_in_each_form_that_it_has(password: str) -> None:
    for dsn in (
        f"postgresql://u:{quote(password, '')}@h/db",
        f"postgresql://h/db?password={quote(password, '')}",
        ConnectionString(
            f"host=h password='{password.replace(chr(92), chr(92) * 2).replace(chr(39), chr(92) + chr(39))}'"
        ),
    ):
        for form in (password, quote(password, "")):
            if form not in "***":
                assert form not in redacted(f'before "{form}" behind', dsn).replace("***", "")


def test_the_password_of_the_environment_is_one() -> None:
    assert "hunter2" in secrets_of("", {"PGPASSWORD": "hunter2"})


def test_a_short_secret_spares_the_words_around_it() -> None:
    assert masked("a cat: a", {"a"}) == "*** cat: ***"


def test_what_is_shown_has_no_password() -> None:
    dsn = ConnectionString("postgresql://me:w1@h:5/db?sslpassword=w2")
    assert shown(dsn) == "user=me dbname=db host=h port=5"
    assert repr(dsn) == f"'{shown(dsn)}'"
    assert dsn.endswith("w2")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("mailto://me:pw1@mail.example.org", "login me with pw1 refused"),
        ("https://u:x1@h.example.org/T0KEN/s3cr3t?key=va1ue", "T0KEN s3cr3t va1ue x1 dTp4MQ=="),
        ("slack://T0KENAAAA/B0KENBBBB/CCCCCCCCC", "T0KENAAAA B0KENBBBB CCCCCCCCC"),
        ("https://u:p%40ss@h.example.org/", "p@ss p%40ss"),
    ],
)
def test_no_part_of_a_channels_address_is_told(address: str, reason: str) -> None:
    left = _redacted(reason, address).split()
    assert not {"pw1", "T0KEN", "s3cr3t", "va1ue", "x1", "dTp4MQ==", "p@ss", "p%40ss"} & set(left), left
    assert not {"T0KENAAAA", "B0KENBBBB", "CCCCCCCCC"} & set(left), left


MODULES = [
    item.name
    for item in pkgutil.walk_packages(specgen.__path__, "specgen.")
    if "__main__" not in item.name and not item.name.endswith((".reap", ".watchdog"))
]


@pytest.mark.parametrize("name", MODULES)
def test_no_repr_holds_an_address(name: str) -> None:
    for found in vars(importlib.import_module(name)).values():
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            for field in dataclasses.fields(found):
                if field.name in ("url", "_url", "dsn", "usable", "address", "password"):
                    assert not field.repr, f"{found.__name__}.{field.name}"


def test_one_place_connects_so_that_what_libpq_says_passes_it() -> None:
    package = Path(specgen.__file__).parent
    for path in package.rglob("*.py"):
        calls = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        assert "psycopg.connect" not in calls or path.name == "conninfo.py", path
