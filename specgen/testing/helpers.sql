-- What generated tests use beside the operations; only ever loaded into databases made for tests.
CREATE SCHEMA specgen_test;

-- A value a little above or below another.
CREATE FUNCTION specgen_test.nearby(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE FUNCTION specgen_test.nearby(bigint, integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE FUNCTION specgen_test.nearby(numeric, integer) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE FUNCTION specgen_test.nearby(double precision, integer) RETURNS double precision LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE FUNCTION specgen_test.nearby(date, integer) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE FUNCTION specgen_test.nearby(timestamp, integer) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$SELECT $1 + $2 * interval '1 day'$$;
CREATE FUNCTION specgen_test.nearby(timestamptz, integer) RETURNS timestamptz LANGUAGE sql STABLE AS $$SELECT $1 + $2 * interval '1 day'$$;
CREATE FUNCTION specgen_test.nearby(interval, integer) RETURNS interval LANGUAGE sql IMMUTABLE AS $$SELECT $1 + $2 * interval '1 day'$$;
CREATE FUNCTION specgen_test.nearby(uuid, integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$SELECT lpad(to_hex($2 + 1), 32, '0')::uuid$$;
CREATE FUNCTION specgen_test.nearby(boolean, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT NOT $1';
CREATE FUNCTION specgen_test.nearby(text, integer) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$SELECT CASE WHEN $2 > 0 THEN $1 || 'a' ELSE left($1, -1) END$$;
CREATE FUNCTION specgen_test.nearby(anyenum, integer) RETURNS anyenum LANGUAGE sql IMMUTABLE
    AS 'SELECT CASE WHEN $2 > 0 THEN (enum_range($1, NULL))[2] ELSE (SELECT max(label) FROM unnest(enum_range(NULL, $1)) AS label WHERE label < $1) END';

-- What the spec says of columns: where, and the values that it gives as examples.
CREATE TABLE specgen_test.fields (relation regclass NOT NULL, field text NOT NULL, place text, examples text[] NOT NULL);

-- Records that a test wants refused, by a part of their content, and the trigger that refuses them.
CREATE TABLE specgen_test.refused (part jsonb NOT NULL);

CREATE FUNCTION specgen_test.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_row jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    IF EXISTS (SELECT FROM specgen_test.refused AS r WHERE v_row @> r.part) THEN
        RAISE EXCEPTION 'refused by the test'
            USING ERRCODE = 'P0001', CONSTRAINT = 'specgen_test_refusal', COLUMN = TG_ARGV[0],
                  SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END;
$$;

-- The rows that each statement wrote.
CREATE TABLE specgen_test.written (statement bigint NOT NULL, place bigserial, row jsonb NOT NULL);
CREATE SEQUENCE specgen_test.statements;

CREATE FUNCTION specgen_test.begin_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('specgen_test.statements');
    RETURN NULL;
END;
$$;

CREATE FUNCTION specgen_test.note_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO specgen_test.written (statement, row)
    SELECT s.last_value, to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END)
      FROM specgen_test.statements AS s;
    RETURN NULL;
END;
$$;

-- The calls of a function that a test stands in for, and the arguments that it refuses: whole, or as part of an array.
CREATE TABLE specgen_test.called (place bigserial, arguments jsonb NOT NULL);
CREATE TABLE specgen_test.refused_calls (arguments jsonb NOT NULL, part boolean NOT NULL);

CREATE FUNCTION specgen_test.note_call(arguments jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT
          FROM specgen_test.refused_calls AS r
         WHERE CASE WHEN r.part THEN note_call.arguments @> r.arguments ELSE note_call.arguments = r.arguments END
    ) THEN
        RAISE EXCEPTION 'refused by the test' USING ERRCODE = 'P0001', CONSTRAINT = 'specgen_test_refusal';
    END IF;
    INSERT INTO specgen_test.called (arguments) VALUES (note_call.arguments);
END;
$$;

-- The steps of an operation that a test sets aside, and what stands in place of what they kept: step to records.
CREATE TABLE specgen_test.set_aside (steps text[] NOT NULL, outputs jsonb NOT NULL);

CREATE FUNCTION specgen_test.set_step_aside() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_aside specgen_test.set_aside;
BEGIN
    SELECT s.* INTO STRICT v_aside FROM specgen_test.set_aside AS s;
    IF NEW.step = ANY (v_aside.steps) THEN
        NEW.status := 'completed';
    END IF;
    EXECUTE format(
        'INSERT INTO %I.batch_outputs (operation_id, step_number, batch_number, record_number, record)
         SELECT $1, $2, 1, record.place, record.value
           FROM jsonb_array_elements($3) WITH ORDINALITY AS record (value, place)',
        TG_TABLE_SCHEMA
    ) USING NEW.operation_id, NEW.step_number, v_aside.outputs -> NEW.step_number::text;
    RETURN NEW;
END;
$$;
