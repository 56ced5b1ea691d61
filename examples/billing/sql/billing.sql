-- What the application brings itself. The bodies are plpgsql, which looks for tables when it runs: this file
-- is loaded before the tables that specgen makes.

CREATE TABLE IF NOT EXISTS public.bill_file (
    bill_id  bigint PRIMARY KEY,
    name     text NOT NULL
);

CREATE TABLE IF NOT EXISTS public.message (
    customer_id  bigint NOT NULL,
    text         text NOT NULL
);

-- What each customer has used in a month: a row for each.
CREATE OR REPLACE FUNCTION public.usage_of(month date)
    RETURNS TABLE (customer_id bigint, units numeric)
    LANGUAGE plpgsql
    STABLE
AS $function$
BEGIN
    RETURN QUERY
    SELECT r.customer_id, sum(r.units)
      FROM public.reading AS r
     WHERE r.read_on >= month
       AND r.read_on < month + interval '1 month'
     GROUP BY r.customer_id
     ORDER BY r.customer_id;
END;
$function$;

-- Writes the files of a batch of bills and answers with their names.
CREATE OR REPLACE FUNCTION public.write_bill_files(bill_ids bigint[])
    RETURNS TABLE (bill_id bigint, name text)
    LANGUAGE sql
AS $function$
    INSERT INTO public.bill_file AS f (bill_id, name)
    SELECT id, format('bill-%s.pdf', id)
      FROM unnest(bill_ids) AS id
    RETURNING f.bill_id, f.name;
$function$;

-- Tells one customer; called once for each of them.
CREATE OR REPLACE FUNCTION public.tell_customer(customer_id bigint, text text)
    RETURNS void
    LANGUAGE sql
AS $function$
    INSERT INTO public.message VALUES (customer_id, text);
$function$;
