-- A German trading company: every name is quoted, mixed, or holds a character that SQL, YAML or a shell reads.

CREATE SCHEMA "Handel & Söhne";
SET search_path = "Handel & Söhne";

CREATE TYPE "Auftrags-Status" AS ENUM ('offen', 'in Arbeit', 'erledigt', 'zurück''gestellt', 'Größe: "XL"');
CREATE DOMAIN "PLZ" AS varchar(5) CHECK (VALUE ~ '^[0-9]{5}$');

CREATE TABLE "Kunde" (
    "Kunden-Nr"    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "Name"         varchar(40) NOT NULL,
    "name"         text,
    "Straße"       text,
    "PLZ"          "PLZ",
    "Umsatz in €"  numeric(12,2) NOT NULL DEFAULT 0,
    "gelöscht?"    boolean NOT NULL DEFAULT false,
    "order"        integer,
    "Größe (m²)"   double precision,
    "a.b"          text,
    "100%"         smallint,
    ":doppelpunkt" text,
    "$1"           text,
    "mit ""Anführung"" darin" text,
    "it's"         text,
    "back\slash"   text,
    "{geschweift}" text,
    CONSTRAINT "Name & Straße: je einmal" UNIQUE ("Name", "Straße"),
    CONSTRAINT "Umsatz >= 0 %" CHECK ("Umsatz in €" >= 0)
);

CREATE TABLE "Artikel" (
    "Artikel-Nr" text COLLATE "C" PRIMARY KEY,
    "Bezeichnung" text NOT NULL,
    "Preis"      numeric(10,2) NOT NULL CHECK ("Preis" > 0),
    "MwSt."      numeric(4,3) NOT NULL DEFAULT 0.19,
    "Brutto"     numeric(12,2) GENERATED ALWAYS AS (round("Preis" * (1 + "MwSt."), 2)) STORED,
    "Maße"       jsonb NOT NULL DEFAULT '{}',
    "Schlagworte" text[] NOT NULL DEFAULT '{}',
    "seit"       date
);

CREATE TABLE "Auftrag" (
    "Jahr"    smallint,
    "Nummer"  integer,
    "Kunde"   integer NOT NULL REFERENCES "Kunde",
    "Status"  "Auftrags-Status" NOT NULL DEFAULT 'offen',
    "Datum"   date NOT NULL,
    "Zeit"    time,
    "user"    name,
    "Verlauf" "Auftrags-Status"[],
    PRIMARY KEY ("Jahr", "Nummer")
);

CREATE INDEX "Aufträge eines Kunden" ON "Auftrag" ("Kunde");

CREATE TABLE "Auftrags-Position" (
    "Jahr"       smallint,
    "Nummer"     integer,
    "Pos."       smallint,
    "Artikel-Nr" text COLLATE "C" NOT NULL REFERENCES "Artikel" ON UPDATE CASCADE,
    "Menge"      numeric(9,3) NOT NULL CHECK ("Menge" <> 0),
    "Rabatt %"   real,
    PRIMARY KEY ("Jahr", "Nummer", "Pos."),
    FOREIGN KEY ("Jahr", "Nummer") REFERENCES "Auftrag" ON DELETE CASCADE ON UPDATE CASCADE
);

-- As long as names get, in letters of two bytes.
CREATE TABLE "Übergrößenzuschlagsäöüberwachungsäöüstammdatensätzeä" (
    "Größenzuschlagsüberwachungsschlüsselnummernäöüäöüäö" bigint PRIMARY KEY,
    "Zuschlag für Übergrößen außerhalb der üblichen Längenä" integer NOT NULL DEFAULT 0
);

CREATE VIEW "offene Aufträge" AS
SELECT "Jahr", "Nummer", "Kunde" AS "Kunden-Nr", "Status", "Datum" FROM "Auftrag" WHERE "Status" <> 'erledigt';

CREATE FUNCTION "Umsatz buchen"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW."Status" = 'erledigt' AND OLD."Status" <> 'erledigt' THEN
        UPDATE "Handel & Söhne"."Kunde" AS k
           SET "Umsatz in €" = "Umsatz in €" + coalesce((
                   SELECT sum(p."Menge" * a."Brutto")
                     FROM "Handel & Söhne"."Auftrags-Position" AS p
                     JOIN "Handel & Söhne"."Artikel" AS a USING ("Artikel-Nr")
                    WHERE (p."Jahr", p."Nummer") = (NEW."Jahr", NEW."Nummer")), 0)
         WHERE k."Kunden-Nr" = NEW."Kunde";
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER "Umsatz buchen" AFTER UPDATE ON "Auftrag" FOR EACH ROW EXECUTE FUNCTION "Umsatz buchen"();

INSERT INTO "Kunde" ("Name", "Straße", "PLZ", "order", "100%")
SELECT 'Kunde ' || n, 'Straße ' || n % 7, lpad((n * 37)::text, 5, '0'), n, n % 100 FROM generate_series(1, 150) AS n;
INSERT INTO "Artikel" ("Artikel-Nr", "Bezeichnung", "Preis", "MwSt.", "Schlagworte", "seit")
SELECT (ARRAY['ä-', 'Z-', 'a/', '10%'])[n % 4 + 1] || n, 'Ding ' || n, n * 1.11, CASE WHEN n % 3 = 0 THEN 0.07 ELSE 0.19 END,
       ARRAY['neu', 'Größe ' || n % 5], date '2020-01-31' + n
  FROM generate_series(1, 80) AS n;
INSERT INTO "Auftrag" ("Jahr", "Nummer", "Kunde", "Status", "Datum", "Zeit", "user")
SELECT 2020 + n % 3, n, n % 150 + 1, (enum_range(NULL::"Auftrags-Status"))[n % 5 + 1], date '2020-01-01' + n, '12:30', 'jörg'
  FROM generate_series(1, 400) AS n;
INSERT INTO "Auftrags-Position"
SELECT 2020 + n % 3, n, p, (ARRAY['ä-', 'Z-', 'a/', '10%'])[(n % 80 + 1) % 4 + 1] || (n % 80 + 1), p, CASE WHEN n % 2 = 0 THEN 5 END
  FROM generate_series(1, 400) AS n, generate_series(1, 3) AS p;
INSERT INTO "Übergrößenzuschlagsäöüberwachungsäöüstammdatensätzeä" SELECT n FROM generate_series(1, 30) AS n;
ANALYZE;
