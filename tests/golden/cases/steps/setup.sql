CREATE TABLE staged_usage (customer_id integer, amount numeric);
CREATE FUNCTION calculate_customer_usage(customers integer[], month date)
    RETURNS TABLE (customer_id integer, total_amount numeric)
    LANGUAGE sql
AS 'SELECT c, c * 10.0 FROM unnest(customers) AS c';
CREATE FUNCTION send_usage_notice(customer integer, reason text, month date) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION recalculate_usage(customers integer[]) RETURNS bigint LANGUAGE sql AS 'SELECT cardinality(customers)::bigint';
