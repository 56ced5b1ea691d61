"""What to grant where PostgreSQL says that a right is missing, which it says without a hint."""

from __future__ import annotations

import re

_DENIED = re.compile(r"permission denied for ([a-z ]+?) (\S.*)")
_OWNER = re.compile(r"must be owner of ([a-z ]+?) (\S.*)")
_GRANTS = {
    "schema": "USAGE ON SCHEMA {name}",
    "procedure": "EXECUTE ON PROCEDURE {name}",
    "sequence": "USAGE ON SEQUENCE {name}",
    "type": "USAGE ON TYPE {name}",
    "language": "USAGE ON LANGUAGE {name}",
    "database": "CONNECT, CREATE, TEMPORARY ON DATABASE {name}",
    "foreign server": "USAGE ON FOREIGN SERVER {name}",
}
_TABLES = ("table", "view", "materialized view", "foreign table", "relation")
_NAME = r'(?:(?:"(?:[^"]|"")+"|[\w$]+)\.)?'
_RUNTIME = "SELECT, INSERT, UPDATE"
_DEFINITIONS = ("batch_definitions", "batch_step_definitions")


def advice(message: str, context: str | None) -> str | None:
    """Return what grants the right that is missing, as far as the words of the server tell.

    Args:
        message: What PostgreSQL says; in another language than English nothing is read out of it.
        context: The statements that it happened in.
    """
    owned = _OWNER.fullmatch(message)
    if owned is not None:
        return f"connect as the owner of {owned[2]}, or as a member of that role"
    denied = _DENIED.fullmatch(message)
    if denied is None:
        return None
    kind, name = denied[1], denied[2]
    where = context or ""
    if kind in _TABLES and name in _DEFINITIONS:
        names = ", ".join(_qualified(item, where.replace(name, item)) for item in _DEFINITIONS)
        return f"{_let(f'SELECT ON {names}')}; who deploys needs INSERT and DELETE besides"
    if kind in _TABLES and name.startswith("batch_"):
        return f"{_let(f'{_RUNTIME} ON {_qualified(name, where)}')}, and on the other batch_* tables there"
    if kind in _TABLES:
        return _let(f"{_rights(name, where)} ON {_qualified(name, where)}")
    if kind == "schema":
        return f"{_let(_GRANTS[kind].format(name=_ident(name)))}; who deploys needs CREATE besides"
    if kind == "function":
        return f"{_let(f'EXECUTE ON FUNCTION {_ident(name)}')}, as grants: in the operation's spec does"
    grant = _GRANTS.get(kind)
    return _let(grant.format(name=_qualified(name, where))) if grant else None


def _let(grant: str) -> str:
    return f"the owner has to GRANT {grant} TO the role that connects"


def _rights(table: str, context: str) -> str:
    """Return the rights that a statement needs on a table."""
    place = rf'{_NAME}"?{re.escape(table)}"?(?![\w$])'
    if re.search(rf"\bINSERT\s+INTO\s+{place}", context):
        return "SELECT, INSERT, UPDATE" if "ON CONFLICT" in context else "SELECT, INSERT"
    if re.search(rf"\bDELETE\s+FROM\s+(?:ONLY\s+)?{place}", context):
        return "SELECT, DELETE"
    locks = re.search(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)\b", context)
    if locks or re.search(rf"\bUPDATE\s+(?:ONLY\s+)?{place}", context):
        return "SELECT, UPDATE"
    return "SELECT"


def _qualified(name: str, context: str) -> str:
    """Return a name with its schema, where a statement has it so, or a function that lies beside it."""
    schema = r'((?:"(?:[^"]|"")+"|[\w$]+)\.)'
    found = re.search(rf'{schema}"?{re.escape(name)}"?(?![\w$])', context)
    if found is None and name.startswith("batch_"):
        found = re.search(rf"{schema}batch_", context)
    return f"{found[1] if found else ''}{_ident(name)}"


def _ident(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'
