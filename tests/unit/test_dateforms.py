"""Forms of dates: what they take, and what they refuse."""

from __future__ import annotations

import pytest

from specgen.dateforms import BadForm, Dates, Unreadable, ambiguous, date_form, dates_of, datetime_form

DATES = [
    ("DD/MM/YYYY", "12/8/2012", "2012-08-12"),
    ("DD/MM/YYYY", " 01/02/0099 ", "0099-02-01"),
    ("MM-DD-YY", "12-08-69", "2069-12-08"),
    ("DD.MM.YY", "1.2.70", "1970-02-01"),
    ("YYYYMMDD", "20120812", "2012-08-12"),
    ("YYYY-MM-DD", "2012-8-1", "2012-08-01"),
]
TIMES = [
    ("DD/MM/YYYY HH24:MI", "12/8/2012 4:05", "2012-08-12 04:05:00"),
    ("DD/MM/YYYY HH12:MI:SS AM", "12/8/2012 12:00:09 pm", "2012-08-12 12:00:09"),
    ("YYYYMMDDHH24MISS", "20120812040509", "2012-08-12 04:05:09"),
    ("MM/DD/YYYY HH24:MI:SS.USOF", "8/12/2012 04:05:09.123456+02:00", "2012-08-12 04:05:09.123456+02:00"),
]


@pytest.mark.parametrize(("form", "text", "iso"), DATES)
def test_a_date_is_read_as_its_form_says(form: str, text: str, iso: str) -> None:
    assert date_form(form).iso(text) == iso


@pytest.mark.parametrize(("form", "text", "iso"), TIMES)
def test_a_timestamp_is_read_as_its_form_says(form: str, text: str, iso: str) -> None:
    assert datetime_form(form).iso(text) == iso


@pytest.mark.parametrize(
    "text",
    ["", "12/8/12", "12-8-2012", "12/8/2012 10:00", "12/8/20123", "a12/8/2012", "31/2/2012", "0/1/2012", "1/13/2012",
     "1/1/0000", "infinity", "\u0661/2/2012"],
)  # fmt: skip
def test_nothing_else_is_a_date_of_the_form(text: str) -> None:
    with pytest.raises(Unreadable):
        date_form("DD/MM/YYYY").iso(text)


@pytest.mark.parametrize("text", ["1/2/2012 25:00", "1/2/2012 10:60", "1/2/2012", "1/2/2012 10:00 PM"])
def test_nothing_else_is_a_time_of_the_form(text: str) -> None:
    with pytest.raises(Unreadable):
        datetime_form("DD/MM/YYYY HH24:MI").iso(text)


def test_a_time_may_follow_where_it_is_left_to_postgresql() -> None:
    assert date_form("DD/MM/YYYY", before_time=True).iso("1/2/2012 10:00 PM") == "2012-02-01 10:00 PM"
    with pytest.raises(Unreadable):
        date_form("DD/MM/YYYY", before_time=True).iso("1/2/2012x")


@pytest.mark.parametrize(
    "form", ["DD/MM", "DD/DD/YYYY", "DD/MM/YYYY HH24", "dd/mm/yyyy", "DD Mon YYYY", "YY YYYY MM DD"]
)
def test_a_form_that_says_no_date_is_refused(form: str) -> None:
    with pytest.raises(BadForm):
        date_form(form)


@pytest.mark.parametrize(
    "form", ["DD/MM/YYYY", "DD/MM/YYYY HH12:MI", "DD/MM/YYYY HH24:MI AM", "DD/MM/YYYY HH24"]
)
def test_a_form_that_says_no_time_is_refused(form: str) -> None:
    with pytest.raises(BadForm):
        datetime_form(form)


@pytest.mark.parametrize("text", ["12/8/2012", "1-2-2013 14:30", " 3.4.12", "01/02/03"])
def test_a_date_whose_day_and_month_can_change_places_is_seen(text: str) -> None:
    assert ambiguous(text)


@pytest.mark.parametrize(
    "text",
    ["25/12/2012", "12/25/2012", "8/8/2012", "2012-08-12", "12/8", "12/8-2012", "1.2.3.4", "12/8/20123"],
)
def test_other_dates_and_texts_are_not(text: str) -> None:
    assert not ambiguous(text)


@pytest.mark.parametrize(
    "value",
    [
        "{2012-08-12,12/8/2012}", '{"25/12/2012","12/8/2012 10:00"}', "[12/8/2012,)", '{["12.8.2012 10:00",)}', "(1,12/8/2012)",
        ["2012-08-12", None, "12/8/2012"], [["12/8/2012"]], {"from": "12/8/2012"}, [{"days": "{12/8/2012}"}],
    ],
)  # fmt: skip
def test_dates_inside_of_a_value_are_seen(value: object) -> None:
    assert ambiguous(value, inside=True)
    assert not ambiguous(value)


@pytest.mark.parametrize(
    "value",
    [
        "{2012-08-12,25/12/2012}",
        "[2012-8-12 10:00,)",
        "{8/8/2012}",
        "{1.12.8.2012}",
        [5, None, True],
        {},
        None,
    ],
)
def test_other_things_inside_of_a_value_are_not(value: object) -> None:
    assert not ambiguous(value, inside=True)


@pytest.mark.parametrize(
    ("kind", "dates"),
    [
        ("date", Dates(timed=False)),
        ("timestamptz(3)", Dates(timed=True)),
        ("timestamp(3) without time zone", Dates(timed=True)),
        ("date[]", Dates(timed=False, inside=True)),
        ("timestamp without time zone[]", Dates(timed=True, inside=True)),
        ("daterange", Dates(timed=False, inside=True)),
        ("tsmultirange[]", Dates(timed=True, inside=True)),
        ("tstzrange", Dates(timed=True, inside=True)),
        ("time", None),
        ("int4range", None),
        ("app.date", None),
        ("text", None),
    ],
)
def test_types_are_known_by_the_dates_in_their_values(kind: str, dates: Dates | None) -> None:
    assert dates_of(kind) == dates
