"""The generated tests pass on the generated SQL: samples and the mutants' project, on every version."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from specgen.plan.project import plan_project
from specgen.spec.build import load_project
from specgen.testing.environment import fill, preamble, rendered
from specgen.testing.lacking import Lacking
from specgen.testing.run import Wanted, plugin_arguments
from specgen.testing.run import tested as in_a_sandbox

if TYPE_CHECKING:
    from specgen.database.server import Server

ROOT = Path(__file__).parents[3]
MUTANTS = ROOT / "tests" / "mutation" / "project"
PROJECTS = [
    (root, name)
    for root, names in (
        (ROOT, ("user", "product", "order", "product_cache", "invoice")),
        (MUTANTS, ("account", "credit", "meter", "stock", "ticket")),
    )
    for name in names
]


def wanted(root: Path, name: str, *arguments: str) -> Wanted:
    project = load_project([], root=root).project
    assert project is not None
    plan = plan_project(project).plan
    assert plan is not None
    chosen = tuple(item for item in plan.entities if item.name == name)
    return Wanted(replace(plan, entities=chosen), project, arguments)


@pytest.mark.parametrize(("root", "name"), PROJECTS, ids=[name for _, name in PROJECTS])
def test_generated_tests_pass(postgres_server: Server, root: Path, name: str, capfd) -> None:
    code, _ = in_a_sandbox(postgres_server, wanted(root, name, "-p", "no:xdist"))
    printed = capfd.readouterr().out
    assert code == 0, printed
    assert " passed" in printed


OWN_TYPES = """
name: film
fields: {id: integer, title: citext, mood: mood, release: year}
patterns:
  - name: batch_operations
    operation: raise_mood
    update_data: {mood: :mood, release: :release}
    where_condition: "mood <> ALL(:not_moods) AND mood > :least"
  - name: batch_operations
    operation: put_films
    operation_type: insert
    insert_data: {title: :item.title, mood: :item.mood, release: :item.release}
    data_source: :records
"""
OWN_SETUP = """
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
CREATE DOMAIN year AS integer CHECK (value BETWEEN 1 AND 2155);
"""


def test_generated_tests_find_values_of_types_of_ones_own(
    postgres_server: Server, tmp_path: Path, capfd
) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "film.yaml").write_text(OWN_TYPES)
    (tmp_path / "setup.sql").write_text(OWN_SETUP)
    (tmp_path / "specgen.yaml").write_text("setup_sql: [setup.sql]\n")
    chosen = ("-k", "does_every_record or goes_on_after", "-p", "no:xdist")
    code, _ = in_a_sandbox(postgres_server, wanted(tmp_path, "film", *chosen))
    printed = capfd.readouterr().out
    assert code == 0, printed
    assert " passed" in printed


GUEST = """
name: guest
managed: false
fields: {id: bigint, email: {type: email_address, nullable: false, unique: true%s}, door: char(2)}
---
name: booking
managed: false
fields: {id: bigint, guest_email: {type: email_address, nullable: false}, nights: {type: integer, nullable: false}}
patterns:
  - name: batch_operations
    operation: add_bookings
    operation_type: insert
    insert_data: {guest_email: :item.guest_email, nights: :item.nights}
    data_source: :records
---
name: room
managed: false
primary_key: [building, number]
fields: {building: char(1), number: smallint, price: {type: decimal, nullable: false}, label: {type: text, nullable: false, examples: [AB]}}
patterns:
  - name: batch_operations
    operation: set_prices
    operation_type: upsert
    upsert_data: {building: :item.building, number: :item.number, price: :item.price, label: :item.label}
    conflict_target: [building, number]
    data_source: :records
"""
GUEST_SETUP = """
CREATE DOMAIN email_address AS text CHECK (VALUE %s);
CREATE TABLE guest (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email email_address NOT NULL UNIQUE,
    door char(2) NOT NULL UNIQUE
);
CREATE TABLE booking (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, nights integer NOT NULL CHECK (nights > 0),
    guest_email email_address NOT NULL REFERENCES guest (email)
);
CREATE TABLE room (
    building char(1), number smallint, price numeric NOT NULL, label text NOT NULL CHECK (label ~ '^[A-Z]{2}$'),
    PRIMARY KEY (building, number)
);
"""
LIKE, REGEX = "LIKE '%@%'", "~ '^[^@]+@[^@]+[.][a-z]+$'"


def hotel(root: Path, check: str, examples: str = "") -> None:
    (root / "entities").mkdir()
    (root / "entities" / "guest.yaml").write_text(GUEST % examples)
    (root / "setup.sql").write_text(GUEST_SETUP % check)
    (root / "specgen.yaml").write_text("setup_sql: [setup.sql]\n")


@pytest.mark.parametrize(
    ("name", "check", "examples"),
    [("booking", LIKE, ""), ("booking", REGEX, ", examples: [a@example.org]"), ("room", LIKE, "")],
)
def test_rows_are_made_up_of_domains_of_short_texts_and_of_examples(
    postgres_server: Server, tmp_path: Path, capfd, name: str, check: str, examples: str
) -> None:
    hotel(tmp_path, check, examples)
    chosen = ("-k", "does_every_record or goes_on_after or email_key", "-p", "no:xdist")
    code, _ = in_a_sandbox(postgres_server, wanted(tmp_path, name, *chosen))
    printed = capfd.readouterr().out
    assert code == 0, printed
    assert " passed" in printed


def test_a_value_that_nobody_knows_is_asked_for_once_and_before_the_tests(
    postgres_server: Server, tmp_path: Path, capfd
) -> None:
    hotel(tmp_path, REGEX)
    with pytest.raises(Lacking) as raised:
        in_a_sandbox(postgres_server, wanted(tmp_path, "booking", "-p", "no:xdist"))
    assert capfd.readouterr().out == ""
    message = "no value is known that the domain public.email_address takes for public.{}"
    found = [(item.code, item.message, item.span.start.line) for item in raised.value.findings]
    assert found == [
        ("no-example", message.format("booking.guest_email"), 8),
        ("no-example", message.format("guest.email"), 4),
    ]
    assert raised.value.findings[0].help == "give some at the field: examples: [...]"


def test_a_test_without_data_says_what_it_needs_and_no_traceback(
    postgres_server: Server, tmp_path: Path, capfd
) -> None:
    hotel(tmp_path, REGEX)
    tests = tmp_path / "tests" / "generated"
    tests.mkdir(parents=True)
    (tests / "conftest.py").write_text("# values may be given here, so nothing is known before\n")
    chosen = wanted(tmp_path, "booking", "-k", "does_every_record", "-p", "no:xdist")
    code, _ = in_a_sandbox(postgres_server, chosen)
    printed = capfd.readouterr().out
    assert code == 1
    assert "that the domain public.email_address takes for public.booking.guest_email; " in printed
    assert "entities/guest.yaml:8: examples: [...]" in printed
    assert "psycopg" not in printed


def test_a_failing_test_is_told_by_the_exit_code(postgres_server: Server, tmp_path: Path, capfd) -> None:
    report = tmp_path / "report.xml"
    broken = wanted(MUTANTS, "credit", "-x", f"--junit-xml={report}", "-p", "no:xdist")
    files = [
        (name, text.replace("v_written + v_rows", "v_written + 1")) for name, text in rendered(broken.project)
    ]

    code, _ = in_a_sandbox(postgres_server, replace(broken, files=tuple(files)))
    assert code == 1, capfd.readouterr().out
    assert "<failure" in report.read_text()


def test_tests_run_with_nothing_but_the_plugin(postgres_server: Server, tmp_path: Path) -> None:
    from specgen.testing.render import render_tests

    asked = wanted(MUTANTS, "credit")
    for item in render_tests(asked.plan, asked.project):
        (tmp_path / item.name).write_text(item.text)

    command = [sys.executable, "-m", "pytest", "-q", *plugin_arguments(), "-p", "no:xdist"]
    options = [f"--specgen-root={MUTANTS}", f"--specgen-database-url={postgres_server.dsn}"]
    done = subprocess.run(
        [*command, *options, "-k", "does_every_record", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_kept_stays_and_holds_everything(postgres_server: Server, capfd) -> None:
    import psycopg

    from specgen.database import databases

    asked = replace(wanted(MUTANTS, "credit", "-k", "context", "-p", "no:xdist"), keep=True)
    _, kept = in_a_sandbox(postgres_server, asked)
    assert kept is not None
    with psycopg.connect(kept) as connection:
        assert connection.execute("SELECT count(*) FROM app.credit").fetchone() == (0,)
    databases.drop_database(postgres_server, kept)


def test_sql_that_does_not_load_names_its_file(database: str) -> None:
    from specgen.errors import SpecgenError

    project = load_project([], root=MUTANTS).project
    assert project is not None
    assert preamble(project) == "SET search_path = app;\n"
    with pytest.raises(SpecgenError, match=r"broken\.sql"):
        fill(database, project, [("broken.sql", "SELECT nothing FROM nowhere")])
