"""A hospital and its ledger: composite keys, deferred constraints, ranges, collations, row-level security."""

from __future__ import annotations

from hashlib import md5

from .twin import Case, Realm

STAY = "md5('stay {}')::uuid"
RIGHTS = """
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk_a;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO clerk_a;
"""

CASES = (
    Case(
        "add_beds",
        ("UPDATE clinic.ward SET beds = beds + 3 WHERE ward_code >= 'W2' AND ward_code < 'W31'",),
        {"more": 3},
    ),
    Case(
        "put_wards",
        (
            "UPDATE clinic.ward SET title = 'New', beds = 1 WHERE ward_code = 'W3'",
            "INSERT INTO clinic.ward VALUES ('w3', 'Small', 0)",
        ),
        file="code,title,beds\nW3,New,1\nw3,Small,0\nW03,,1\nW4,x,-1\nW3,Again,1\n",
        account=(2, 0, 3),
        errors=(("23502", "title"), ("23514", "beds"), ("21000", "ward_code")),
    ),
    Case(
        "close_wards",
        (
            "DELETE FROM clinic.ward WHERE ward_code IN ('W21', 'W30', 'w3')",
            "DELETE FROM clinic.ward WHERE ward_code = 'W1'",
        ),
        {"codes": ["W21", "W30", "w3", "W1", "w9", "W99"]},
        account=(3, 2, 1),
    ),
    Case(
        "double_doses",
        (
            "UPDATE clinic.drug SET dose = dose * 2, codes = ARRAY['11111111-2222-3333-4444-555555555555'::uuid] || codes"
            " WHERE grams >= 1.5 AND name > 'B'",
        ),
        {"code": "11111111-2222-3333-4444-555555555555"},
    ),
    Case(
        "put_drugs",
        (
            "UPDATE clinic.drug SET dose = '1 day', grams = 0.5, codes = '{}' WHERE name = 'zink 1'",
            "INSERT INTO clinic.drug VALUES ('Ibuprofén', '1 mon -1 day', 1e-20, NULL)",
        ),
        file=[
            {"name": "ZINK 1", "dose": "P1D", "grams": 0.5, "codes": []},
            {"name": "zink 1", "dose": "P2D", "grams": 1},
            {"name": "Ibuprofén", "dose": "P1M-1D", "grams": "0.00000000000000000001"},
            {"name": "IBUPROFEN", "dose": "1 day", "grams": 2},
            {"name": "x", "dose": "two days"},
            {"name": "y", "codes": ["no uuid"]},
        ],
        account=(2, 0, 4),
        icu=True,
    ),
    Case(
        "move_patients",
        (
            "UPDATE clinic.patient SET ward_code = 'W7', notes = jsonb_build_array('a < b & c')"
            " WHERE address <<= '10.0.1.0/24' AND age IS NULL",
        ),
        {"ward": "W7", "note": "a < b & c"},
        kept="""
            SELECT jsonb_build_object('country', country, 'number', number, 'ward_code', 'W7') FROM clinic.patient
             WHERE address <<= '10.0.1.0/24' AND age IS NULL ORDER BY country, number
        """,
    ),
    Case("move_patients", parameters={"ward": "W999", "note": ""}),
    Case(
        "bury",
        (
            "UPDATE clinic.patient SET died = '2024-02-29' WHERE (country, number) = ('AT', 1)",
            "UPDATE clinic.patient SET died = NULL WHERE (country, number) = ('AT', 10)",
        ),
        file="country,number,died\nAT,1,2024-02-29\nAT,10,\nAT,2,2024-01-01\nDE,3,1900-01-01\nDE,6,2023-02-29\n"
        "AT,1,2024-01-01\nat,4,2024-01-01\n",
        account=(2, 2, 3),
        errors=(("23514", "died, born"), ("22008", "died"), ("21000", "country, number")),
    ),
    Case(
        "old_patients",
        parameters={"age": "80 years"},
        kept="""
            SELECT jsonb_build_object('name', name, 'age', age, 'address', address) FROM clinic.patient
             WHERE age > '80 years' ORDER BY country, number
        """,
    ),
    Case(
        "forget_patients",
        ("DELETE FROM clinic.patient WHERE (country, number) IN (('DE', 3), ('CH', 2))",),
        file=[
            {"country": "DE", "number": 3},
            {"country": "CH", "number": "2"},
            {"country": "CH", "number": 3},
        ],
        account=(2, 1, 0),
    ),
    # The records of a batch are tried together, and what is refused is tried in order.
    Case(
        "admit",
        (
            "INSERT INTO clinic.stay (stay_id, country, number, ward_code, bed, during)"
            " VALUES (gen_random_uuid(), 'DE', 6, 'W2', 99, '[2025-01-01Z,2025-01-03Z)')",
            "INSERT INTO clinic.stay (stay_id, country, number, ward_code, bed, during)"
            " VALUES (gen_random_uuid(), 'DE', 9, 'W2', 99, '[2025-01-03Z,)')",
        ),
        file=[
            {"country": "DE", "number": 6, "ward": "W2", "bed": 99, "during": "[2025-01-01Z,2025-01-03Z)"},
            {"country": "DE", "number": 9, "ward": "W2", "bed": 99, "during": "[2025-01-03Z,)"},
            {"country": "DE", "number": 12, "ward": "W2", "bed": 99, "during": "[2026-01-03Z,2026-01-04Z]"},
            {"country": "DE", "number": 6, "ward": "W2", "bed": 98, "during": "[2025-01-02Z,2025-01-03Z)"},
            {"country": "DE", "number": 15, "ward": "W2", "bed": 97, "during": "empty"},
            {"country": "DE", "number": 15, "ward": "W2", "bed": 97, "during": "[2025-01-03Z,2025-01-02Z]"},
            {"country": "DE", "number": 1, "ward": "W2", "bed": 97, "during": "[2025-01-03Z,2025-01-04Z]"},
        ],
        account=(2, 0, 5),
        errors=(
            ("23P01", "bed, ward_code, during"),
            ("23P01", "country, number, during"),
            ("23514", "during"),
            ("22000", "during"),
            ("23503", "country, number"),
        ),
    ),
    Case(
        "prolong",
        (
            "UPDATE clinic.stay SET during = tstzrange(lower(during), upper(during) + interval '7 days') WHERE bed = 3",
        ),
        {"by": "7 days", "bed": 3},
    ),
    Case(
        "close_stays",
        (f"UPDATE clinic.stay SET closed = true WHERE stay_id = {STAY.format(5)}",),
        {
            "ids": [md5(f"stay {n}".encode()).hexdigest() for n in (5, 150, 9999)],
            "in": "[2024-01-01Z,2024-01-03Z]",
        },
    ),
    Case("shift_places", ("UPDATE clinic.staff SET place = place + 1",)),
    Case(
        "hire",
        (
            r"INSERT INTO clinic.staff (badge, boss_id, place, name, shifts) VALUES ('\xabcd', 1003, 500, 'New', '{[1,3),[7,8]}')",
            r"INSERT INTO clinic.staff (badge, boss_id, place, name, shifts) VALUES ('\xabce', NULL, 501, 'Newer', '{}')",
        ),
        file=[
            {"badge": "\\xabcd", "boss": 1003, "place": 500, "name": "New", "shifts": "{[1,3),[7,8]}"},
            {"badge": "\\xabce", "place": 501, "name": "Newer", "shifts": "{}"},
            {"badge": "\\xABCD", "place": 502, "name": "Same badge", "shifts": "{}"},
            {"badge": "\\xabcf", "place": 500, "name": "Same place", "shifts": "{}"},
            {"badge": "\\xabd0", "place": 503, "boss": 99999, "name": "No boss", "shifts": "{}"},
            {"badge": "\\xabd1", "place": 504, "name": "No shifts", "shifts": "{[3,1)}"},
        ],
        account=(2, 0, 4),
        errors=(("23505", "badge"), ("23505", "place"), ("23503", "boss_id"), ("22000", "shifts")),
    ),
    Case(
        "badges",
        (r"UPDATE clinic.staff SET name = 'Renamed' WHERE badge = '\xabcd'",),
        file=[{"badge": "\\xABCD", "name": "Renamed"}, {"badge": "\\xff", "name": "Nobody"}],
        account=(1, 1, 0),
    ),
    Case(
        "rest",
        ("UPDATE clinic.pulse SET beats = beats - 10 WHERE taken_at >= '2024-04-30 05:00'",),
        {"since": "2024-04-30 05:00"},
    ),
    Case(
        "charge",
        ("UPDATE ledger.account SET balance = balance - 0.0001 WHERE closed IS NULL",),
        {"fee": "0.0001"},
    ),
    Case("charge", (), {"fee": "700"}, account=(0, 0, 80)),
    Case(
        "open_accounts",
        (
            "INSERT INTO ledger.account (path, owner, limits, closed) VALUES ('b.1', 'Owner 1', '[0,)', '2024-05-01'),"
            " ('b.2', 'New owner', NULL, NULL)",
        ),
        file='path,owner,limits,closed\nb.1,Owner 1,"[0,)",2024-05-01\nb.2,New owner,,\nb.3,Owner 1,"[0,1]",\nb.4,X,"[1,2]",\n'
        'a.1,Y,,\nb.5,New owner,,\nb.6,Z,"[2,1]",\n',
        account=(2, 0, 5),
        errors=(
            ("23505", "owner"),
            ("23514", "limits, balance"),
            ("23505", "path"),
            ("23505", "owner"),
            ("22000", "limits"),
        ),
    ),
    Case(
        "book_transfers",
        (
            "SELECT ledger.transfer('2024-06-01', 1, 'a.1', 'a.2', 10)",
            "SELECT ledger.transfer('2024-06-01', 2, 'a.3', 'a.2', 5.5)",
        ),
        {
            "records": [
                {"booked_on": "2024-06-01", "serial": 1, "from": "a.1", "to": "a.2", "amount": 10},
                {"booked_on": "2024-06-01", "serial": 2, "from": "a.3", "to": "a.2", "amount": 5.5},
                {"booked_on": "2024-06-01", "serial": 2, "from": "a.3", "to": "a.2", "amount": 5.5},
                {"booked_on": "2024-06-01", "serial": 3, "from": "a.3", "to": "nobody", "amount": 5.5},
                {"booked_on": "2024-06-01", "serial": 4, "from": "a.3", "to": "a.4", "amount": 0},
                {"booked_on": "2024-06-01", "serial": 5, "from": "a.3", "to": "a.4", "amount": 600},
            ]
        },
        account=(2, 0, 4),
    ),
    # One line of two cannot be raised without the other: each is tried alone, and refused.
    Case(
        "find_debits",
        parameters={"days": "[2024-06-01,2024-07-01)"},
        kept="""
            SELECT jsonb_build_object('debit', debit) FROM ledger.entry
             WHERE debit > 4 AND booked_on >= '2024-06-01' ORDER BY booked_on, serial, line
        """,
    ),
    Case(
        "raise_entries",
        ("UPDATE ledger.entry SET amount = amount * 3 WHERE booked_on = '2024-01-05'",),
        {"day": "2024-01-05"},
    ),
    Case(
        "pay_claims",
        (
            "UPDATE ledger.claim SET amount = amount * 2, state = 'checked' WHERE claim_id <= 100 AND amount < 500",
        ),
        {"last": 100},
        account=(35, 10, 15),
        errors=(("42501", None),) * 15,
        role="clerk_a",
    ),
    Case(
        "put_claims",
        (
            "UPDATE ledger.claim SET amount = 12.5 WHERE claim_id = 4",
            "INSERT INTO ledger.claim VALUES (1000, 'clerk_a', 1)",
        ),
        file=[
            {"claim_id": 4, "clerk": "clerk_a", "amount": 12.5},
            {"claim_id": 1000, "clerk": "clerk_a", "amount": 1},
            {"claim_id": 1001, "clerk": "clerk_b", "amount": 1},
            {"claim_id": 3, "clerk": "clerk_a", "amount": 1},
            {"claim_id": 6, "clerk": "clerk_a", "amount": 1000},
        ],
        role="clerk_a",
        account=(2, 0, 3),
        errors=(("42501", None),) * 3,
    ),
    Case(
        "drop_claims",
        ("DELETE FROM ledger.claim WHERE claim_id BETWEEN 1 AND 30",),
        {"ids": [*range(1, 31)]},
        role="clerk_a",
        account=(15, 15, 0),
    ),
    Case("dismiss", ("DELETE FROM clinic.staff WHERE place BETWEEN 80 AND 200",), {"first": 80, "last": 200}),
)

REALM = Realm(
    "clinic",
    CASES,
    interrupted=Case(
        "move_patients",
        (
            "UPDATE clinic.patient SET ward_code = 'W7', notes = jsonb_build_array('moved')"
            " WHERE address <<= '10.0.1.0/24' AND age IS NULL",
        ),
        {"ward": "W7", "note": "moved"},
    ),
    lock="SELECT FROM clinic.patient WHERE number = 153 FOR UPDATE",
    uncounted=frozenset({"clinic.stay.stay_id", "clinic.staff.staff_id"}),
    rights=RIGHTS,
)
