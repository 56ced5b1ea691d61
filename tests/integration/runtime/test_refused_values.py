"""A value that PostgreSQL does not take is told with its parameter, and nothing has run by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import counting
import psycopg
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewDatabase, Template

    from specgen.database.server import Server

SETUP = """
CREATE TYPE public.mood AS ENUM ('fine', 'so so');
CREATE DOMAIN public.percent AS integer CHECK (value BETWEEN 0 AND 100);
"""
SPEC = """
name: doc
fields: {id: bigint, body: text, day: date, vector: tsvector, mood: public.mood, share: public.percent}
patterns:
  - name: batch_operations
    operation: find_docs
    operation_type: select
    select_fields: [id]
    parameters: {q: tsquery}
    where_condition: "vector @@ :q"
  - name: batch_operations
    operation: search_docs
    operation_type: update
    update_data: {body: found}
    parameters: {q: text, pattern: {type: text, default: "''"}, y: {type: integer, default: "2026"}}
    where_condition: "vector @@ to_tsquery('simple', :q) AND body !~ :pattern AND day > make_date(:y, 1, 1)"
  - name: batch_operations
    operation: set_body
    operation_type: update
    update_data: {body: :body}
    parameters: {table: {type: regclass, default: "'pg_class'"}, within: {type: daterange, default: "'empty'"}}
    where_condition: "id = ANY(:ids) AND day <@ :within AND body <> (:table)::text"
  - name: batch_operations
    operation: cheer_docs
    operation_type: update
    update_data: {body: cheered}
    where_condition: "mood = :mood"
  - name: batch_operations
    operation: share_docs
    operation_type: update
    update_data: {body: shared}
    where_condition: "share = :share"
  - name: batch_operations
    operation: add_docs
    operation_type: insert
    data_source: :records
    insert_data: {id: :item.id, body: :item.body, day: :day}
"""
ARRAYS = "-p ids=1 -p ids=2, -p 'ids=[1,2]', -p 'ids={1,2}', or -p ids=@FILE with one a line"


@pytest.fixture(scope="session")
def docs_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "entities").mkdir()
    (folder / "entities" / "doc.yaml").write_text(SPEC)
    return folder


@pytest.fixture
def docs(
    postgres_server: Server, template_of: Template, new_database: NewDatabase, docs_project: Path
) -> str:
    def build(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SETUP)
        code, _, err = counting.run(dsn, "deploy", "--project", str(docs_project))
        assert code == 0, err
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO doc (id, body, day, vector) VALUES (1, 'a', '2026-02-01', 'a')")

    return new_database(postgres_server, template_of(postgres_server, "docs", build))


VALUES = [
    ("find_docs", "q=a b", "q (tsquery)", "syntax error in tsquery", "for example -p 'q=cat & dog'"),
    # The value holds what an error's context is judged by.
    ("find_docs", "q=SQL a", "q (tsquery)", "syntax error in tsquery", "for example -p 'q=cat & dog'"),
    ("search_docs", "q=a b", "q (text)", "syntax error in tsquery", None),
    ("search_docs", "pattern=(", "pattern (text)", "invalid regular expression", None),
    ("search_docs", "y=0", "y (integer)", "date field value out of range", None),
    (
        "set_body",
        "table=nowhere",
        "table (regclass)",
        'relation "nowhere" does not exist',
        "-p table=public.users",
    ),
    (
        "set_body",
        "within=[x",
        "within (daterange)",
        "malformed range literal",
        "-p 'within=[2026-01-01,2026-02-01)'",
    ),
    ("set_body", "ids=one", "ids (bigint[])", "invalid input syntax for type bigint", ARRAYS),
    (
        "set_body",
        "ids=",
        "ids (bigint[])",
        "invalid input syntax for type bigint",
        "none at all is -p ids={}",
    ),
    (
        "cheer_docs",
        "mood=great",
        "mood (public.mood)",
        "invalid input value for enum",
        "takes fine, so so; for example -p mood=fine",
    ),
    ("cheer_docs", "mood=", "mood (public.mood)", "invalid input value for enum", "NULL is --null mood"),
    (
        "share_docs",
        "share=101",
        "share (public.percent)",
        "violates check constraint",
        "for example -p share=1",
    ),
]
NEEDED = {"search_docs": {"q": "a"}, "set_body": {"ids": "1", "body": "x"}}


@pytest.mark.parametrize(
    ("operation", "given", "named", "message", "help"), VALUES, ids=[given for _, given, *_ in VALUES]
)
def test_the_parameter_is_named(
    docs: str, docs_project: Path, operation: str, given: str, named: str, message: str, help: str | None
) -> None:
    name = given.partition("=")[0]
    rest = [f"{key}={value}" for key, value in NEEDED.get(operation, {}).items() if key != name]
    pairs = [word for pair in (*rest, given) for word in ("-p", pair)]
    code, _, err = counting.run(docs, "run", operation, *pairs, "--project", str(docs_project))
    assert code == 2, err
    assert err.startswith(f"error: parameter {named}: "), err
    assert message in err
    assert "SELECT" not in err, "internal SQL"
    if help is not None:
        assert help in err
    with psycopg.connect(docs) as connection:
        assert connection.execute("SELECT body FROM doc").fetchall() == [("a",)]
        assert connection.execute("SELECT FROM batch_operations").fetchall() == []


@pytest.mark.parametrize("how", ["--once", "--dry-run"])
def test_the_parameter_is_named_in_one_call(docs: str, docs_project: Path, how: str) -> None:
    command = ["run", "search_docs", "-p", "q=a b", how, "--project", str(docs_project)]
    assert counting.run(docs, *command)[::2] == (
        2,
        'error: parameter q (text): syntax error in tsquery: "a b"\n',
    )


@pytest.mark.parametrize("how", [(), ("--once",)], ids=["workers", "once"])
def test_the_parameter_is_named_beside_a_file(
    docs: str, docs_project: Path, tmp_path: Path, how: tuple[str, ...]
) -> None:
    file = tmp_path / "docs.csv"
    file.write_text("id,body\n2,b\n")
    command = ["run", "add_docs", "--input", str(file), "--project", str(docs_project), *how]
    code, _, err = counting.run(docs, *command, "-p", "day=31.31.2026")
    assert code == 2, err
    assert err.startswith('error: parameter day (date): date/time field value out of range: "31.31.2026"\n')
    assert "help: for example -p day=2026-01-31" in err
    assert counting.run(docs, *command, "-p", "day=2026-01-31")[0] == 0


def test_what_postgresql_takes_is_taken(docs: str, docs_project: Path) -> None:
    pairs = ("-p", "ids={1}", "-p", "body=b", "-p", "within=[2026-01-01,)")
    code, out, err = counting.run(docs, "run", "set_body", *pairs, "--json", "--project", str(docs_project))
    assert code == 0, err
    assert '"processed_records": 1' in out
