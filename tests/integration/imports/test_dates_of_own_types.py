"""Dates of domains, in arrays, ranges and rows: read by the file's form, refused, or told, and never swapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from specgen.cli.main import main
from specgen.plan.project import plan_project
from specgen.render.engine import render_plan
from specgen.spec.build import load_project

from .conftest import Shop

if TYPE_CHECKING:
    from pathlib import Path

SETUP = """
CREATE SCHEMA app;
CREATE DOMAIN app.day AS date;
CREATE DOMAIN app.workday AS app.day CHECK (extract(isodow FROM value) < 8);
CREATE DOMAIN app.moment AS timestamptz(0);
CREATE DOMAIN app.days AS app.workday[];
CREATE TYPE app.period AS RANGE (subtype = app.day);
CREATE TYPE app.stay AS (room integer, since timestamp);
CREATE DOMAIN app.code AS text;
CREATE TABLE app.visit (
    id bigint PRIMARY KEY, day app.workday, moment app.moment, days app.days, list app.day[], period app.period,
    periods app.period_multirange, stay app.stay, code app.code, plain date[], span daterange
);
"""
SPEC = """
name: visit
schema: app
managed: false
fields: {id: bigint, day: app.workday, moment: app.moment, days: app.days, list: "app.day[]", period: app.period,
  periods: app.period_multirange, stay: app.stay, code: app.code, plain: "date[]", span: daterange}
patterns:
  - {name: batch_operations, operation: import_british, data_source: csv_file, csv_date_format: DD/MM/YYYY,
     field_mapping: {id: id, day: day, moment: moment, code: code}}
  - {name: batch_operations, operation: import_times, data_source: csv_file, csv_datetime_format: "DD/MM/YYYY HH24:MI",
     field_mapping: {id: id, day: day, moment: moment, list: list}}
  - {name: batch_operations, operation: import_as_it_comes, data_source: csv_file,
     field_mapping: {id: id, day: day, moment: moment, days: days, list: list, period: period, periods: periods,
                     stay: stay, code: code, plain: plain, span: span}}
  - {name: batch_operations, operation: add_visits, operation_type: insert, data_source: :records,
     insert_data: {id: :item.id, day: :item.day, days: :item.days, plain: :item.plain, span: :item.span, code: :item.code}}
  - {name: batch_operations, operation: import_spans, operation_type: insert, data_source: csv_file,
     csv_date_format: DD/MM/YYYY,
     field_mapping: {id: id}, insert_data: {span: {sql: "daterange(:item.since::date, :item.until::date)"}}}
  - name: batch_operations
    operation: add_in_steps
    steps:
      - {name: add, operation_type: insert, data_source: :visits, insert_data: {id: :item.id, day: :item.day}}
      - {name: close, operation_type: update, depends_on: add, update_data: {code: done}, where_condition: "code = :code"}
  - name: batch_operations
    operation: forget_visits
    operation_type: delete
    where_condition: "day = ANY(:some) OR span = :span OR period = :period OR code = :code"
"""


@pytest.fixture
def visits(postgres_server, new_database, template_of, tmp_path: Path) -> Shop:
    """A project over a table of its owner's types."""
    folder = tmp_path / "project"
    (folder / "entities").mkdir(parents=True)
    (folder / "entities" / "visit.yaml").write_text(SPEC, encoding="utf-8")

    def build(dsn: str) -> None:
        loaded = load_project([], root=folder)
        assert loaded.project, loaded.findings
        planned = plan_project(loaded.project)
        assert planned.plan, planned.findings
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SETUP.encode())
            for item in render_plan(planned.plan):
                connection.execute(item.text.encode())

    name = template_of(postgres_server, "dates_of_own_types", build)
    return Shop(new_database(postgres_server, name), folder)


def told(err: str) -> list[str]:
    """What is said to be ambiguous."""
    return [
        line.removeprefix("warning: ").partition(" can have")[0]
        for line in err.splitlines()
        if " can have" in line
    ]


def test_a_form_holds_for_domains_over_dates(visits: Shop) -> None:
    text = "id,day,moment,code\n1,12/8/2012,1/2/2013 14:30,1/2/2012\n2,2012-08-12,,\n3,,,\n"
    with visits.set("DateStyle", "ISO, MDY"):
        _, _, err = visits.run("import_british", "--input", str(visits.write("in.csv", text)))
    assert told(err) == []
    query = "SELECT id, day::text, to_char(moment, 'YYYY-MM-DD HH24:MI'), code FROM app.visit ORDER BY id"
    assert visits.rows(query) == [(1, "2012-08-12", "2013-02-01 14:30", "1/2/2012"), (3, None, None, None)]
    assert visits.errors == [(3, "22007", "day", "2012-08-12", False)]


def test_a_form_holds_for_the_bounds_of_a_range_in_columns_of_their_own(visits: Shop) -> None:
    file = visits.write("in.csv", "id,since,until\n1,1/2/2012,3/4/2012\n")
    code, _, err = visits.run("import_spans", "--input", str(file))
    assert code == 0, err
    assert visits.rows("SELECT span::text FROM app.visit") == ["[2012-02-01,2012-04-03)"]


def test_a_form_of_timestamps_leaves_dates_to_the_warning(visits: Shop) -> None:
    file = visits.write("in.csv", 'id,day,moment,list\n1,12/8/2012,1/2/2013 14:30,"{2012-01-02,3/4/2012}"\n')
    _, _, err = visits.run("import_times", "--input", str(file))
    assert told(err) == ['day, line 2: "12/8/2012"', 'list, line 2: "3/4/2012"']
    assert visits.rows("SELECT to_char(moment, 'YYYY-MM-DD HH24:MI') FROM app.visit") == ["2013-02-01 14:30"]


def test_dates_of_own_types_and_inside_of_values_are_told(visits: Shop) -> None:
    text = (
        "id,day,moment,days,list,period,periods,stay,code,plain,span\n"
        '1,1/2/12,1/3/2012 10:00,{1/4/2012},{1/5/2012},"[1/6/2012,)","{[1/7/2012,)}","(5,""1/8/2012 10:00"")",1/9/2012,'
        '{1/10/2012},"[1/11/2012,)"\n'
    )
    code, _, err = visits.run("import_as_it_comes", "--input", str(visits.write("in.csv", text)))
    assert code == 0, err
    columns = ["day", "moment", "days", "list", "period", "periods", "stay", "plain", "span"]
    assert [line.partition(",")[0] for line in told(err)] == columns


@pytest.mark.parametrize("name", ["in.json", "in.jsonl", ""])
def test_dates_of_json_are_told_wherever_it_is_from(visits: Shop, name: str) -> None:
    record = '{"id": 1, "day": "1/2/2012", "days": ["2012-02-01", "1/3/2012"], "plain": "{1/4/2012}", "span": "[2012-02-01,)", "code": "1/5/2012"}'
    if name:
        file = visits.write(name, f"[{record}]" if name == "in.json" else record)
        given, where = ("--input", str(file)), "{}, line 1"
    else:
        given, where = ("-p", f"records=[{record}]".replace("/", r"\/")), "parameter records, record 1, {}"
    code, _, err = visits.run("add_visits", *given)
    assert code == 0, err
    values = {"day": "1/2/2012", "days": "1/3/2012", "plain": "1/4/2012"}
    assert told(err) == [f'{where.format(field)}: "{value}"' for field, value in values.items()]
    assert "help: write dates as YYYY-MM-DD" in err


def test_parameters_of_own_types_and_ranges_are_told(visits: Shop) -> None:
    given = {
        "some": "{2012-01-02,1/2/2012}",
        "span": "[1/3/2012,)",
        "period": "[2012-01-02,)",
        "code": "1/4/2012",
    }
    _, _, err = visits.run(
        "forget_visits", *(part for name, value in given.items() for part in ("-p", f"{name}={value}"))
    )
    assert told(err) == ['parameter some: "1/2/2012"', 'parameter span: "1/3/2012"']


def test_records_of_a_step_are_told(visits: Shop) -> None:
    records = '[{"id": 1, "day": "2012-02-01"}, {"id": 2, "day": "1/2/2012"}]'
    code, _, err = visits.run("add_in_steps", "-p", f"visits={records}", "-p", "code=1/3/2012")
    assert code == 0, err
    assert told(err) == ['parameter visits, record 2, day: "1/2/2012"']


def test_a_form_that_would_not_hold_inside_of_a_value_is_refused_before_anything(visits: Shop) -> None:
    names = ("days", "list", "period", "periods", "stay")
    mapped = ", ".join(f"{name}: {name}" for name in names)
    spec = SPEC.replace("moment: moment, code: code", f"moment: moment, {mapped}")
    here = visits.folder / "entities" / "visit.yaml"
    here.write_text(
        spec.replace(
            "csv_date_format: DD/MM/YYYY,\n     field_mapping: {id: id, day",
            "\n     field_mapping: {id: id, day",
        )
    )
    deployed = CliRunner().invoke(
        main, ["deploy", "--database-url", visits.dsn, "--project", str(visits.folder)]
    )
    assert deployed.exit_code == 0, deployed.stderr
    here.write_text(spec, encoding="utf-8")
    file = visits.write("in.csv", f"id,day,moment,{','.join(names)}\n1,,,,,,,\n")
    kinds = "app.days", "app.day[]", "app.period", "app.period_multirange", "app.stay"
    refused = ", ".join(f"{name} ({kind})" for name, kind in zip(names, kinds, strict=True))
    code, _, err = visits.run("import_british", "--input", str(file))
    assert code == 2, err
    assert f"entities/visit.yaml:8: csv_date_format cannot hold for {refused}: " in err
    assert "nothing was imported" in err
    assert visits.rows("SELECT count(*) FROM batch_operations") == [0]
    checked = CliRunner().invoke(
        main, ["validate", "--database-url", visits.dsn, "--project", str(visits.folder)]
    )
    assert f"visit.yaml:8:41: error[wrong-mix]: csv_date_format cannot hold for {refused}: " in checked.stderr
