-- What the application brings: a role, and a function that a step calls.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'teller') THEN
        CREATE ROLE teller;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
END;
$do$;

CREATE TABLE IF NOT EXISTS public.told (account_id integer NOT NULL, what text NOT NULL, CHECK (account_id % 20 <> 13));

CREATE OR REPLACE FUNCTION public.tell_holder(account_id integer, what text)
    RETURNS integer
    LANGUAGE sql
AS $function$
    INSERT INTO public.told VALUES (account_id, what) RETURNING account_id;
$function$;
