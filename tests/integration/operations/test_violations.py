"""What can be wrong with a record: exactly the failing ones are named, with what PostgreSQL says of them."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import HOW, Lab, audited, counts, entity, records

BEFORE = f"""
    CREATE EXTENSION btree_gist;
    CREATE TYPE color AS ENUM ('red', 'green');
    CREATE DOMAIN short AS text CHECK (length(VALUE) <= 3);
    CREATE DOMAIN given AS text NOT NULL;
    CREATE SCHEMA "Other";
    CREATE TABLE owner (id integer PRIMARY KEY);
    INSERT INTO owner SELECT generate_series(1, 5);
    CREATE TABLE "Other"."Odd Thing" (
        "Id" integer PRIMARY KEY,
        code varchar(5) UNIQUE,
        label text NOT NULL DEFAULT 'x',
        amount numeric(5, 2) CONSTRAINT "Amount positive" CHECK (amount > 0),
        color color,
        short short,
        small smallint,
        day date,
        span int4range,
        owner_id integer CONSTRAINT owner_known REFERENCES owner,
        late_id integer CONSTRAINT late_known REFERENCES owner DEFERRABLE INITIALLY DEFERRED,
        late_code text CONSTRAINT late_unique UNIQUE DEFERRABLE INITIALLY DEFERRED,
        tags integer[],
        data jsonb,
        doubled integer GENERATED ALWAYS AS (small * 2) STORED,
        quotient integer GENERATED ALWAYS AS (100 / (small + 1)) STORED,
        CONSTRAINT no_overlap EXCLUDE USING gist (span WITH &&)
    );
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.label = 'no' THEN
            RAISE EXCEPTION 'not this one' USING DETAIL = 'because', COLUMN = 'label', CONSTRAINT = 'manners';
        ELSIF NEW.label = 'code' THEN
            RAISE EXCEPTION 'odd code' USING ERRCODE = 'AB123';
        ELSIF NEW.label = 'loop' THEN
            RETURN NULL;
        ELSIF NEW.label = 'no data' THEN
            PERFORM 1 FROM public.owner WHERE id = 99;
            RAISE no_data_found;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON "Other"."Odd Thing" FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.label = 'late' THEN
            RAISE EXCEPTION 'too late';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT OR UPDATE ON "Other"."Odd Thing"
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_late();
    INSERT INTO "Other"."Odd Thing" ("Id", code, amount, span, late_code)
    VALUES (100, 'taken', 1, '[100,200)', 'taken');
    INSERT INTO "Other"."Odd Thing" ("Id", code)
    SELECT n, 'u' || n FROM generate_series(201, 210) AS n;
    {audited('"Other"."Odd Thing"', "Id")}
"""

COLUMNS = [
    *("code", "label", "amount", "color", "short", "small", "day", "span"),
    *("owner_id", "late_id", "late_code", "tags", "data"),
]
GIVEN = ", ".join(f"{name}: :item.{name}" for name in COLUMNS)
SPEC = entity(
    """
    name: odd
    schema: Other
    table: Odd Thing
    managed: false
    primary_key: Id
    fields:
      Id: integer
      code: varchar(5)
      label: {type: string, nullable: false}
      amount: decimal(5,2)
      color: public.color
      short: public.short
      small: smallint
      day: date
      span: int4range
      owner_id: integer
      late_id: integer
      late_code: string
      tags: "integer[]"
      data: jsonb
    """,
    f"operation: put, operation_type: insert, insert_data: {{Id: :item.Id, {GIVEN}}}, data_source: :records, batch_size: 8",
    f"operation: change, operation_type: update, update_data: {{{GIVEN}}}, data_source: :records, batch_size: 8",
    f"operation: place, operation_type: upsert, upsert_data: {{Id: :item.Id, {GIVEN}}}, conflict_target: Id, "
    "data_source: :records, batch_size: 8",
)

# What is wrong, the SQLSTATE, the constraint and the column that the error row must name.
WRONG: dict[str, tuple[dict[str, Any], str, str | None, str | None]] = {
    "check": ({"amount": -1}, "23514", "Amount positive", "amount"),
    "not null": ({"label": None}, "23502", None, "label"),
    "unique": ({"code": "taken"}, "23505", "Odd Thing_code_key", "code"),
    "foreign key": ({"owner_id": 99}, "23503", "owner_known", "owner_id"),
    "exclusion": ({"span": "[150,160)"}, "23P01", "no_overlap", "span"),
    "domain": ({"short": "long"}, "23514", "short_check", "short"),
    "enum": ({"color": "blue"}, "22P02", None, "color"),
    "too long": ({"code": "toolong"}, "22001", None, "code"),
    "numeric overflow": ({"amount": 1000}, "22003", None, "amount"),
    "integer overflow": ({"small": 40000}, "22003", None, "small"),
    "no number": ({"small": "ten"}, "22P02", None, "small"),
    "no date": ({"day": "2024-02-30"}, "22008", None, "day"),
    "no range": ({"span": "[9,1)"}, "22000", None, "span"),
    "no array": ({"tags": {"a": 1}}, "22P02", None, "tags"),
    "division by zero in a generated column": ({"small": -1}, "22012", None, None),
    "a trigger": ({"label": "no"}, "P0001", "manners", "label"),
    "a trigger's own code": ({"label": "code"}, "AB123", None, None),
    "a trigger's no data": ({"label": "no data"}, "P0002", None, None),
    "deferred foreign key": ({"late_id": 99}, "23503", "late_known", "late_id"),
    "deferred unique": ({"late_code": "taken"}, "23505", "late_unique", "late_code"),
    "deferred trigger": ({"label": "late"}, "P0001", None, None),
}  # fmt: skip


@pytest.fixture
def lab(copy_of) -> Lab:
    return copy_of(SPEC, "", BEFORE)


def good(n: int) -> dict[str, Any]:
    return {"Id": n, "label": "fine", "code": f"c{n}", "amount": 1}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["put", "change", "place"])
def test_every_kind_of_violation_names_its_record_and_spares_the_others(
    lab: Lab, operation: str, how: str
) -> None:
    first = 201 if operation == "change" else 1
    items = []
    for fault in WRONG.values():
        items += [good(first + len(items)), good(first + len(items) + 1) | fault[0]]
    if operation == "change":
        lab.do('INSERT INTO "Other"."Odd Thing" ("Id") SELECT generate_series(211, 250); DELETE FROM audit')

    result = lab.run(f'"Other".{operation}', records(*items), how=how)

    failed = [number for number in range(2, len(items) + 1, 2)]
    assert counts(result) == (len(items), len(items) - len(failed), 0, len(failed))
    assert sorted(map(int, lab.written())) == [
        item["Id"] for n, item in enumerate(items, 1) if n not in failed
    ]
    found = lab.errors(result, "record_number, sqlstate, constraint_name, column_name")
    assert dict(zip(WRONG, [row[1:] for row in found], strict=True)) == {
        name: (state, constraint, column) for name, (_, state, constraint, column) in WRONG.items()
    }
    assert [row[0] for row in found] == failed
    assert lab.errors(result, "failed_records") == [[items[n - 1]] for n in failed]
    assert lab.errors(result, "record_key") == [{"Id": items[n - 1]["Id"]} for n in failed]
    assert lab.errors(result, "batch_number") == [(n - 1) // 8 + 1 for n in failed]
    assert lab.errors(result, "error_message, detail")[15] == ("not this one", "because")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("operation", ["put", "change", "place"])
def test_what_is_no_object_fails_alone_and_blames_no_column(lab: Lab, operation: str, how: str) -> None:
    first = 201 if operation == "change" else 1
    items = [
        good(first),
        None,
        good(first + 1),
        5,
        "text",
        good(first + 2),
        [],
        [1],
        True,
        {},
        good(first + 3),
    ]

    result = lab.run(f'"Other".{operation}', records(*items), how=how)

    if operation == "change":
        assert counts(result) == (11, 4, 1, 6)  # {} has no key: it meets no row
    else:
        assert counts(result) == (11, 4, 0, 7)
    found = lab.errors(result, "record_number, sqlstate, column_name")
    assert [row[:2] for row in found if row[0] != 10] == [(n, "22023") for n in (2, 4, 5, 7, 8, 9)]
    assert {row[2] for row in found if row[0] != 10} == {None}
    assert lab.written() == [str(first + n) for n in range(4)]


@pytest.mark.parametrize("how", HOW)
def test_of_equals_within_a_batch_and_across_batches_the_first_is_written(lab: Lab, how: str) -> None:
    items = [good(n) for n in range(1, 31)]
    for first, second in ((1, 2), (3, 8), (5, 20), (5, 29)):
        items[second]["code"] = items[first]["code"]
    result = lab.run('"Other".put', records(*items), how=how)
    assert counts(result) == (30, 26, 0, 4)
    assert lab.errors(result, "record_number") == [3, 9, 21, 30]


@pytest.mark.parametrize("how", HOW)
def test_a_row_that_a_trigger_drops_is_skipped_not_processed(lab: Lab, how: str) -> None:
    result = lab.run(
        '"Other".put',
        records(*(good(n) | ({"label": "loop"} if n % 3 == 0 else {}) for n in range(1, 10))),
        how=how,
    )
    assert counts(result) == (9, 6, 3, 0)
    assert lab.written() == ["1", "2", "4", "5", "7", "8"]


def test_a_missing_field_is_null_and_kept_missing_in_the_error(lab: Lab) -> None:
    result = lab.run('"Other".put', records({"Id": 1, "label": "a"}, {"Id": 2}))
    assert counts(result) == (2, 1, 0, 1)
    assert lab.errors(result, "failed_records") == [[{"Id": 2}]]


def test_the_deferred_constraints_are_deferred_again_for_the_caller(lab: Lab) -> None:
    with lab.connection.transaction():
        lab.run('"Other".put', records(good(1), good(2) | {"late_id": 99}))
        lab.do('UPDATE "Other"."Odd Thing" SET late_id = 77 WHERE "Id" = 1')
        lab.do("INSERT INTO owner VALUES (77)")
    assert lab.one('SELECT late_id FROM "Other"."Odd Thing" WHERE "Id" = 1') == 77


def test_a_violation_that_the_caller_brought_is_not_blamed_on_a_record(lab: Lab) -> None:
    import psycopg

    with pytest.raises(psycopg.errors.ForeignKeyViolation), lab.connection.transaction():
        lab.do('UPDATE "Other"."Odd Thing" SET late_id = 77 WHERE "Id" = 100')
        lab.run('"Other".put', records(good(1)))
    assert lab.rows("SELECT count(*) FROM batch_operations") == [0]
