-- The tables of the shop, as its own migrations would make them.
CREATE SCHEMA IF NOT EXISTS shop;

DO $do$
BEGIN
    IF to_regrole('catalogue_editor') IS NULL THEN
        CREATE ROLE catalogue_editor;
    END IF;
    IF to_regtype('shop.currency') IS NULL THEN
        CREATE DOMAIN shop.currency AS text CHECK (value ~ '^[A-Z]{3}$');
    END IF;
END;
$do$;

CREATE TABLE IF NOT EXISTS shop.brand (
    id   integer PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS shop.item (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sku       text NOT NULL UNIQUE,
    title     text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    brand_id  integer REFERENCES shop.brand,
    price     numeric(10,2) NOT NULL CHECK (price >= 0),
    currency  shop.currency NOT NULL DEFAULT 'EUR',
    labels    text[] NOT NULL DEFAULT '{}'
);
