"""Examples that messages give are values that PostgreSQL takes."""

from __future__ import annotations

import shlex
from typing import Any

import psycopg

from specgen.runtime.arguments import Parameter, read_arguments
from specgen.runtime.examples import _EXAMPLES, example, forms_of_array

OWN_NAMES = {
    "regclass": {"public.users": "pg_class", "public.orders": "pg_type"},
    "regproc": {"public.my_function": "now", "public.other_function": "version"},
}
"""Examples that name what a database may lack, and what stands for it here."""


def check(connection: psycopg.Connection[Any], kind: str, form: str) -> None:
    pairs = [word for word in shlex.split(form) if word != "-p"]
    value = read_arguments(pairs, [Parameter("x", kind)])["x"]
    assert value is not None
    for name, there in OWN_NAMES.get(kind.removesuffix("[]"), {}).items():
        value = value.replace(name, there)
    connection.execute(f"SELECT %s::{kind}".encode(), [value])


def test_every_example_works(database: str) -> None:
    with psycopg.connect(database) as connection:
        for kind, values in _EXAMPLES.items():
            form = example("x", kind)
            assert form is not None
            check(connection, kind, form)
            *forms, file = forms_of_array("x", f"{kind}[]", values)
            assert file == "-p x=@FILE"
            for form in forms:
                check(connection, f"{kind}[]", form)
