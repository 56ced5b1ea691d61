-- Stand-ins for what an application brings itself: who is acting and what they may do, an API that knows
-- products, usage that becomes invoices, their PDFs and mails. The bodies are plpgsql, which looks for
-- tables when it runs: these functions are loaded before the tables that specgen makes.

CREATE OR REPLACE FUNCTION public.current_user_id()
    RETURNS uuid
    LANGUAGE sql
    STABLE
AS $function$
    SELECT coalesce(
        nullif(current_setting('app.user_id', true), '')::uuid,
        '00000000-0000-0000-0000-000000000001'
    );
$function$;

CREATE OR REPLACE FUNCTION public.current_user_has_permission(permission text)
    RETURNS boolean
    LANGUAGE sql
    STABLE
AS $function$
    SELECT permission = ANY (
        string_to_array(coalesce(current_setting('app.permissions', true), 'approve_orders'), ',')
    );
$function$;

-- A whole-batch check, for a precondition: records, each with a price that could be one.
CREATE OR REPLACE FUNCTION public.validate_batch_data(input_data jsonb)
    RETURNS boolean
    LANGUAGE sql
    IMMUTABLE
AS $function$
    SELECT coalesce(bool_and(jsonb_typeof(record -> 'price') = 'number'), false)
      FROM jsonb_array_elements(input_data) AS record;
$function$;

-- Called with a batch of keys, answers with a row for each product that it knows.
CREATE OR REPLACE FUNCTION public.fetch_product_data_from_api(product_ids uuid[])
    RETURNS TABLE (product_id uuid, name text, price numeric)
    LANGUAGE plpgsql
    STABLE
AS $function$
BEGIN
    RETURN QUERY
    SELECT p.id, p.name, p.price
      FROM public.product AS p
     WHERE p.id = ANY (product_ids);
END;
$function$;

-- Called once, answers with a row for each customer who ordered in a month.
CREATE OR REPLACE FUNCTION public.calculate_customer_usage(month date)
    RETURNS TABLE (customer_id uuid, total_amount numeric)
    LANGUAGE plpgsql
    STABLE
AS $function$
BEGIN
    RETURN QUERY
    SELECT o.user_id, sum(o.total_amount)
      FROM public."order" AS o
     WHERE o.status <> 'cancelled'
       AND o.created_at >= month
       AND o.created_at < month + interval '1 month'
     GROUP BY o.user_id
     ORDER BY o.user_id;
END;
$function$;

CREATE TABLE IF NOT EXISTS public.invoice_pdf (
    invoice_id  bigint NOT NULL,
    file_name   text NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Called with a batch of keys, answers with the file of each.
CREATE OR REPLACE FUNCTION public.generate_invoice_pdf(invoice_ids bigint[])
    RETURNS TABLE (invoice_id bigint, file_name text)
    LANGUAGE sql
AS $function$
    INSERT INTO public.invoice_pdf AS pdf (invoice_id, file_name)
    SELECT id, format('invoice-%s.pdf', id)
      FROM unnest(invoice_ids) AS id
    RETURNING pdf.invoice_id, pdf.file_name;
$function$;

CREATE TABLE IF NOT EXISTS public.invoice_notice (
    invoice_id  bigint NOT NULL,
    sent_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Called with a batch of keys, answers nothing.
CREATE OR REPLACE FUNCTION public.send_invoice_notifications(invoice_ids bigint[])
    RETURNS void
    LANGUAGE sql
AS $function$
    INSERT INTO public.invoice_notice (invoice_id)
    SELECT id
      FROM unnest(invoice_ids) AS id;
$function$;
