"""Keys on their way as texts: whatever a session writes times like, they are the keys of the same rows."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import CALL, SUBMIT, entity

TABLE = (
    "CREATE DOMAIN moment AS timestamptz; CREATE TABLE event (k {type} PRIMARY KEY, n integer, done boolean);"
)
ROWS = """
    INSERT INTO event
    SELECT {value}, n, false
      FROM generate_series(1, 20) AS n
     CROSS JOIN LATERAL (SELECT timestamptz '{start}' + n * interval '30 minutes' AS at) AS begun
"""
TYPES = {
    "public.moment": "at",
    "tstzrange": "tstzrange(at, at + interval '1 hour')",
    "timestamptz[]": "ARRAY[at, at + interval '1 hour']",
}
HOW = (CALL, SUBMIT)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("start", ["2024-01-02 00:00+00", "1890-01-02 00:00+00"])
@pytest.mark.parametrize("type_", TYPES)
def test_the_rows_that_are_meant_are_written_under_any_datestyle(
    lab_of: Any, type_: str, start: str, how: str
) -> None:
    array = type_.endswith("[]")
    operations = [
        "operation: finish, operation_type: update, update_data: {done: true}, where_condition: 'n > 0', batch_size: 3"
    ]
    if not array:
        operations.append(
            "operation: drop_some, operation_type: delete, where_condition: 'k = ANY(:ids)', batch_size: 3"
        )
    lab = lab_of(
        entity(
            f"name: event\nmanaged: false\nfields: {{k: '{type_}', n: integer, done: boolean}}\nprimary_key: k",
            *operations,
        ),
        before=TABLE.format(type=type_) + ROWS.format(value=TYPES[type_], start=start),
    )
    lab.do("SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kolkata'")
    assert done(lab, "finish", "", how) == (20, 20)
    assert lab.rows("SELECT n FROM event WHERE NOT done") == []
    if not array:
        assert done(lab, "drop_some", "(SELECT array_agg(k) FROM event WHERE n <= 6)", how) == (6, 6)
        assert lab.rows("SELECT n FROM event ORDER BY n") == list(range(7, 21))


def done(lab: Any, operation: str, argument: str, how: str) -> tuple[int, int]:
    """How many records there were, and how many were processed; nothing else of the result is read."""
    if how == CALL:
        query = f"SELECT total_records, processed_records FROM {operation}({argument})"
        return tuple(lab.rows(query)[0])
    operation_id = lab.one(f"SELECT {operation}_submit({argument})")
    lab.work(operation_id)
    query = "SELECT total_records, processed_records FROM batch_operations WHERE operation_id = %s"
    return tuple(lab.rows(query, operation_id)[0])


@pytest.mark.parametrize("how", HOW)
def test_a_cast_to_text_of_the_types_own_moves_no_key(lab_of: Any, how: str) -> None:
    before = """
        CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd');
        CREATE FUNCTION label(mood) RETURNS text IMMUTABLE LANGUAGE sql
            AS $$ SELECT (ARRAY['b', 'c', 'd', 'a'])[array_position(enum_range(NULL::mood), $1)] $$;
        CREATE CAST (mood AS text) WITH FUNCTION label(mood);
        CREATE TABLE person (k mood PRIMARY KEY, n integer);
        INSERT INTO person VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4);
    """
    lab = lab_of(
        entity(
            "name: person\nmanaged: false\nfields: {k: public.mood, n: integer}\nprimary_key: k",
            "operation: count_up, operation_type: update, update_data: {n: 0}, where_condition: 'n > 2', batch_size: 1",
            "operation: drop_some, operation_type: delete, where_condition: 'k = ANY(:ids)'",
        ),
        before=before,
    )
    assert done(lab, "count_up", "", how) == (2, 2)
    assert lab.rows("SELECT k::varchar FROM person WHERE n = 0 ORDER BY k") == ["c", "d"]
    assert done(lab, "drop_some", "ARRAY['a']::mood[]", how) == (1, 1)
    assert lab.rows("SELECT n FROM person ORDER BY k") == [2, 0, 0]
