-- What the examples of docs/language.md take for granted.
DO $$
BEGIN
    CREATE ROLE app_writer;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles are the server's, and other tests may be making it at this moment
END
$$;
CREATE SCHEMA shop;
CREATE SCHEMA staging;
CREATE TABLE staging.users (id uuid, status text);
