-- Stand-ins for what an application brings itself: who is acting, and what they may do.

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
