"""Tables whose columns are of types of their owner's: a spec names them as the project finds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from corpus import execute

from specgen.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

SETUP = """
    SET client_min_messages = warning;
    CREATE SCHEMA lib;
    CREATE EXTENSION citext SCHEMA lib;
    CREATE SCHEMA app;
    CREATE TYPE app.rating AS ENUM ('G', 'PG', 'NC-17');
    CREATE DOMAIN app.year AS integer CHECK (value BETWEEN 1901 AND 2155);
    CREATE DOMAIN app.sku AS lib.citext NOT NULL;
    CREATE FUNCTION app.code_in(cstring, oid, integer) RETURNS app.code LANGUAGE internal AS 'varcharin' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_out(app.code) RETURNS cstring LANGUAGE internal AS 'varcharout' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_modifier(cstring[]) RETURNS integer LANGUAGE internal AS 'varchartypmodin' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_modified(integer) RETURNS cstring LANGUAGE internal AS 'varchartypmodout' STRICT IMMUTABLE;
    CREATE TYPE app.code (
        INPUT = app.code_in, OUTPUT = app.code_out, TYPMOD_IN = app.code_modifier, TYPMOD_OUT = app.code_modified, LIKE = varchar, COLLATABLE = true
    );
    CREATE FUNCTION app.code_cut(app.code, integer, boolean) RETURNS app.code LANGUAGE internal AS 'varchar' STRICT IMMUTABLE;
    CREATE CAST (app.code AS app.code) WITH FUNCTION app.code_cut AS IMPLICIT;
    CREATE CAST (app.code AS text) WITHOUT FUNCTION AS IMPLICIT;
    CREATE FUNCTION app.code_lt(app.code, app.code) RETURNS boolean LANGUAGE internal AS 'text_lt' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_le(app.code, app.code) RETURNS boolean LANGUAGE internal AS 'text_le' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_eq(app.code, app.code) RETURNS boolean LANGUAGE internal AS 'texteq' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_ge(app.code, app.code) RETURNS boolean LANGUAGE internal AS 'text_ge' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_gt(app.code, app.code) RETURNS boolean LANGUAGE internal AS 'text_gt' STRICT IMMUTABLE;
    CREATE FUNCTION app.code_cmp(app.code, app.code) RETURNS integer LANGUAGE internal AS 'bttextcmp' STRICT IMMUTABLE;
    CREATE OPERATOR app.< (FUNCTION = app.code_lt, LEFTARG = app.code, RIGHTARG = app.code, COMMUTATOR = OPERATOR(app.>));
    CREATE OPERATOR app.<= (FUNCTION = app.code_le, LEFTARG = app.code, RIGHTARG = app.code);
    CREATE OPERATOR app.= (FUNCTION = app.code_eq, LEFTARG = app.code, RIGHTARG = app.code, COMMUTATOR = OPERATOR(app.=), MERGES);
    CREATE OPERATOR app.>= (FUNCTION = app.code_ge, LEFTARG = app.code, RIGHTARG = app.code);
    CREATE OPERATOR app.> (FUNCTION = app.code_gt, LEFTARG = app.code, RIGHTARG = app.code);
    CREATE OPERATOR CLASS app.code_ops DEFAULT FOR TYPE app.code USING btree AS
        OPERATOR 1 app.<, OPERATOR 2 app.<=, OPERATOR 3 app.=, OPERATOR 4 app.>=, OPERATOR 5 app.>, FUNCTION 1 app.code_cmp(app.code, app.code);
    CREATE TABLE app.film (
        code app.code(3) PRIMARY KEY, title lib.citext, rating app.rating DEFAULT 'G', release app.year, made app.year[], sku app.sku
    );
    INSERT INTO app.film VALUES
        ('a01', 'One', 'G', 2001, '{2000,2001}', 'x'), ('b02', 'Two', 'PG', 2002, NULL, 'Y'), ('c03', 'Three', 'G', 2003, '{}', 'z');
"""
SPEC = """
name: film
schema: app
managed: {managed}
primary_key: code
fields: {{code: {code}, title: citext, rating: rating, release: {release}, made: "{made}[]", sku: sku}}
patterns:
  - name: batch_operations
    operation: rate_films
    update_data: {{rating: :rating, release: :release}}
    where_condition: "title = :title AND sku >= :least AND rating <> ALL(:not_rated)"
  - name: batch_operations
    operation: rate_codes
    update_data: {{rating: :rating}}
    where_condition: "code = ANY(:codes)"
  - name: batch_operations
    operation: put_films
    operation_type: upsert
    upsert_data: {{code: :item.code, title: :item.title, rating: :item.rating, release: :item.release, made: :item.made, sku: :item.sku}}
    conflict_target: code
    data_source: :records
  - name: batch_operations
    operation: load_films
    operation_type: insert
    data_source: csv_file
    field_mapping: {{code: code, title: title, rating: rating, release: release, made: made, sku: sku}}
"""
FILE = """code,title,rating,release,made,sku
f06,Six,PG,2001,"{1999,2000}",six
g07,Seven,XXX,2001,{},seven
h08,Eight,G,1066,{},eight
i09,Nine,G,,,nine
"""
RECORDS = """
    [{"code": "b02", "title": "Two", "rating": "NC-17", "release": 1999, "made": [1998], "sku": "q"},
     {"code": "d04", "title": "Four", "rating": "R", "release": 1999, "made": [1998], "sku": "r"},
     {"code": "e05", "title": "Five", "rating": "PG", "release": 2000, "made": null, "sku": "s"}]
"""
PROJECT = "schema: app\nsearch_path: [app, lib]\n"


def specgen(project: Path, dsn: str, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [*arguments, "--project", str(project), "--database-url", dsn])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("domains", [True, False])
def test_types_without_a_schema_are_found_where_the_project_searches(
    tmp_path: Path, database: str, *, domains: bool, managed: bool
) -> None:
    execute(database, SETUP.replace("app.film", "app.former") if managed else SETUP)
    (tmp_path / "entities").mkdir()
    (tmp_path / "specgen.yaml").write_text(PROJECT, encoding="utf-8")
    kinds = {"release": "year", "made": "year"} if domains else {"release": "integer", "made": "app.year"}
    spec = SPEC.format(managed=str(managed).lower(), code="code(3)", **kinds)
    (tmp_path / "entities" / "film.yaml").write_text(spec, encoding="utf-8")
    assert specgen(tmp_path, database, "validate") == (0, "1 entity, 4 operations: valid\n", "")
    assert specgen(tmp_path, database, "deploy")[0] == 0
    if managed:
        execute(database, "INSERT INTO app.film SELECT * FROM app.former")

    def ran(operation: str, *arguments: str) -> Any:
        code, out, err = specgen(tmp_path, database, "run", operation, "--json", *arguments)
        assert code in (0, 1), err
        counts = json.loads(out)["accounting"]
        return [counts[name] for name in ("total", "processed", "skipped", "failed")]

    given = (
        "-p",
        "rating=PG",
        "-p",
        "release=1950",
        "-p",
        "title=ONE",
        "-p",
        "least=A",
        "-p",
        "not_rated=NC-17",
    )
    assert ran("rate_films", *given) == [1, 1, 0, 0]
    assert ran("rate_films", "--once", *given) == [1, 1, 0, 0]
    assert ran("rate_codes", "-p", "rating=NC-17", "-p", "codes=a01", "-p", "codes=nope") == [2, 1, 1, 0]
    assert ran("put_films", "-p", f"records={RECORDS}") == [3, 2, 0, 1]
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT code::text, rating::text, release FROM app.film ORDER BY 1"
        ).fetchall()
    assert rows == [("a01", "NC-17", 1950), ("b02", "NC-17", 1999), ("c03", "G", 2003), ("e05", "PG", 2000)]

    (tmp_path / "films.csv").write_text(FILE, encoding="utf-8")
    kept = 3 if managed and not domains else 2
    assert ran("load_films", "--input", str(tmp_path / "films.csv")) == [4, kept, 0, 4 - kept]

    code, _, err = specgen(tmp_path, database, "run", "rate_codes", "-p", "rating=R", "-p", "codes=a01")
    assert code == 2
    assert 'invalid input value for enum app.rating: "R"' in err
