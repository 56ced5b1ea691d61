GRANT CREATE ON SCHEMA public TO PUBLIC;
CREATE EXTENSION citext;
CREATE FUNCTION public.upper(varchar) RETURNS varchar LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION public.mine(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE DOMAIN public.mail AS citext;
CREATE TABLE account (id integer PRIMARY KEY, email citext, other mail, price integer);
