CREATE SCHEMA old;
CREATE TYPE old.mood AS ENUM ('good', 'bad');
CREATE TABLE old.legacy_table (
    id bigint PRIMARY KEY, state varchar(20) NOT NULL, note varchar(9), mood old.mood, count integer,
    amount numeric(10,2)
);
CREATE INDEX ON old.legacy_table (state);
CREATE UNIQUE INDEX ON old.legacy_table (state) WHERE id > 0;
CREATE TABLE old.letter (id integer PRIMARY KEY, code text UNIQUE, gone date);
CREATE VIEW old.letter_there AS SELECT id AS letter_id, code AS sign FROM old.letter WHERE gone IS NULL;
