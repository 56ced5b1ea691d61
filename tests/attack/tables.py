"""Random tables: their keys, their rows, and what in them refuses to be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class KeyType:
    """A type of keys.

    Attributes:
        spec: The type that the YAML names.
        real: The column's type in the database.
        value: SQL for the key of the row number ``{i}``; each has another one.
        other: SQL for a JSON text that is read as a key equal to the one of the text ``{t}``.
        prepare: SQL that the type needs.
    """

    spec: str
    real: str
    value: str
    other: str = "{t}"
    prepare: str = ""


NOCASE = (
    "CREATE COLLATION IF NOT EXISTS public.nocase"
    " (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
)
NEEDS_ICU = ("text-icu", "text-nocase")
ODD_TEXT = "chr(97 + {i} % 26) || {i} || (ARRAY['', 'é', ' ', '''', '\\', 'ß', E'\\n', '%'])[1 + {i} % 8]"
MOMENT = "timestamptz '2024-10-26 23:00+00' + {i} * interval '77 seconds'"
SPREAD = "(({i}::bigint * 7919) % 1000003 - 500000)"

KEYS: dict[str, KeyType] = {
    "bigint": KeyType("bigint", "bigint", f"{SPREAD} * 9000000000000"),
    "integer": KeyType("integer", "integer", SPREAD),
    "smallint": KeyType("smallint", "smallint", "{i} - 2500"),
    "uuid": KeyType("uuid", "uuid", "md5({i}::text)::uuid", "upper({t})"),
    "text": KeyType("string", "text", ODD_TEXT),
    "text-c": KeyType("string", 'text COLLATE "C"', ODD_TEXT),
    "text-icu": KeyType("string", 'text COLLATE "und-x-icu"', ODD_TEXT),
    "text-nocase": KeyType("string", "text COLLATE public.nocase", ODD_TEXT, "upper({t})", NOCASE),
    "citext": KeyType(
        "public.citext", "public.citext", "'k' || {i}", "upper({t})", "CREATE EXTENSION IF NOT EXISTS citext"
    ),
    "varchar": KeyType("varchar(40)", "varchar(40)", ODD_TEXT),
    "numeric": KeyType(
        "decimal",
        "numeric",
        "trim_scale(({i} - 1000) / 8.0)",
        "{t} || CASE WHEN {t} ~ '[.]' THEN '00' ELSE '.00' END",
    ),
    "numeric-scaled": KeyType("decimal(20,6)", "numeric(20,6)", "({i} - 1000) / 3.0", "{t} || '0'"),
    "float": KeyType("float", "double precision", "({i} - 1000) / 7.0::float8"),
    "real": KeyType("real", "real", "(({i} - 1000) / 8.0)::real + 0.1::real"),
    "timestamptz": KeyType(
        "timestamptz", "timestamptz", MOMENT, "({t}::timestamptz AT TIME ZONE 'UTC')::text || 'Z'"
    ),
    "timestamp": KeyType("timestamp without time zone", "timestamp", f"({MOMENT})::timestamp"),
    "date": KeyType("date", "date", "date '2020-01-01' + {i}"),
    "bytea": KeyType("bytea", "bytea", "decode(md5({i}::text), 'hex')"),
    "interval": KeyType(
        "interval", "interval", "{i} * interval '3 days -5 hours 7 seconds' - interval '1 month'"
    ),
    "inet": KeyType("inet", "inet", "inet '10.0.0.0' + {i}"),
    "domain": KeyType(
        "public.code",
        "public.code",
        "'c-' || {i}",
        "{t}",
        "CREATE DOMAIN public.code AS text CHECK (value <> '')",
    ),
}
FIRST_PARTS: dict[str, KeyType] = {
    "enum": KeyType(
        "public.mood",
        "public.mood",
        "(ARRAY['sad', 'ok', 'glad'])[1 + {i} % 3]::public.mood",
        "{t}",
        "CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'glad')",
    ),
    "boolean": KeyType("boolean", "boolean", "{i} % 2 = 0"),
    "smallint": KeyType("smallint", "smallint", "{i} % 7"),
    "text-nocase": KeyType(
        "string", "text COLLATE public.nocase", "(ARRAY['a', 'B', 'c'])[1 + {i} % 3]", "upper({t})", NOCASE
    ),
    "date": KeyType("date", "date", "date '2024-02-27' + {i} % 4"),
    "numeric": KeyType("decimal", "numeric", "({i} % 5) / 4.0"),
    "timestamptz": KeyType(
        "timestamptz", "timestamptz", "timestamptz '2024-10-27 00:30+00' + ({i} % 3) * interval '1 hour'"
    ),
}
# Declared as one type, and another one in the database.
MISTYPED: dict[str, KeyType] = {
    "char": KeyType("string", "char(12)", "'k' || {i}"),
    "real-for-float": KeyType("float", "real", "({i} / 7.0)::real"),
    "timestamp-for-timestamptz": KeyType(
        "timestamptz", "timestamp", "timestamp '2024-10-26 23:00' + {i} * interval '77 seconds'"
    ),
    "timestamptz-for-naive": KeyType("timestamp without time zone", "timestamptz", MOMENT),
    "numeric-for-bigint": KeyType("bigint", "numeric", "{i} / 4.0"),
    "bigint-for-integer": KeyType("integer", "bigint", "{i} * 3000000000"),
    "varchar-for-text": KeyType("string", "varchar(40)", ODD_TEXT),
    "citext-for-text": KeyType(
        "string", "public.citext", "'k' || {i}", "upper({t})", "CREATE EXTENSION IF NOT EXISTS citext"
    ),
    "timestamp-for-date": KeyType("date", "timestamp", "timestamp '2024-01-01' + {i} * interval '7 hours'"),
    "float-for-decimal": KeyType("decimal", "double precision", "{i} / 7.0::float8"),
    "numeric-for-scaled": KeyType("decimal(10,2)", "numeric", "{i} / 1000.0"),
}

# Keys whose sameness is wider than that of the type that the YAML names.
WIDER: dict[str, KeyType] = {
    "citext-for-text": MISTYPED["citext-for-text"],
    "char-for-text": KeyType("string", "char(12)", "'k' || {i}", "{t} || '  '"),
    "numeric-for-text": KeyType(
        "string", "numeric", "{i} / 2.0", "{t} || CASE WHEN {t} ~ '[.]' THEN '00' ELSE '.00' END"
    ),
    "interval-of-hours": KeyType(
        "interval", "interval", "{i} * interval '1 day'", "extract(day FROM {t}::interval) * 24 || ' hours'"
    ),
}

SQLSTATES = (
    "P0001", "P0004", "23505", "23514", "23503", "22012", "22P02", "42601", "42P01", "42883", "42703", "42501",
    "XX000", "XX001", "53100", "53200", "53400", "57014", "57P01", "57000", "58030", "58P01", "08006", "08000",
    "40P99", "0A000", "2F003", "F0001", "HV000", "25006", "55000", "54001", "ZZ123",
)  # fmt: skip
# What anybody takes for a fault of the record.
MILD = ("P0001", "23505", "23514", "22012", "22P02", "ZZ123")
# Values of `code` that are refused when they are cast so.
CASTS = {
    "tsquery": ("code::tsquery::text", ("a & b", "a & & b", "(a", "fat")),
    "to_tsquery": ("to_tsquery('simple', code)::text", ("a & b", "a &", "!", "fat")),
    "regclass": ("code::regclass::text", ("pg_class", "no_such_table", "a.b.c.d", "pg_proc")),
    "integer": ("code::integer::text", ("17", "x", "99999999999", "4")),
    "regexp": ("regexp_replace('abc', code, 'x')", ("a", "(", "[b", "c")),
    "xml": ("code::xml::text", ("<a/>", "<a>", "plain", "<b></c>")),
    "jsonpath": ("code::jsonpath::text", ("$.a", "$[", "$.b", "?")),
    "ltree": ("code::public.ltree::text", ("a.b", "a..b", "c", ".")),
    "hstore": ("code::public.hstore::text", ("a=>1", "a=>", "b=>2", "=>")),
    "dividing": ("(12 / length(code))::text", ("a", "", "bb", "ccc")),
}
CODES = ("12", "d", "dd", "7", "a\\d", "it's", "", "%", "\\", "x y")


@dataclass(frozen=True, slots=True)
class Ground:
    """What attacks stand on.

    Attributes:
        icu: Whether the server has collations of ICU.
        mild: Whether what is refused is refused as everybody takes for the record's fault.
    """

    icu: bool
    mild: bool = False

    def kinds(self, types: dict[str, KeyType]) -> list[str]:
        """The types that the server has."""
        return [name for name in types if self.icu or name not in NEEDS_ICU]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the key: its name and type."""

    name: str
    type: KeyType


@dataclass(frozen=True, slots=True)
class Table:
    """A table, the SQL that makes and fills it, and how the YAML describes it.

    Attributes:
        cast: An expression over the row that fails for some values of ``code``.
        unique: Whether the key is unique in truth.
    """

    key: tuple[Column, ...]
    ddl: tuple[str, ...]
    rows: int
    managed: bool
    cast: str | None
    unique: bool = True
    traits: tuple[str, ...] = field(default=())

    @property
    def key_names(self) -> list[str]:
        return [column.name for column in self.key]

    @property
    def types(self) -> dict[str, str]:
        """The real types of the columns that operations name."""
        return {column.name: column.type.real.partition(" COLLATE")[0] for column in self.key} | VALUE_TYPES

    def entity(self, patterns: list[dict[str, Any]]) -> dict[str, Any]:
        """The YAML's content."""
        fields: dict[str, Any] = {
            column.name: {"type": column.type.spec, "nullable": False} for column in self.key
        }
        fields |= {"mark": {"type": "integer", "nullable": False}, "amount": "integer", "label": "string",
                   "code": "string", "at": "timestamptz", "flag": "boolean"}  # fmt: skip
        return {
            "name": "thing",
            "managed": self.managed,
            "fields": fields,
            "primary_key": self.key_names,
            "patterns": [{"name": "batch_operations", **item} for item in patterns],
        }


VALUE_TYPES = {
    "mark": "integer",
    "amount": "integer",
    "label": "text",
    "code": "text",
    "at": "timestamptz",
    "flag": "boolean",
}
# `rid` is the oracle's own name of a row, `noise` belongs to sessions that disturb.
VALUES = """
    rid bigint, noise integer NOT NULL DEFAULT 0, mark integer NOT NULL DEFAULT 999,
    amount integer, label text, code text, at timestamptz, flag boolean
"""

GUARD = """
CREATE SCHEMA attack;
CREATE TABLE attack.refusals (mark integer PRIMARY KEY, sqlstate text NOT NULL, wait float NOT NULL DEFAULT 0);
CREATE TABLE attack.writes (op text, row_key text, before jsonb, after jsonb);
CREATE TABLE attack.handed (n integer, line integer, label text, fate text, record jsonb);
CREATE TABLE attack.account (id integer PRIMARY KEY);
CREATE TABLE attack.ledger (account integer
    CONSTRAINT ledger_account REFERENCES attack.account DEFERRABLE INITIALLY DEFERRED);
INSERT INTO attack.account VALUES (1);
CREATE FUNCTION attack.guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_mark  integer := CASE tg_op WHEN 'DELETE' THEN OLD.mark ELSE NEW.mark END;
    v_state text;
    v_wait  float;
BEGIN
    SELECT sqlstate, wait INTO v_state, v_wait FROM attack.refusals WHERE mark = v_mark;
    IF FOUND THEN
        PERFORM pg_sleep(v_wait);
        RAISE EXCEPTION 'mark % is refused', v_mark USING ERRCODE = v_state;
    END IF;
    RETURN CASE tg_op WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION attack.note() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog SET TimeZone = 'UTC'
    SET DateStyle = ISO SET IntervalStyle = postgres SET extra_float_digits = 1 SET bytea_output = hex AS $$
BEGIN
    INSERT INTO attack.writes VALUES (
        tg_op, NULL,
        CASE WHEN tg_op <> 'INSERT' THEN to_jsonb(OLD) - 'noise' END,
        CASE WHEN tg_op <> 'DELETE' THEN to_jsonb(NEW) - 'noise' END);
    RETURN NULL;
END $$;
CREATE FUNCTION attack.post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO attack.ledger VALUES (CASE WHEN (CASE tg_op WHEN 'DELETE' THEN OLD.mark ELSE NEW.mark END) = tg_argv[0]::integer
                                           THEN 2 ELSE 1 END);
    RETURN NULL;
END $$;
"""
TRIGGERS = """
CREATE TRIGGER a_guard BEFORE INSERT OR DELETE OR UPDATE OF mark, amount, label, code, at, flag ON thing
    FOR EACH ROW EXECUTE FUNCTION attack.guard();
CREATE TRIGGER z_note AFTER INSERT OR DELETE OR UPDATE OF mark, amount, label, code, at, flag ON thing
    FOR EACH ROW EXECUTE FUNCTION attack.note();
"""

MARKS = 60
"""Rows have a mark between 0 and this; new records may have others."""


def make_table(
    random: Random,
    *,
    ground: Ground,
    key: str | None = None,
    most: int = 5000,
    unique: bool = True,
    mistyped: bool = False,
    calm: bool = False,
    traits: tuple[str, ...] | None = None,
) -> Table:
    """A random table.

    Args:
        key: The kind of its key, any if None.
        most: The most rows it may have.
        unique: Whether the declared key is unique in truth.
        mistyped: Whether the key's type is not the one that the YAML names.
        ground: What the server has, and how hard the attack is.
        calm: Nothing refuses to be written.
        traits: What else is special about it, random if None.
    """
    columns = _key(random, ground, key, mistyped=mistyped)
    rows = _rows(random, most)
    ddl = [GUARD, *{column.type.prepare: None for column in columns if column.type.prepare}]
    cast = random.choice(["integer", "dividing"] if ground.mild else list(CASTS))
    if calm or random.random() < 0.7:
        cast = None
    if cast in ("ltree", "hstore"):
        ddl.append(f"CREATE EXTENSION {cast}")
    traits = _traits(random, unique=unique, calm=calm) if traits is None else traits
    ddl.append(_create(columns, traits, unique=unique))
    ddl.append(_fill(random, columns, rows, cast, unique=unique))
    ddl.append("ANALYZE thing") if random.random() < 0.5 else None
    if not calm:
        ddl += _refusals(random, MILD if ground.mild else SQLSTATES)
    ddl.append(TRIGGERS)
    if "ledger" in traits:
        ddl.append("CREATE TRIGGER b_post AFTER INSERT OR DELETE OR UPDATE OF mark, amount, label, code, at, flag ON thing"
                   f" FOR EACH ROW EXECUTE FUNCTION attack.post({random.randrange(MARKS)})")  # fmt: skip
    if "children" in traits:
        names = ", ".join(column.name for column in columns)
        ddl.append(f"CREATE TABLE child AS SELECT {names} FROM thing WHERE mark = 5;"
                   f"ALTER TABLE child ADD FOREIGN KEY ({names}) REFERENCES thing DEFERRABLE INITIALLY DEFERRED;"
                   "INSERT INTO attack.refusals SELECT 999999, 'P0001' WHERE false")  # fmt: skip
    expression = CASTS[cast][0] if cast else None
    managed = unique and not mistyped and not traits and random.random() < 0.3
    return Table(columns, tuple(ddl), rows, managed, expression, unique, traits)


def _key(random: Random, ground: Ground, kind: str | None, *, mistyped: bool) -> tuple[Column, ...]:
    if mistyped:
        return (Column("id", MISTYPED[kind or random.choice(list(MISTYPED))]),)
    last = WIDER[kind] if kind in WIDER else KEYS[kind or random.choice(ground.kinds(KEYS))]
    if kind is not None or random.random() < 0.75:
        return (Column("id", last),)
    firsts = random.sample(ground.kinds(FIRST_PARTS), random.choice((1, 1, 2)))
    return (*(Column(f"part{n}", FIRST_PARTS[name]) for n, name in enumerate(firsts)), Column("id", last))


def _rows(random: Random, most: int) -> int:
    return min(
        most,
        random.choice((0, 1, random.randint(2, 60), random.randint(60, 800), random.randint(60, 800), most)),
    )


def _traits(random: Random, *, unique: bool, calm: bool) -> tuple[str, ...]:
    chances = {"partitioned": 0.1, "check": 0.3, "generated": 0.2, "ledger": 0.0 if calm else 0.25,
               "children": 0.15 if unique and not calm else 0.0, "partial": 0.15, "toast": 0.1}  # fmt: skip
    found = [name for name, chance in chances.items() if random.random() < chance]
    if "partitioned" in found and "children" in found:
        found.remove("children")
    return tuple(found)


def _create(columns: tuple[Column, ...], traits: tuple[str, ...], *, unique: bool) -> str:
    names = ", ".join(column.name for column in columns)
    parts = [
        *(f"{column.name} {column.type.real}{' NOT NULL' if unique else ''}" for column in columns),
        VALUES,
    ]
    if "generated" in traits:
        parts.append("twice bigint GENERATED ALWAYS AS (amount::bigint * 2) STORED")
    if "check" in traits:
        parts.append("CHECK (amount < 1000000)")
    if "toast" in traits:
        parts.append("ballast text DEFAULT repeat('x', 3000)")
    if unique:
        parts.append(f"PRIMARY KEY ({names})")
    statement = f"CREATE TABLE thing ({', '.join(parts)})"
    if "partitioned" in traits:
        statement += (
            f" PARTITION BY HASH ({names});"
            "CREATE TABLE thing_0 PARTITION OF thing FOR VALUES WITH (modulus 2, remainder 0);"
            "CREATE TABLE thing_1 PARTITION OF thing FOR VALUES WITH (modulus 2, remainder 1)"
        )
    if "partial" in traits:
        statement += "; CREATE INDEX ON thing (mark) WHERE flag"
    return statement


def _fill(random: Random, columns: tuple[Column, ...], rows: int, cast: str | None, *, unique: bool) -> str:
    codes = CASTS[cast][1] if cast else CODES
    rare = random.choice((1, 1, 20)) if cast else 1
    number = (
        "i" if unique else random.choice(("(i / 2)", "(i % 3)", "nullif(i, 3)", "(i - (i % 10 = 4)::int)"))
    )
    keys = ", ".join(column.type.value.format(i=number) for column in columns)
    listed = ", ".join("'" + code.replace("'", "''") + "'" for code in codes)
    pick = f"(ARRAY[{listed}])[1 + CASE WHEN i % {rare} = 0 THEN (i * 5 + i / 7) % {len(codes)} ELSE 0 END]"
    return (
        f"INSERT INTO thing ({', '.join(c.name for c in columns)}, rid, mark, amount, label, code, at, flag)"
        f" SELECT {keys}, i, abs(hashint4(i + {random.randrange(10**6)})) % {MARKS}, nullif(i % 17, 3) * 5,"
        f" CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'old' WHEN 2 THEN E'o\\\\\\'ld' ELSE 'n' || i END, {pick},"
        f" timestamptz '2024-10-26 22:00+00' + i * interval '5 minutes', (ARRAY[true, false, NULL])[1 + i % 3]"
        f" FROM generate_series(1, {rows}) AS i"
    )


def _refusals(random: Random, states: tuple[str, ...]) -> list[str]:
    """Marks that a trigger refuses: none, a few, or many."""
    count = random.choice((0, 1, 1, 2, 3, 12))
    marks = random.sample(range(MARKS), count)
    rows = ", ".join(f"({mark}, '{random.choice(states)}')" for mark in marks)
    return [f"INSERT INTO attack.refusals (mark, sqlstate) VALUES {rows}"] if marks else []
