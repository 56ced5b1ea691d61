CREATE SCHEMA staging;
CREATE TABLE staging.products (id integer, name text, price text, made boolean);
