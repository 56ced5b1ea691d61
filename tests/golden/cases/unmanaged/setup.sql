CREATE SCHEMA old;
CREATE TABLE old.legacy_table (id bigint PRIMARY KEY, state text, counter integer);
