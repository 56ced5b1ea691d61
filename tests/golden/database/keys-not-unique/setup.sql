CREATE TABLE loose (id integer, price integer);
CREATE UNIQUE INDEX ON loose (id) WHERE price > 0;
CREATE TABLE nulls (id integer UNIQUE, price integer);
CREATE TABLE parent (id integer PRIMARY KEY, price integer);
CREATE TABLE child () INHERITS (parent);
CREATE VIEW shown AS SELECT id AS number, price FROM loose;
CREATE VIEW joined AS SELECT p.id AS number, l.price FROM parent AS p JOIN loose AS l USING (id);
CREATE TRIGGER joined INSTEAD OF DELETE ON joined FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
