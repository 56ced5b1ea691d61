-- A hospital and its ledger: composite keys of several types, deferred constraints, ranges that must not overlap,
-- keys under an ICU collation, row-level security, inheritance, trees, and numbers that have to balance.

DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['clerk_a', 'clerk_b'] LOOP
        IF to_regrole(v_role) IS NULL THEN
            EXECUTE format('CREATE ROLE %I', v_role);
        END IF;
    END LOOP;
END $$;

CREATE SCHEMA clinic;
CREATE SCHEMA ledger;
CREATE EXTENSION btree_gist SCHEMA public;

-- Case and accents make no difference; "W9" comes before "W10". A server without ICU has neither.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
        CREATE COLLATION clinic.by_letters (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
        CREATE COLLATION clinic.numeric_order (provider = icu, locale = 'en-u-kn-true');
    ELSE
        CREATE COLLATION clinic.by_letters FROM "C";
        CREATE COLLATION clinic.numeric_order FROM "C";
    END IF;
END $$;

CREATE TABLE clinic.ward (
    ward_code text COLLATE clinic.numeric_order PRIMARY KEY,
    title     text NOT NULL,
    beds      integer NOT NULL CHECK (beds >= 0),
    floor     smallint
);

CREATE TABLE clinic.drug (
    name  text COLLATE clinic.by_letters PRIMARY KEY,
    dose  interval,
    grams numeric,
    codes uuid[]
);

CREATE TABLE clinic.patient (
    country char(2),
    number  bigint CHECK (number > 0),
    name    text NOT NULL,
    born    date NOT NULL CHECK (born > '1900-01-01'),
    died    date,
    age     interval GENERATED ALWAYS AS (justify_days((died - born) * interval '1 day')) STORED,
    address inet,
    ward_code text COLLATE clinic.numeric_order REFERENCES clinic.ward ON UPDATE CASCADE ON DELETE SET NULL,
    notes   jsonb,
    PRIMARY KEY (country, number),
    CONSTRAINT "born before death" CHECK (died >= born)
);

CREATE INDEX ON clinic.patient (ward_code);

-- Nobody lies in two beds, and no bed holds two.
CREATE TABLE clinic.stay (
    stay_id  uuid PRIMARY KEY,
    country  char(2) NOT NULL,
    number   bigint NOT NULL,
    ward_code text COLLATE clinic.numeric_order NOT NULL REFERENCES clinic.ward,
    bed      integer NOT NULL,
    during   tstzrange NOT NULL CHECK (NOT isempty(during)),
    closed   boolean NOT NULL DEFAULT false,
    FOREIGN KEY (country, number) REFERENCES clinic.patient ON DELETE CASCADE,
    CONSTRAINT "one bed, one patient" EXCLUDE USING gist (bed WITH =, ward_code WITH =, during WITH &&),
    CONSTRAINT "one patient, one bed" EXCLUDE USING gist (country WITH =, number WITH =, during WITH &&)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ON clinic.stay (ward_code);

-- A tree whose order is checked when all is done.
CREATE TABLE clinic.staff (
    staff_id  bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000) PRIMARY KEY,
    badge     bytea NOT NULL UNIQUE,
    boss_id   bigint REFERENCES clinic.staff DEFERRABLE INITIALLY DEFERRED,
    place     integer NOT NULL,
    name      text NOT NULL,
    shifts    int4multirange NOT NULL DEFAULT '{}',
    CONSTRAINT places UNIQUE (place) DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX ON clinic.staff (boss_id);

-- What is measured, by kind: a table with children.
CREATE TABLE clinic.measure (
    taken_at timestamp NOT NULL,
    device   macaddr NOT NULL,
    value    double precision,
    PRIMARY KEY (taken_at, device)
);
CREATE TABLE clinic.pulse (beats smallint, PRIMARY KEY (taken_at, device)) INHERITS (clinic.measure);

CREATE TABLE ledger.account (
    path    text PRIMARY KEY,
    owner   text NOT NULL,
    balance numeric(20,4) NOT NULL DEFAULT 0,
    limits  numrange,
    opened  date NOT NULL DEFAULT '2024-01-01',
    closed  date,
    CHECK (limits @> balance)
);
CREATE UNIQUE INDEX "one open account an owner" ON ledger.account (owner) WHERE closed IS NULL;

CREATE TABLE ledger.journal (
    booked_on date,
    serial    integer,
    title     text,
    PRIMARY KEY (booked_on, serial)
);

CREATE TABLE ledger.entry (
    booked_on date,
    serial    integer,
    line      smallint,
    path      text NOT NULL REFERENCES ledger.account,
    amount    numeric(20,4) NOT NULL CHECK (amount <> 0),
    debit     numeric(20,4) GENERATED ALWAYS AS (greatest(amount, 0)) STORED,
    PRIMARY KEY (booked_on, serial, line),
    FOREIGN KEY (booked_on, serial) REFERENCES ledger.journal DEFERRABLE INITIALLY DEFERRED
);

-- Every journal entry balances when the transaction ends.
CREATE FUNCTION ledger.check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_sum numeric;
BEGIN
    SELECT sum(amount) INTO v_sum FROM ledger.entry WHERE (booked_on, serial) = (NEW.booked_on, NEW.serial);
    IF v_sum <> 0 THEN
        RAISE EXCEPTION 'journal % % is out of balance by %', NEW.booked_on, NEW.serial, v_sum
            USING ERRCODE = 'check_violation', TABLE = 'entry', SCHEMA = 'ledger', COLUMN = 'amount';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER check_balance AFTER INSERT OR UPDATE ON ledger.entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.check_balance();

CREATE FUNCTION ledger.book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ledger.account SET balance = balance + NEW.amount - CASE tg_op WHEN 'UPDATE' THEN OLD.amount ELSE 0 END
     WHERE path = NEW.path;
    RETURN NULL;
END $$;
CREATE TRIGGER book AFTER INSERT OR UPDATE OF amount ON ledger.entry FOR EACH ROW EXECUTE FUNCTION ledger.book();

CREATE FUNCTION ledger.transfer(booked_on date, serial integer, from_path text, to_path text, amount numeric)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO ledger.entry (booked_on, serial, line, path, amount)
    VALUES ($1, $2, 1, from_path, -$5), ($1, $2, 2, to_path, $5);
    INSERT INTO ledger.journal VALUES ($1, $2, 'transfer');
END;

-- A clerk sees and writes what is theirs.
CREATE TABLE ledger.claim (
    claim_id integer PRIMARY KEY,
    clerk    name NOT NULL,
    amount   numeric(12,2) NOT NULL,
    state    text NOT NULL DEFAULT 'new'
);
ALTER TABLE ledger.claim ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ledger.claim USING (clerk = current_user) WITH CHECK (clerk = current_user AND amount < 1000);
CREATE POLICY read_paid ON ledger.claim FOR SELECT USING (state = 'paid');
GRANT USAGE ON SCHEMA ledger TO clerk_a, clerk_b;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.claim TO clerk_a, clerk_b;

INSERT INTO clinic.ward SELECT 'W' || n, 'Ward ' || n, n % 12, n / 10 FROM generate_series(1, 40) AS n;
INSERT INTO clinic.drug SELECT (ARRAY['Äther', 'Zink', 'aspirin', 'Çelik'])[n % 4 + 1] || ' ' || n, n * interval '90 min', n / 8.0
  FROM generate_series(1, 60) AS n;
INSERT INTO clinic.patient (country, number, name, born, died, address, ward_code)
SELECT (ARRAY['DE', 'AT', 'CH'])[n % 3 + 1], n, 'Patient ' || n, date '1930-01-01' + n * 61,
       CASE WHEN n % 10 = 0 THEN date '2023-01-01' + n END, ('10.0.' || n % 4 || '.' || n % 250)::inet, 'W' || n % 40 + 1
  FROM generate_series(1, 300) AS n;
INSERT INTO clinic.stay
SELECT md5('stay ' || n)::uuid, (ARRAY['DE', 'AT', 'CH'])[n % 3 + 1], n, 'W' || n % 20 + 1, n / 20 + 1,
       tstzrange(timestamptz '2024-01-01Z' + n * interval '3 hours', timestamptz '2024-01-02Z' + n * interval '3 hours')
  FROM generate_series(1, 200) AS n;
INSERT INTO clinic.staff (badge, boss_id, place, name)
SELECT decode(md5('badge ' || n), 'hex'), CASE WHEN n > 1 THEN 1000 + n / 2 - 1 END, n, 'Nurse ' || n FROM generate_series(1, 120) AS n;
INSERT INTO clinic.measure SELECT timestamp '2024-03-31 00:00' + n * interval '10 min', '08:00:2b:01:02:03', n FROM generate_series(1, 60) AS n;
INSERT INTO clinic.pulse SELECT timestamp '2024-04-30 00:00' + n * interval '10 min', '08:00:2b:01:02:03', n, 60 + n FROM generate_series(1, 60) AS n;
INSERT INTO ledger.account SELECT 'a.' || n, 'Owner ' || n, 100, numrange(-500, 5000) FROM generate_series(1, 80) AS n;
INSERT INTO ledger.journal SELECT date '2024-01-01' + n % 20, n, 'Entry ' || n FROM generate_series(1, 150) AS n;
INSERT INTO ledger.entry (booked_on, serial, line, path, amount)
SELECT date '2024-01-01' + n % 20, n, l, 'a.' || (n + l) % 80 + 1, CASE l WHEN 1 THEN -1.5 ELSE 1.5 END
  FROM generate_series(1, 150) AS n, generate_series(1, 2) AS l;
INSERT INTO ledger.claim SELECT n, (ARRAY['clerk_a', 'clerk_b'])[n % 2 + 1], n * 7, CASE WHEN n % 5 = 0 THEN 'paid' ELSE 'new' END
  FROM generate_series(1, 120) AS n;
ANALYZE;
