-- What the steps of meter.yaml call and go through.
CREATE SCHEMA IF NOT EXISTS app;

CREATE TABLE app.staged_meter (id integer PRIMARY KEY, zone text, reading numeric);

CREATE FUNCTION app.read_meters(meters integer[], moment date)
    RETURNS TABLE (meter_id integer, value numeric)
    LANGUAGE sql
AS 'SELECT m, m * 10.0 FROM unnest(meters) AS m';

CREATE FUNCTION app.tell_owner(meter integer, billed boolean, reason text) RETURNS void LANGUAGE sql AS '';

CREATE FUNCTION app.recount(meters integer[]) RETURNS bigint LANGUAGE sql AS 'SELECT cardinality(meters)::bigint';
