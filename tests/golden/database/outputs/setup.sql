CREATE FUNCTION calculate(customers integer[]) RETURNS TABLE (customer_id integer, total numeric, active boolean)
    LANGUAGE sql AS 'SELECT c, 1.0, true FROM unnest(customers) AS c';
CREATE FUNCTION count_of(customers integer[]) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION forget(customers integer[]) RETURNS void LANGUAGE sql AS '';
