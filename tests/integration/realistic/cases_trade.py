"""A German trading company, whose every name is quoted."""

from __future__ import annotations

from .twin import Case, Realm

H = '"Handel & Söhne"'

FIRMS = '''\
Firma;Straße;PLZ;Umsatz (€);%;it's;Notiz
Müller & Söhne;Größe-Weg 1;01234;1234.50;5;d'accord;x
Kunde 3;Straße 3;01234;1;1;;
"zwei
Zeilen; ""Zitat""";;;0;;;
Ohne PLZ;Weg;1234;1;1;;
Schulden;Weg;12345;-0.01;1;;
Komma;Weg;12345;1,50;1;;
;Weg;12345;1;1;;
'''

CASES = (
    Case(
        "Kunden löschen",
        (
            rf"""UPDATE {H}."Kunde" SET "gelöscht?" = true, "name" = upper("Name") || 'ß', "Größe (m²)" = "order" / 7.0,
                 "a.b" = 'a.b', "100%" = "100%" + 2, "$1" = 'it''s "100%" {{0}} $1 \1', "it's" = 'it''s "100%" {{0}} $1 \1',
                 "back\slash" = 'c:\temp\n', "{{geschweift}}" = '{{0}} %s $1 "', "mit ""Anführung"" darin" = 'it''s',
                 ":doppelpunkt" = ':kein Parameter'
           WHERE "order" % 3 = 0""",
        ),
        {"um": 2, "Grund": 'it\'s "100%" {0} $1 \\1'},
        kept=f"""
        SELECT jsonb_build_object('Kunden-Nr', "Kunden-Nr", '$1', g, 'it''s', g, '100%', "100%" + 2,
                                  ':doppelpunkt', ':kein Parameter')
          FROM {H}."Kunde", (SELECT 'it''s "100%" {{0}} $1 \\1' AS g) AS g
         WHERE "order" % 3 = 0 ORDER BY "Kunden-Nr"
    """,
    ),
    Case(
        '"Kunden" lesen',
        (
            f"""INSERT INTO {H}."Kunde" ("Name", "Straße", "PLZ", "Umsatz in €", "100%", "it's")
            VALUES ('Müller & Söhne', 'Größe-Weg 1', '01234', 1234.50, 5, 'd''accord')""",
            f"""INSERT INTO {H}."Kunde" ("Name") VALUES (E'zwei\nZeilen; "Zitat"')""",
        ),
        file=FIRMS,
        encoding="cp1252",
        account=(2, 2, 3),
    ),
    Case(
        "kunden_ändern",
        (f"""UPDATE {H}."Kunde" SET "Umsatz in €" = 10, "a.b" = 'groß' WHERE "Name" = 'Kunde 10'""",),
        file=[
            {"Name": "Kunde 10", "Straße": "Straße 3", "Betrag in €": "10.00", "Größe": "groß"},
            {"Name": "Kunde 10", "Straße": "Straße 4", "Betrag in €": 5, "Größe": "falsche Straße"},
            {"Name": "Kunde 95", "Straße": "Straße 4", "Betrag in €": 5, "Größe": "über 90 %"},
            {"Name": "Kunde 11", "Straße": "Straße 4", "Betrag in €": -5, "Größe": ""},
            {"Name": "Kunde 12", "Straße": "Straße 5", "Betrag in €": "1,5", "Größe": ""},
        ],
        account=(1, 2, 2),
        errors=(("23514", "Umsatz in €"), ("22P02", "Betrag in €")),
    ),
    Case(
        "preise_erhöhen",
        (
            f"""UPDATE {H}."Artikel" SET "Preis" = "Preis" * (1 + 2.5 / 100), "Schlagworte" = "Schlagworte" || 'teurer'::text
             WHERE "Brutto" BETWEEN 10 AND 60.5 AND "Artikel-Nr" > 'Z'""",
        ),
        {"Prozent": 2.5, "von": 10, "bis": 60.5},
    ),
    Case(
        "artikel_setzen",
        (
            f"""UPDATE {H}."Artikel" SET "Bezeichnung" = 'Neues; "Ding"', "Preis" = 1.005, "Maße" = '{{"B": 3}}'
             WHERE "Artikel-Nr" = 'Z-1'""",
            f"""INSERT INTO {H}."Artikel" ("Artikel-Nr", "Bezeichnung", "Preis", "Maße", "seit")
            VALUES ('ñ''1', 'x', 2, '[]', '2024-02-29')""",
        ),
        file="nr\ttext\tpreis\tMaße (cm)\tseit\n"
        "Z-1\tNeues; \"Ding\"\t1.005\t{\"B\": 3}\t2024-01-01\n'ñ''1'\tx\t2\t[]\t2024-02-29\n"
        "Z-5\tfalsch\t2\t{B: 3}\t2024-01-01\nZ-9\tumsonst\t0\t{}\t2024-01-01\nZ-13\tTag\t1\t{}\t2023-02-29\n",
        account=(2, 0, 3),
        errors=(("22P02", "Maße (cm)"), ("23514", "Preis"), ("22008", "seit")),
    ),
    Case(
        "artikel_umbenennen",
        (
            f"""UPDATE {H}."Artikel" SET "Bezeichnung" = 'ü, "{{}}"' WHERE "Artikel-Nr" IN ('ä-4', '10%3', 'a/2')""",
        ),
        {"Größe": 'ü, "{}"', "Nummern": ["ä-4", "10%3", "a/2", "fehlt", ""]},
    ),
    Case(
        "artikel_suchen",
        parameters={"Wort": "Größe 2"},
        kept=f"""
        SELECT to_jsonb(a) FROM (SELECT "Artikel-Nr", "Brutto", "MwSt.", "Schlagworte" FROM {H}."Artikel"
         WHERE 'Größe 2' = ANY ("Schlagworte") ORDER BY "Artikel-Nr") AS a
    """,
    ),
    Case(
        "Aufträge erledigen",
        (
            f"""UPDATE {H}."Auftrag" SET "Status" = 'erledigt', "Verlauf" = array_append("Verlauf", "Status"), "user" = CURRENT_USER
             WHERE "Status" IN ('in Arbeit', 'zurück''gestellt') AND "Datum" < '2020-09-01'""",
        ),
        {"bis": "2020-09-01"},
    ),
    Case(
        "status_setzen",
        (
            f"""UPDATE {H}."Auftrag" SET "Status" = 'Größe: "XL"', "Zeit" = '24:00' WHERE ("Jahr", "Nummer") = (2021, 1)""",
            f"""UPDATE {H}."Auftrag" SET "Status" = 'zurück''gestellt', "Zeit" = NULL WHERE ("Jahr", "Nummer") = (2022, 2)""",
        ),
        file=[
            {"Jahr": 2021, "Nummer": 1, "Status": 'Größe: "XL"', "Zeit": "24:00"},
            {"Jahr": 2022, "Nummer": 2, "Status": "zurück'gestellt"},
            {"Jahr": 2020, "Nummer": 3, "Status": "zuruckgestellt"},
            {"Jahr": 2021, "Nummer": 2, "Status": "offen"},
            {"Jahr": 2021, "Nummer": 4, "Status": "offen", "Zeit": "25:00"},
            {"Jahr": 99999, "Nummer": 4, "Status": "offen"},
        ],
        account=(2, 1, 3),
        errors=(("22P02", "Status"), ("22008", "Zeit"), ("22003", "Jahr")),
    ),
    Case(
        "jahr_löschen",
        (f"""DELETE FROM {H}."Auftrag" WHERE "Jahr" = 2022 AND "Nummer" % 2 = 0""",),
        {"Jahr": 2022},
    ),
    Case(
        "rabatt",
        (
            f"""UPDATE {H}."Auftrags-Position" SET "Rabatt %" = coalesce("Rabatt %", 0) + 0.1 WHERE "Pos." > 1""",
        ),
    ),
    Case(
        "positionen_lesen",
        (
            f"""INSERT INTO {H}."Auftrags-Position" VALUES (2020, 3, 7, 'Z-1', 1.5), (2020, 3, 8, '10%3', -2)""",
        ),
        file="2020;3;7;Z-1;1.5\n2020;3;8;10%3;-2\n2020;3;9;Z-1;0\n2020;4;1;Z-1;1\n2020;3;1;Z-1;1\n2020;3;10;Z-9999;1\n2020;3;11;;1\n",
        account=(2, 0, 5),
        errors=(
            ("23514", "Menge"),
            ("23503", "Jahr, Nummer"),
            ("23505", "Jahr, Nummer, Pos."),
            ("23503", "Artikel-Nr"),
            ("23502", "Artikel-Nr"),
        ),
    ),
    Case(
        "umbuchen",
        (f"""UPDATE {H}."offene Aufträge" SET "Kunden-Nr" = 5 WHERE "Kunden-Nr" = 7""",),
        {"von": 7, "nach": 5},
    ),
    Case("umbuchen", parameters={"von": 5, "nach": 7777}),
    Case(
        "übergrößenzuschläge_außerhalb_der_üblichen_längen_erhöh",
        (
            f"""UPDATE {H}."Übergrößenzuschlagsäöüberwachungsäöüstammdatensätzeä"
               SET "Zuschlag für Übergrößen außerhalb der üblichen Längenä" = 1
             WHERE "Größenzuschlagsüberwachungsschlüsselnummernäöüäöüäö" > 3""",
        ),
    ),
    Case(
        "kunden_weg",
        (
            f"""DELETE FROM {H}."Kunde" WHERE "Kunden-Nr" <= 60
               AND NOT EXISTS (SELECT FROM {H}."Auftrag" WHERE "Kunde" = "Kunden-Nr")""",
        ),
        {"Nummern": [*range(61)]},
    ),
)

REALM = Realm(
    "trade",
    CASES,
    interrupted=Case(
        "Aufträge erledigen",
        (
            f"""UPDATE {H}."Auftrag" SET "Status" = 'erledigt', "Verlauf" = array_append("Verlauf", "Status"), "user" = CURRENT_USER
             WHERE "Status" IN ('in Arbeit', 'zurück''gestellt')""",
        ),
        {"bis": "2022-01-01"},
    ),
    lock=f'SELECT FROM {H}."Auftrag" WHERE "Nummer" = 201 FOR UPDATE',
    uncounted=frozenset({"Handel & Söhne.Kunde.Kunden-Nr"}),
)
