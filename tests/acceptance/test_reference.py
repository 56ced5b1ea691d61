"""The reference of the language: no key without its meaning, example and wrong value, and all of them true."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from specgen.diagnostics import Findings
from specgen.render.engine import render_plan
from specgen.spec.config import load_settings
from specgen.spec.published import published
from specgen.spec.source import read_documents
from tools.reference.check import findings, planned, write
from tools.reference.keys import BODY, WITH, WRONG, Key, Section, all_keys
from tools.reference.text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.database.server import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/language.md").read_text(encoding="utf-8")
KEYS = all_keys()
NAMES = [f"{section.title}: {key.name}" for section, key in KEYS]
BUILT = [(section, key) for section, key in KEYS if not key.later]
BUILT_NAMES = [f"{section.title}: {key.name}" for section, key in BUILT]
DEFAULTS = [key for _, key in BUILT if "default" in key.schema]


def test_the_page_and_the_schemas_are_what_the_schemas_say() -> None:
    made = subprocess.run([sys.executable, "-m", "tools.reference", "--check"], cwd=ROOT, check=False)
    assert made.returncode == 0, "run: make reference"


def test_every_key_that_editors_know_is_on_the_page() -> None:
    names = {key.name for _, key in KEYS}
    assert set(documented(published("entity"))) | set(documented(published("specgen"))) <= names


def documented(schema: Any) -> Iterator[str]:
    """The keys of a published schema that stand in a list or a map of their own, by their own names."""
    for name, item in schema.get("properties", {}).items():
        yield name
        if name not in ("fields", "indexes", "patterns", "defaults", "steps"):
            yield from (f"{name}.{inner}" for inner in item.get("properties", {}))


@pytest.mark.parametrize(("section", "key"), KEYS, ids=NAMES)
def test_a_key_says_all_there_is_to_say(section: Section, key: Key) -> None:
    assert key.schema["description"].strip(), "description: what the key means"
    assert key.schema["examples"], "examples: the first is shown and run"
    if not key.later:
        assert WRONG in key.schema, f"{WRONG}: a value that is refused, so that the page can show the message"
    assert f"### `{key.name}`\n" in PAGE


@pytest.mark.parametrize(("section", "key"), KEYS, ids=NAMES)
def test_a_wrong_value_is_refused_where_it_stands(section: Section, key: Key) -> None:
    text = findings(key.wrong)
    assert re.match(r"\w+\.yaml:\d+:\d+: error\[", text), f"{WRONG} of {key.name} is not refused"
    assert f"```text\n{text}```\n" in PAGE


@pytest.fixture
def database(server_of: Callable[[int], Server], new_database: Callable[[Server], str]) -> str:
    return new_database(server_of(18))


@pytest.mark.parametrize(("section", "key"), BUILT, ids=BUILT_NAMES)
def test_an_example_works(section: Section, key: Key, tmp_path: Path, database: str) -> None:
    assert f"```yaml\n{yaml_text(key.shown)}```\n" in PAGE
    write(tmp_path, key.documents)
    plan, found = planned(tmp_path)
    assert [item.message for item in found] == [], f"{key.name}: its example may need {WITH}"
    assert plan
    with psycopg.connect(database) as connection:
        prepare(connection, key)
        for file in render_plan(plan):
            connection.execute(file.text.encode())
        add_a_user(connection)
        for entity in plan.entities:
            for operation in entity.operations:
                call(connection, operation.name)


def prepare(connection: psycopg.Connection, key: Key) -> None:
    """Make what an example takes for granted; its table too, where that is not specgen's to make."""
    connection.execute((ROOT / "tests/data/reference.sql").read_bytes())
    if key.name == "managed":
        columns = "id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text"
        connection.execute(f'CREATE TABLE public."user" ({columns})'.encode())


def add_a_user(connection: psycopg.Connection) -> None:
    """Give the operations a row, where the example's table can have one."""
    sql = (
        "SELECT count(*) FROM information_schema.columns WHERE (table_name, column_name) = ('user', 'email')"
    )
    if connection.execute(sql + " AND table_schema = 'public'").fetchone() == (1,):
        connection.execute("INSERT INTO public.\"user\" (email) VALUES ('a@example.org')")


def call(connection: psycopg.Connection, name: str) -> None:
    """Call an operation as a dry run, all its parameters NULL: what is wrong in its SQL comes out."""
    sql = """
        SELECT p.oid::regproc::text,
               ARRAY(SELECT format('NULL::%%s', format_type(a.type, NULL))
                       FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, n)
                      WHERE a.n <= p.pronargs - p.pronargdefaults
                      ORDER BY a.n)
          FROM pg_proc AS p
         WHERE p.proname = %s
    """
    row = connection.execute(sql, [name]).fetchone()
    assert row
    connection.execute(f"SELECT {row[0]}({', '.join([*row[1], 'dry_run => true'])})".encode())


@pytest.mark.parametrize("key", DEFAULTS, ids=lambda key: key.name)
def test_a_default_is_what_happens_when_nothing_is_said(key: Key, tmp_path: Path) -> None:
    said, silent = with_default(key), without(key)
    assert rendered(said, tmp_path / "said") == rendered(silent, tmp_path / "silent")
    settings = [load_settings(tmp_path / folder, Findings()).settings for folder in ("said", "silent")]
    assert len({replace(item, root=Path()) for item in settings}) == 1


def with_default(key: Key) -> Any:
    return replaced(key.documents, key, lambda holder, name: holder.__setitem__(name, key.schema["default"]))


def without(key: Key) -> Any:
    return replaced(key.documents, key, lambda holder, name: holder.pop(name))


def replaced(documents: Any, key: Key, change: Callable[[Any, str], Any]) -> Any:
    """The documents with the key's value changed, wherever in them it stands as in its example."""
    copied = copy.deepcopy(documents)
    found = list(holders(copied, key))
    assert found, key.name
    change(found[0], key.path[-1])
    return copied


def holders(value: Any, key: Key) -> Iterator[Any]:
    if isinstance(value, dict):
        if key.path[-1] in value and value[key.path[-1]] == key.schema["examples"][0]:
            yield value
        for item in value.values():
            yield from holders(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from holders(item, key)


def rendered(documents: Any, folder: Path) -> list[str]:
    """The generated SQL without its comments, which tell the spec's hash and its lines, and what says nothing."""
    write(folder, documents)
    plan, found = planned(folder)
    assert found == []
    assert plan
    texts = [re.sub(r"^\s*--.*\n", "", file.text, flags=re.MULTILINE) for file in render_plan(plan)]
    return [text.replace(" ON DELETE NO ACTION", "").replace(" USING btree", "") for text in texts]


@pytest.mark.parametrize(
    "value",
    [
        {"a": ":x", "b": ["NOW()", "yes", "null", "5", ""], "c": {"d": True, "e": None, "f": 1.5}},
        {"long": [{"name": "x" * 60, "other": "y" * 60}, "z z: #"], "k": "é 'q' \"d\" \\"},
        BODY,
    ],
)
def test_yaml_is_written_as_it_is_read(value: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(yaml_text(value), encoding="utf-8")
    (document,) = read_documents(file, "x.yaml", Findings())
    assert document.data == value
