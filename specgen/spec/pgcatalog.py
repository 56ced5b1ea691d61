"""What is known of PostgreSQL's own functions, operators and types without asking a server."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from specgen.spec.builtins import TYPES

Node = dict[str, Any]


def constant_type(node: Node | None) -> str | None:
    """Return the type of a constant of the parse tree, or nothing for NULL and for no constant."""
    if node is None:
        return None
    for key, kind in (("ival", "integer"), ("fval", "numeric"), ("boolval", "boolean"), ("sval", "text")):
        if key in node:
            return kind
    return None


def type_name(node: Node) -> str:
    """Return a parsed type's name, without modifiers."""
    names = [part["String"]["sval"] for part in node["names"]]
    if names[0] == "pg_catalog":
        names = names[1:]
    known = built_in_name(names[0]) if len(names) == 1 else None
    name = known or ".".join(quoted_name(part) for part in names)
    return name + "[]" * bool(node.get("arrayBounds"))


@lru_cache(maxsize=1024)
def quoted_name(name: str) -> str:
    """Return a name of a type, in quotes where it needs them."""
    from pglast import keywords

    taken = (keywords.RESERVED_KEYWORDS, keywords.TYPE_FUNC_NAME_KEYWORDS, keywords.COL_NAME_KEYWORDS)
    plain = name.isidentifier() and name.isascii() and name == name.lower()
    if plain and not any(name in words for words in taken):
        return name
    return '"' + name.replace('"', '""') + '"'


SQL_NAMES = {
    "bool": "boolean",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bpchar": "character",
}


def built_in_name(name: str) -> str | None:
    """Return what a type of PostgreSQL's is called here, nothing where it has none of that name."""
    if name == "char":
        return '"char"'  # without quotes it is another type, of the length 1
    base = SQL_NAMES.get(name, name)
    return base if base in TYPES else None


COMPARISONS = frozenset(("=", "<>", "!=", "<", "<=", ">", ">=", "@>", "<@", "&&"))
ARITHMETIC = frozenset(("+", "-", "*", "/", "%", "||"))
TEXT_OPERATORS = frozenset(("~", "~*", "!~", "!~*", "->>"))
VALUE_FUNCTIONS = {
    "SVFOP_CURRENT_DATE": "date",
    "SVFOP_CURRENT_TIMESTAMP": "timestamptz",
    "SVFOP_LOCALTIMESTAMP": "timestamp",
    "SVFOP_CURRENT_USER": "text",
}
RESULT_TYPES = {
    "now": "timestamptz",
    "clock_timestamp": "timestamptz",
    "statement_timestamp": "timestamptz",
    "transaction_timestamp": "timestamptz",
    "length": "integer",
    "char_length": "integer",
    "count": "bigint",
    "lower": "text",
    "upper": "text",
    "btrim": "text",
    "md5": "text",
    "extract": "numeric",
    "gen_random_uuid": "uuid",
    "random": "double precision",
}
TEXT_FUNCTIONS = frozenset(
    ("lower", "upper", "btrim", "ltrim", "rtrim", "md5", "initcap", "length", "char_length")
)
AGGREGATES = frozenset(
    (
        "any_value",
        "array_agg",
        "avg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "bool_and",
        "bool_or",
        "corr",
        "count",
        "covar_pop",
        "covar_samp",
        "every",
        "json_agg",
        "json_object_agg",
        "jsonb_agg",
        "jsonb_object_agg",
        "max",
        "min",
        "mode",
        "percentile_cont",
        "percentile_disc",
        "range_agg",
        "range_intersect_agg",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "string_agg",
        "sum",
        "variance",
        "var_pop",
        "var_samp",
    )
)
SET_RETURNING = frozenset(
    (
        "generate_series",
        "generate_subscripts",
        "unnest",
        "regexp_matches",
        "regexp_split_to_table",
        "string_to_table",
        "json_array_elements",
        "json_array_elements_text",
        "json_each",
        "json_each_text",
        "json_object_keys",
        "jsonb_array_elements",
        "jsonb_array_elements_text",
        "jsonb_each",
        "jsonb_each_text",
        "jsonb_object_keys",
        "jsonb_path_query",
        "jsonb_populate_recordset",
        "jsonb_to_recordset",
    )
)
