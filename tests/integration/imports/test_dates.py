"""Dates with the day or the month first: read as the spec says, and never swapped without a word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Shop

SOLD = "to_char(sold_at AT TIME ZONE current_setting('TimeZone'), 'YYYY-MM-DD HH24:MI')"


def dates(shop: Shop) -> list[object]:
    return shop.rows(f'SELECT name, made_on::text, {SOLD} FROM product ORDER BY name COLLATE "C"')


@pytest.mark.parametrize("style", ["ISO, MDY", "SQL, DMY", "German, YMD"])
def test_a_form_reads_the_day_first_whatever_the_session_would_do(shop: Shop, style: str) -> None:
    with shop.set("DateStyle", style):
        file = shop.write(
            "in.csv", "name,price,made,sold\nA,1,12/8/2012,1/2/2013 14:30\nB,1,25/12/2012,\nC,1,,\n"
        )
        code, _, err = shop.run("import_british", "--input", str(file))
    assert code == 0, err
    assert "warning" not in err
    assert dates(shop) == [
        ("A", "2012-08-12", "2013-02-01 14:30"),
        ("B", "2012-12-25", None),
        ("C", None, None),
    ]


def test_a_date_in_another_form_costs_its_record_and_is_named(shop: Shop) -> None:
    text = "name,price,made,sold\nA,1,2012-08-12,\nB,1,12/31/2012,\nC,1,31/12/2012,31.12.2012 10:00\nD,1,1/2/2012,\n"
    file = shop.write("in.csv", text)
    code, _, _ = shop.run("import_british", "--input", str(file), "--reject-file", "rejects.csv")
    assert code == 1
    assert shop.account == ("completed_with_errors", 4, 1, 0, 3)
    assert shop.errors == [
        (2, "22007", "made_on", "2012-08-12", False),
        (3, "22008", "made_on", "12/31/2012", False),
        (4, "22007", "sold_at", "31.12.2012 10:00", False),
    ]
    assert shop.rows("SELECT error_message FROM batch_operation_errors ORDER BY record_number") == [
        'made_on: "2012-08-12" is not written as DD/MM/YYYY',
        'made_on: "12/31/2012", read as DD/MM/YYYY, is no date',
        'sold_at: "31.12.2012 10:00" is not written as DD/MM/YYYY',
    ]
    assert (shop.folder / "rejects.csv").read_text().splitlines() == text.splitlines()[:4]


def test_timestamps_have_a_form_of_their_own(shop: Shop) -> None:
    file = shop.write(
        "in.csv", "name,price,made,sold\nA,1,08/12/12,08/12/2012 12:05 AM\nB,1,8/2/99,1/31/2013 1:00 pm\n"
    )
    assert shop.run("import_american", "--input", str(file))[0] == 0
    assert dates(shop) == [("A", "2012-08-12", "2012-08-12 00:05"), ("B", "1999-08-02", "2013-01-31 13:00")]


@pytest.mark.parametrize("extra", [[], ["--once"], ["--dry-run"]])
def test_dates_that_can_be_read_in_two_ways_are_told_once_a_column(shop: Shop, extra: list[str]) -> None:
    text = "name,price,made,sold\nA,1,2012-08-12,\n\nB,1,25/12/2012,\nC,1,12/8/2012,2/1/2013 14:30\nD,1,11/8/2012,\n"
    _, _, err = shop.run("import_as_it_comes", "--input", str(shop.write("in.csv", text)), *extra)
    assert [line for line in err.splitlines() if "first" in line or "csv_date" in line] == [
        'warning: made_on, line 5: "12/8/2012" can have the day or the month first; the session\'s DateStyle decides',
        'warning: sold_at, line 5: "2/1/2013 14:30" can have the day or the month first; the session\'s DateStyle decides',
        "   help: in the spec: csv_date_format: DD/MM/YYYY",
    ]


@pytest.mark.parametrize("name", ["in.json", "in.jsonl"])
def test_dates_of_json_and_of_parameters_are_told_too(shop: Shop, name: str) -> None:
    record = '{"name": "A", "price": 1, "made_on": "12/8/2012"}'
    file = shop.write(name, f"[{record}]" if Path(name).suffix == ".json" else record)
    _, _, err = shop.run("add_made", "--input", str(file), "-p", "since=3/4/2012 10:00")
    assert 'warning: made_on, line 1: "12/8/2012" can have' in err
    assert 'warning: parameter since: "3/4/2012 10:00" can have' in err
    assert "help: write dates as YYYY-MM-DD" in err


def test_dates_that_mean_one_thing_are_not_warned_of(shop: Shop) -> None:
    text = 'name,price,made,sold\nA,1,8/8/2012,2012-08-12 14:30\nB,1,"Aug 12, 2012",2012/08/12\n'
    _, _, err = shop.run("import_as_it_comes", "--input", str(shop.write("in.csv", text)))
    assert "warning" not in err
