CREATE EXTENSION citext;
CREATE TABLE code (id char(10) PRIMARY KEY, price integer);
CREATE TABLE reading (at timestamp, sensor real, value integer, UNIQUE (at, sensor));
CREATE TABLE account (id bigint PRIMARY KEY, email citext UNIQUE, price integer);
CREATE TABLE fits (
    id smallint PRIMARY KEY, name varchar(20) UNIQUE, amount numeric(10,2) UNIQUE, made timestamptz(3) UNIQUE
);
