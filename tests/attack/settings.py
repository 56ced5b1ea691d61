"""Random settings of a database or a role, which must not change what an operation does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from random import Random

SETTINGS: dict[str, tuple[str, ...]] = {
    "DateStyle": ("SQL, DMY", "German", "Postgres, MDY", "ISO, YMD"),
    "IntervalStyle": ("sql_standard", "iso_8601", "postgres_verbose"),
    "TimeZone": ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"),
    "standard_conforming_strings": ("off",),
    "backslash_quote": ("on", "off"),
    "bytea_output": ("escape",),
    "extra_float_digits": ("-15", "0", "3"),
    "array_nulls": ("off",),
    "transform_null_equals": ("on",),
    "quote_all_identifiers": ("on",),
    "xmlbinary": ("hex",),
    "xmloption": ("document",),
    "default_transaction_isolation": ("repeatable read", "serializable"),
    "default_text_search_config": ("pg_catalog.german",),
    "lc_numeric": ("C",),
    "lc_time": ("C",),
    "search_path": ('"$user", attack, public', "pg_catalog", "attack"),
    "check_function_bodies": ("off",),
    "plan_cache_mode": ("force_generic_plan", "force_custom_plan"),
    "enable_seqscan": ("off",),
    "enable_indexscan": ("off",),
    "enable_hashjoin": ("off",),
    "work_mem": ("64kB",),
    "row_security": ("on",),
    "client_min_messages": ("debug1", "error"),
    "idle_in_transaction_session_timeout": ("60s",),
    "synchronous_commit": ("on", "remote_apply"),
    "geqo": ("off",),
    "escape_string_warning": ("off",),
    "jit": ("on",),
    "lo_compat_privileges": ("on",),
    "default_toast_compression": ("pglz",),
}
# What values mean is settled by the caller's zone; the oracle works in the same one.
SHARED = ("TimeZone",)
# An observer's own session: the text it compares must not depend on what is attacked.
NEUTRAL = {
    "datestyle": "ISO,MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "default_transaction_isolation": "read\\ committed",
    "search_path": "public",
    "client_min_messages": "warning",
    "enable_seqscan": "on",
    "enable_indexscan": "on",
    "enable_hashjoin": "on",
    "xmloption": "content",
}
OPTIONS = " ".join(f"-c {name}={value}" for name, value in NEUTRAL.items())


def make_settings(random: Random, *, many: bool = False) -> dict[str, str]:
    """Random settings: often none, else a few, else nearly all."""
    count = random.choice((0, 0, 1, 2, 4))
    if many:
        count = random.choice((1, 1, 1, 2, 3, 8, 20))
    names = random.sample(list(SETTINGS), count)
    return {name: random.choice(SETTINGS[name]) for name in names}


def statements(database: str, settings: dict[str, str]) -> list[sql.Composed]:
    """What gives a database its settings."""
    return [
        sql.SQL("ALTER DATABASE {} SET {} TO ").format(sql.Identifier(database), sql.Identifier(name))
        # a list as one string would be the name of one schema
        + (sql.SQL(value) if name == "search_path" else sql.Literal(value))  # type: ignore[arg-type]
        for name, value in settings.items()
    ]
