"""A video rental: domains, enums, arrays, partitions, triggers, and views that can be written to."""

from __future__ import annotations

from .twin import Case, Realm

FILMS = [
    {
        "title": "Film 1",
        "made": 2001,
        "rating": "adults only",
        "media": ["tape", "it's online"],
        "minutes": 90,
    },
    {"title": "Film 2", "made": 1800, "rating": "adults only", "media": [], "minutes": 90},
    {"title": "Film 3", "made": None, "rating": "18+", "media": [], "minutes": 90},
    {
        "title": "Film 4",
        "made": "1999",
        "rating": "adults only",
        "media": '{disc,"it\'s online"}',
        "minutes": None,
    },
    {"title": "Film 9", "made": 1999, "rating": "all", "media": [], "minutes": 9},
    {"title": "Film 14", "made": 1999, "rating": "adults only", "media": None, "minutes": 9},
    {"title": "No film", "made": 1999, "rating": "all", "media": [], "minutes": 9},
]
CSV = """\
Title;Year;Rating;Media;Features;Rate;Min.;Facts
New, film;2006;12+;"{tape,""it's online""}";"{""a b"",NULL}";2.99;90;"{""a"": [1, null]}"
Too old;1492;all;{tape};;1;90;{}
Unrated;2000;18+;{tape};;1;90;{}
Too long;2000;all;{tape};;1;600;{}
Owed;2000;all;{tape};;-1;90;{}
Film 10;1960;all;{tape};;1;90;{}
Dear;2000;all;{tape};;123456;90;{}
"Two
lines; one";;6+;{};{};0;;null
"""

CASES = (
    Case(
        "raise_rates",
        (
            "UPDATE video.film SET rate = rate * 1.1, features = array_append(features, 'dear')"
            " WHERE 'it''s online' = ANY (media) AND hours < 2",
        ),
        {"factor": 1.1},
    ),
    Case(
        "rate_adult",
        (
            """UPDATE video.film SET rating = '16+', facts = '{"why": ["by hand", null], "n": 1.5}'
            WHERE rating = '12+'""",
        ),
        {"rating": "12+"},
        account=(48, 0, 0),
    ),
    # A trigger refuses it.
    Case("rate_adult", (), {"rating": "adults only"}, account=(0, 0, 48), errors=(("23514", None),) * 48),
    Case(
        "rerate",
        (
            "UPDATE video.film SET rating = 'adults only', media = '{tape,it''s online}', made = made + 1"
            " WHERE rating = '16+' AND made >= 1990 AND NOT 'tape' = ANY (media)",
        ),
        {
            "from": "16+",
            "to": "adults only",
            "media": ["tape", "it's online"],
            "since": 1990,
            "without": "tape",
            "years": 1,
        },
    ),
    Case(
        "register",
        ("INSERT INTO video.person (person_id, name, mail, born) VALUES (900, 'Ü', 'a@b', '2000-02-29')",),
        {"number": 900, "name": "Ü", "mail": "a@b"},
        account=(1, 0, 0),
    ),
    Case(
        "drop_films",
        (
            "DELETE FROM video.film WHERE film_id BETWEEN 190 AND 230 AND NOT EXISTS"
            " (SELECT FROM video.copy WHERE copy.film_id = film.film_id)",
        ),
        {"ids": [*range(190, 231), 5000, 200, None]},
        account=(30, 3, 11),
    ),
    Case(
        "find_films",
        kept="""
        SELECT to_jsonb(f) FROM (
            SELECT film_id, title, hours, media, features, rating, words FROM video.film
             WHERE words @@ plainto_tsquery('simple', 'film 17') AND rating >= '12+') AS f
    """,
        parameters={"words": "film 17", "rating": "12+"},
    ),
    Case(
        "correct_films",
        (
            """UPDATE video.film SET made = 2001, rating = 'adults only', media = '{tape,it''s online}', minutes = 90
            WHERE title = 'Film 1'""",
            """UPDATE video.film SET made = 1999, rating = 'adults only', media = '{disc,it''s online}', minutes = NULL
            WHERE title = 'Film 4'""",
        ),
        file=FILMS,
        account=(2, 1, 4),
        errors=(("23514", "made"), ("22P02", "rating"), ("23514", None), ("23502", "media")),
    ),
    Case(
        "import_films",
        (
            """INSERT INTO video.film (title, made, rating, media, features, rate, minutes, facts) VALUES
            ('New, film', 2006, '12+', '{tape,it''s online}', '{"a b",NULL}', 2.99, 90, '{"a": [1, null]}')""",
            """INSERT INTO video.film (title, made, rating, media, features, rate, minutes, facts) VALUES
            (E'Two\\nlines; one', NULL, '6+', '{}', '{}', 0, NULL, 'null')""",
        ),
        file=CSV,
        account=(2, 5, 1),
    ),
    Case(
        "put_films",
        (
            "UPDATE video.film SET rate = 9 WHERE title = 'Film 20'",
            "INSERT INTO video.film (title, made, rate, minutes) VALUES ('Neu', 2000, 3, 1), ('Neu', 2001, 3, 7)",
        ),
        file=[
            {"title": "Film 20", "made": 1970, "rate": 9},
            {"title": "Neu", "made": 2000, "rate": "3.001"},
            {"title": "Neu", "made": 2001, "rate": 3, "minutes": 7},
            {"title": "Neu", "made": "2001", "rate": 4, "minutes": 7},
            {"title": "Neu", "made": 2002, "rate": -4, "minutes": 7},
            {"title": "", "made": 2003, "rate": 4},
        ],
        account=(3, 0, 3),
        errors=(("21000", "title, made"), ("23514", "rate"), ("23514", "title")),
    ),
    Case(
        "recast",
        (
            "UPDATE video.part SET role = 'x' WHERE (film_id, person_id) = (1, 19)",
            "INSERT INTO video.part VALUES (1, 1, 'new'), (2, 1, NULL)",
        ),
        file=[
            {"film": 1, "person": 19, "role": "x"},
            {"film": 1, "person": 1, "role": "new"},
            {"film": 2, "person": 1},
            {"film": 1, "person": 999, "role": "y"},
            {"film": 9999, "person": 1},
            {"film": None, "person": 1},
        ],
        account=(3, 0, 3),
        errors=(("23503", "person_id"), ("23503", "film_id"), ("23502", "film_id")),
    ),
    Case(
        "cut",
        (
            "DELETE FROM video.part WHERE film_id % 7 = 0 AND NOT EXISTS"
            " (SELECT FROM video.copy AS c WHERE c.film_id = part.film_id AND c.medium = 'tape')",
        ),
    ),
    Case(
        "take_photos",
        (
            r"UPDATE video.person SET photo = '\x00ff' WHERE person_id = 1",
            "UPDATE video.person SET photo = NULL WHERE person_id = 2",
        ),
        file="person_id,photo\n1,\\x00ff\n2,\n3,\\xzz\n9999,\\x00\n,\\x00\n",
        account=(2, 2, 1),
        errors=(("22023", "photo"),),
    ),
    Case(
        "lengthen", ("UPDATE video.family_film SET minutes = minutes + 60 WHERE minutes BETWEEN 90 AND 100",)
    ),
    Case(
        "put_family_films",
        (
            "UPDATE video.film SET rate = 7, rating = '12+' WHERE title = 'Film 20'",
            "INSERT INTO video.film (film_id, title, rating, rate) VALUES (9001, 'Put', 'all', 1)",
        ),
        file=[
            {"id": 20, "title": "Film 20", "rating": "12+", "rate": 7},
            {"id": 9001, "title": "Put", "rating": "all", "rate": 1},
            {"id": 21, "title": "Film 21", "rating": "16+", "rate": 7},
            {"id": 9002, "title": "Put no more", "rating": "adults only", "rate": 1},
        ],
        account=(2, 0, 2),
        errors=(("44000", None), ("44000", None)),
    ),
    Case(
        "write_cards",
        (
            "UPDATE video.person SET name = upper(name) WHERE person_id IN"
            " (SELECT person_id FROM video.part GROUP BY 1 HAVING count(*) > 5)",
        ),
    ),
    Case(
        "drop_cards",
        (
            "DELETE FROM video.person WHERE person_id BETWEEN 100 AND 120"
            "   AND NOT EXISTS (SELECT FROM video.part WHERE part.person_id = person.person_id)"
            "   AND NOT EXISTS (SELECT FROM video.rental WHERE rental.person_id = person.person_id)",
        ),
        {"ids": [*range(100, 121), 7777]},
    ),
    Case(
        "add_cards",
        ("INSERT INTO video.person (person_id, name, mail) VALUES (500, 'New', 'n@x'), (504, 'Ö', NULL)",),
        file="no,name,mail\n500,New,n@x\n501,No mail,nobody\n1,Double,\n502,,o@x\n503,Much too long a name for 30 letters,\n504,Ö,\n",
        account=(2, 0, 4),
        errors=(("23514", "mail"), ("23505", "person_id"), ("23502", "name"), ("22001", None)),
    ),
    Case(
        "take_back",
        (
            "UPDATE video.rental SET returned_at = rented_at + interval '2 days 03:00', paid = paid + 0.25"
            " WHERE returned_at IS NULL AND rented_at >= '2023-06-01Z'",
        ),
        {"span": "2 days 03:00", "since": "2023-06-01 00:00Z"},
    ),
    Case(
        "postpone",
        ("UPDATE video.rental SET paid = paid * 2 WHERE rental_id IN (3, 700)",),
        file=[
            {"rented_at": "2023-01-07T03:00:00Z", "rental_id": 3},
            {"rented_at": "2024-05-14 22:00+02", "rental_id": 700},
            {"rented_at": "2023-01-07T03:00:00Z", "rental_id": 4},
            {"rented_at": "soon", "rental_id": 3},
            {"rented_at": "2023-01-07T04:00:00+01", "rental_id": "3"},
        ],
        account=(2, 1, 2),
        errors=(("22007", "rented_at"), ("21000", "rented_at, rental_id")),
    ),
    Case(
        "rent_again",
        (
            "UPDATE video.rental SET paid = 77 WHERE rental_id = 5",
            "INSERT INTO video.rental (rental_id, copy_id, person_id, rented_at, paid)"
            " VALUES (90001, 'C-00001', 1, '2024-12-31 23:59:59.999999Z', 5)",
        ),
        file="rental_id,copy_id,person_id,rented_at,paid\n"
        "5,C-00009,1,2023-01-08 13:00Z,77\n90001,C-00001,1,2024-12-31 23:59:59.999999Z,5\n"
        "90002,C-00001,1,2025-01-01 00:00Z,5\n90003,C-99999,1,2024-01-01 00:00Z,5\n90004,C-00001,1,2024-01-01 00:00Z,99999\n",
        account=(2, 0, 3),
        errors=(("23514", None), ("23503", "copy_id"), ("22003", "paid")),
    ),
    Case("forget", ("DELETE FROM video.rental WHERE person_id = 17",), {"person": 17}),
    Case(
        "raise_tariffs",
        ("UPDATE video.tariff SET rate = rate + 0.5 WHERE rating > '6+' AND medium <> 'tape'",),
        {"above": "6+", "not": "tape"},
        account=(6, 0, 0),
    ),
    Case(
        "put_tariffs",
        (
            "UPDATE video.tariff SET rate = 8 WHERE (rating, medium) = ('all', 'it''s online')",
            "INSERT INTO video.tariff VALUES ('12+', 'tape', 2001, 3)",
        ),
        file=[
            {"rating": "all", "medium": "it's online", "since": 1999, "rate": 8},
            {"rating": "12+", "medium": "tape", "since": 2001, "rate": 3},
            {"rating": "12+", "medium": "tape", "since": "2001", "rate": 4},
            {"rating": "12+", "medium": "vinyl", "since": 2001, "rate": 4},
            {"rating": "12+", "medium": "tape", "since": 3001, "rate": 4},
        ],
        account=(2, 0, 3),
        errors=(("21000", "rating, medium, since"), ("22P02", "medium"), ("23514", "since")),
    ),
    # What is not given is what the table says, and its domains, not the spec.
    Case(
        "import_tariffs",
        ("DELETE FROM video.tariff WHERE false",),
        file="Rating,Medium\n6+,disc\n",
        account=(0, 0, 1),
        errors=(("23505", "rating, medium, since"),),
    ),
    Case(
        "buy",
        (
            "INSERT INTO video.copy (copy_id, film_id, medium) VALUES ('C-00301', 3, 'tape'), ('C-00302', 4, 'disc')",
        ),
        file=[
            {"film": 3, "medium": "tape"},
            {"film": 4, "medium": "disc"},
            {"film": 9999, "medium": "disc"},
            {"film": 4, "medium": "vinyl"},
        ],
        account=(2, 0, 2),
        errors=(("23503", "film_id"), ("22P02", "medium")),
    ),
    Case(
        "rent",
        (
            "INSERT INTO video.rental (copy_id, person_id, rented_at) VALUES ('C-00009', 5, '2024-07-01 10:00Z'),"
            " ('C-00008', 5, '2023-12-31 23:59:59.999999Z')",
        ),
        file=[
            {"copy": "C-00009", "person": 5, "at": "2024-07-01T10:00:00Z"},
            {"copy": "C-00008", "person": 5, "at": "2023-12-31 23:59:59.999999Z"},
            {"copy": "C-00008", "person": 5, "at": "2025-01-01Z"},
            {"copy": "C-00008", "person": 5, "at": None},
        ],
        account=(2, 0, 2),
        errors=(("23514", None), ("23514", None)),
    ),
    Case(
        "add_family_films",
        (
            "INSERT INTO video.film (title, rating, rate) VALUES ('For all', 'all', 1), ('For some', '12+', 0)",
        ),
        file=[
            {"title": "For all", "rating": "all", "rate": 1},
            {"title": "For few", "rating": "16+", "rate": 1},
            {"title": "For some", "rating": "12+", "rate": 0},
        ],
        account=(2, 0, 1),
        errors=(("44000", None),),
    ),
    Case(
        "list_out",
        kept="""
        SELECT to_jsonb(c) FROM (SELECT copy_id, medium FROM video.copy
         WHERE video.is_out(copy_id) AND medium IN ('tape', 'it''s online') ORDER BY copy_id) AS c
    """,
    ),
)

REALM = Realm(
    "rental",
    CASES,
    interrupted=Case(
        "take_back",
        (
            "UPDATE video.rental SET returned_at = rented_at + interval '1 day', paid = paid + 0.25 WHERE returned_at IS NULL",
        ),
        {"span": "1 day", "since": "2023-01-01Z"},
    ),
    lock="SELECT FROM video.rental WHERE rental_id = 450 FOR UPDATE",
    uncounted=frozenset(
        {"video.change.change_id", "video.film.film_id", "video.copy.copy_id", "video.rental.rental_id"}
    ),
)
