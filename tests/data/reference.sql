-- What the examples of docs/language.md take for granted.
DO $$
BEGIN
    CREATE ROLE app_writer;
EXCEPTION WHEN duplicate_object THEN
    NULL;
END
$$;
CREATE SCHEMA shop;
