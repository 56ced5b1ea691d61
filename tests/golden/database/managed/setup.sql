CREATE TABLE account (id bigint PRIMARY KEY, email text, name varchar(20), age text, level integer NOT NULL);
