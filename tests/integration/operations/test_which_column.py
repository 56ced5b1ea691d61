"""A failed record names the columns of the operation's own table, and the values they had in it."""

from __future__ import annotations

import pytest

from .lab import CALL, HOW, Lab, counts, entity, records

SPEC = (
    entity(
        "name: staff\nmanaged: false\nfields: {id: integer, badge: string, chief: integer, home: integer}",
        "operation: dismiss, operation_type: delete, where_condition: id > 0",
        'operation: dismiss_these, operation_type: delete, where_condition: "id = ANY(:ids)"',
        "operation: dismiss_listed, operation_type: delete, data_source: :records, match_on: [id]",
        "operation: hire, operation_type: insert, data_source: :records, insert_data: "
        "{id: :item.id, badge: :item.badge, chief: :item.chief, home: :item.home}",
        "operation: rebadge, operation_type: update, update_data: {badge: {sql: badge || '!'}}, where_condition: id > 0",
        "operation: promote, operation_type: update, update_data: {chief: -1}, where_condition: id > 0",
    )
    + "---\n"
    + entity(
        "name: reading\nmanaged: false\nfields: {id: integer, day: date, amount: integer, note: string}",
        "operation: read_meters, operation_type: insert, data_source: :records, insert_data: "
        "{id: :item.id, day: :item.day, amount: :item.amount, note: :item.note}",
    )
    + "---\n"
    + entity(
        "name: roster\nmanaged: false\nprimary_key: [number]\nfields: {number: integer, badge: string}",
        "operation: strike, operation_type: delete, where_condition: number > 0",
        "operation: enrol, operation_type: insert, data_source: :records, insert_data: "
        "{number: :item.number, badge: :item.badge}",
    )
)
BEFORE = """
    CREATE TABLE place (id integer PRIMARY KEY);
    CREATE TABLE staff (
        id integer PRIMARY KEY, badge text, chief integer REFERENCES staff, home integer REFERENCES place,
        CONSTRAINT badge_free UNIQUE (badge)
    );
    CREATE TABLE locker (number integer PRIMARY KEY, owner_badge text REFERENCES staff (badge), id text DEFAULT 'no');
    CREATE TABLE diary (entry integer PRIMARY KEY, note text NOT NULL);
    CREATE TABLE reading (id integer, day date, amount integer CHECK (amount >= 0), note text)
        PARTITION BY RANGE (day);
    CREATE TABLE reading_2026 PARTITION OF reading (PRIMARY KEY (id)) FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    ALTER TABLE reading_2026 ALTER COLUMN note SET NOT NULL;
    CREATE VIEW roster AS SELECT id AS number, badge FROM staff;
    INSERT INTO staff VALUES (1, 'a', NULL, NULL), (2, 'b', 1, NULL);
    INSERT INTO locker VALUES (7, 'b');
    INSERT INTO reading VALUES (1, '2026-05-01', 1, 'x');
"""
OURS = "column_name, value, constraint_name"


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, "", BEFORE)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("operation", "given"),
    [("dismiss", []), ("dismiss_these", [[1, 2]]), ("dismiss_listed", [records({"id": 1}, {"id": 2})])],
)
def test_a_delete_that_a_foreign_key_refuses_names_the_referenced_column(
    lab: Lab, how: str, operation: str, given: list[object]
) -> None:
    result = lab.run(operation, *given, how=how)
    assert counts(result)[3] == 2
    # A list of records holds no badge to tell.
    badge = None if operation == "dismiss_listed" else "b"
    assert lab.errors(result, OURS) == [
        ("id", "1", "staff_chief_fkey"),
        ("badge", badge, "locker_owner_badge_fkey"),
    ]


def test_of_a_table_that_references_itself_the_end_that_was_hurt_is_named(lab: Lab) -> None:
    lab.do("DELETE FROM locker")
    assert lab.errors(lab.run("dismiss_these", [1]), OURS) == [("id", "1", "staff_chief_fkey")]
    assert lab.errors(lab.run("promote"), OURS)[0] == ("chief", None, "staff_chief_fkey")
    hired = lab.run("hire", records({"id": 5, "badge": "e", "chief": 99}, {"id": 6, "badge": "f", "home": 9}))
    assert lab.errors(hired, OURS) == [("chief", "99", "staff_chief_fkey"), ("home", "9", "staff_home_fkey")]


def test_a_change_of_what_others_reference_names_the_referenced_column(lab: Lab) -> None:
    assert lab.errors(lab.run("rebadge"), OURS) == [("badge", "b", "locker_owner_badge_fkey")]


def test_a_violation_in_a_table_that_a_trigger_writes_names_no_column_of_this_one(lab: Lab) -> None:
    lab.do(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO public.diary VALUES (NEW.id, NULL); RETURN NEW; END $$;"
        " CREATE TRIGGER note BEFORE INSERT ON staff FOR EACH ROW EXECUTE FUNCTION note()"
    )
    result = lab.run("hire", records({"id": 5, "badge": "e"}))
    assert lab.errors(result, f"{OURS}, sqlstate") == [(None, None, None, "23502")]


def test_a_violation_in_a_partition_names_the_column(lab: Lab) -> None:
    day = "2026-07-01"
    result = lab.run(
        "read_meters",
        records(
            {"id": 2, "day": day, "amount": -1, "note": "x"},
            {"id": 1, "day": day, "amount": 1, "note": "x"},
            {"id": 3, "day": day, "amount": 1},
        ),
    )
    assert lab.errors(result, OURS) == [
        ("amount", "-1", "reading_amount_check"),
        ("id", "1", "reading_2026_pkey"),
        ("note", None, None),
    ]


def test_a_violation_behind_a_view_names_a_column_that_the_view_has(lab: Lab) -> None:
    result = lab.run("enrol", records({"number": 9, "badge": "a"}, {"number": 1, "badge": "z"}))
    assert lab.errors(result, OURS) == [("badge", "a", "badge_free"), (None, None, "staff_pkey")]
    assert lab.errors(lab.run("strike"), OURS) == [
        (None, None, "staff_chief_fkey"),
        ("badge", "b", "locker_owner_badge_fkey"),
    ]


def test_a_violation_is_told_in_the_columns_of_a_unique_index_without_those_it_only_holds(lab: Lab) -> None:
    lab.do(
        "ALTER TABLE staff DROP CONSTRAINT badge_free CASCADE; CREATE UNIQUE INDEX one_badge ON staff (badge) INCLUDE (home)"
    )
    result = lab.run("hire", records({"id": 5, "badge": "a"}), how=CALL)
    assert lab.errors(result, OURS) == [("badge", "a", "one_badge")]
