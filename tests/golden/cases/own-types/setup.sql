CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('sad', 'ok', 'glad');
CREATE TYPE shop.place AS (aisle integer, shelf text);
CREATE DOMAIN shop.code AS text NOT NULL CHECK (value <> '');
