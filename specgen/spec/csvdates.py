"""How the dates of a CSV file are written: ``csv_date_format`` and ``csv_datetime_format``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.dateforms import BadForm, date_form, dates_of, datetime_form, without_form
from specgen.spec.types import is_of_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.diagnostics import Findings
    from specgen.spec.documents import Node
    from specgen.spec.model import ItemField

    Getter = Callable[[str], Node | None]

CSV_DATE_KEYS = ("csv_date_format", "csv_datetime_format")
_KINDS = {"csv_date_format": (date_form, "date"), "csv_datetime_format": (datetime_form, "timestamp")}


def read_date_forms(
    own: Getter, get: Getter, fields: tuple[ItemField, ...], findings: Findings
) -> tuple[str | None, str | None]:
    """Return how dates are written, and how timestamps are.

    Args:
        own: The operation's own keys: what the project gives as a default is no mistake elsewhere.
        get: Its keys, the project's defaults included.
        fields: What the operation reads of a record.
        findings: Gets what is wrong.
    """
    dates, timestamps = (_form(key, own, get, fields, findings) for key in CSV_DATE_KEYS)
    typed = [(field.name, field.type.sql) for field in fields]
    found = {kind: held for _, kind in typed if (held := dates_of(kind))}
    wrong = without_form(typed, found, dates, timestamps)
    if wrong is not None:
        key = CSV_DATE_KEYS[0] if dates else CSV_DATE_KEYS[1]
        said = own(key) or own("data_source") or get(key)
        assert said is not None
        findings.error("wrong-mix", said.key_span, *wrong)
    return dates, timestamps


def _form(
    key: str, own: Getter, get: Getter, fields: tuple[ItemField, ...], findings: Findings
) -> str | None:
    node = get(key)
    if node is None:
        return None
    parse, kind = _KINDS[key]
    text = str(node.value)
    try:
        parse(text)
    except BadForm as bad:
        message, help = bad.args
        findings.error("bad-date-format", node.span, f"{key}: {message}", help)
        return None
    said = own(key)
    if said is not None and not any(_may_hold(field.type.sql, key) for field in fields):
        message = f"{key} says nothing: no {kind} is read from the file"
        findings.error("wrong-mix", said.key_span, message, "remove it")
    return text


def _may_hold(sql_type: str, key: str) -> bool:
    """Whether a form says something of a type's values; what one's own are, only a database knows."""
    found = dates_of(sql_type)
    return is_of_user(sql_type) if found is None else found.timed or key == "csv_date_format"
