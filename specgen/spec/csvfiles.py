"""CSV files as a source: their format, and which of their columns fills which field of a record."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from specgen.spec.csvdates import CSV_DATE_KEYS, read_date_forms
from specgen.spec.entities import unknown_column
from specgen.spec.model import Assignment, CsvColumn, CsvFormat, Defaulted, OperationType, Reference, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from specgen.diagnostics import Findings, Span
    from specgen.spec.documents import Node
    from specgen.spec.entities import Draft
    from specgen.spec.model import Field, ItemField

    Getter = Callable[[str], Node | None]


class Keys(Protocol):
    """What an operation says, and what the project's defaults say for it."""

    @property
    def own(self) -> Node:
        """What it says itself."""

    def get(self, key: str) -> Node | None:
        """Return the value of a key, if it has one."""


CSV_FILE = "csv_file"
"""The word for a CSV file in ``data_source``, and the parameter that takes its records in a call."""
CSV_KEYS = (
    "field_mapping",
    "csv_delimiter",
    "csv_has_header",
    "csv_quote",
    "csv_escape",
    "csv_encoding",
    "csv_null",
    *CSV_DATE_KEYS,
)
_POSITION = re.compile(r"csv_column_([0-9]+)")


@dataclass(frozen=True, slots=True)
class FileSource:
    """An operation's CSV file.

    Attributes:
        columns: The mapping, as far as the spec says it or a default does.
        node: What says so: ``field_mapping``, else ``data_source``.
    """

    columns: tuple[CsvColumn, ...]
    node: Node
    target: Draft
    type: OperationType

    def derived(self, without: set[str]) -> tuple[Assignment, ...]:
        """Return what the mapping assigns.

        Args:
            without: Columns that rows are found by, or that the operation's own data gives.
        """
        if self.type not in (OperationType.INSERT, OperationType.UPSERT, OperationType.UPDATE):
            return ()
        fields = {field.name: field for field in self.target.fields}
        span = self.node.key_span
        return tuple(
            Assignment(column.field, _value(column, fields[column.field], self.target, span), span)
            for column in self.columns
            if column.field not in without
        )

    def report_unread(self, fields: tuple[ItemField, ...], findings: Findings) -> None:
        """Report columns of ``field_mapping`` that fill a field which nothing reads.

        Args:
            fields: What the operation reads of a record.
            findings: Gets what is wrong.
        """
        read = {field.name for field in fields}
        for column in self.columns:
            if column.field in read or not isinstance(self.node.value, dict):
                continue
            if self.type is OperationType.DELETE:
                message = f'a delete finds its rows by {", ".join(read)}, so "{column.field}" is not read'
                help = f"remove it, or add it to match_on: [{', '.join((*read, column.field))}]"
            else:
                data = f"{self.type}_data"
                message = f'nothing reads "{column.field}" of the file: {data} says what the column gets'
                help = f"write {column.field}: :item.{column.field} in {data}, or remove it from one of them"
            findings.error("wrong-mix", self.at(column.field).key_span, message, help)

    def at(self, column: str) -> Node:
        """Return what to point at for what is wrong with a column."""
        return self.node[column] if isinstance(self.node.value, dict) else self.node


def read_file_source(
    keys: Keys, target: Draft, type_: OperationType, findings: Findings, *, is_step: bool
) -> FileSource | None:
    """Read ``field_mapping``, or say what takes its place: header names are column names.

    Args:
        keys: What the operation says.
        target: The entity that is written.
        type_: What the operation does.
        findings: Gets what is wrong.
        is_step: Whether it is one of several steps.
    """
    source = keys.get("data_source")
    if source is not None and source.value == CSV_FILE:
        if is_step:
            findings.error(
                "wrong-mix",
                source.span,
                "a file is read before an operation begins, so a step cannot go through one",
                "import it with an operation of its own, or load it into a table: {table: ...}",
            )
        elif type_ is OperationType.CUSTOM_FUNCTION:
            findings.error(
                "wrong-mix",
                source.span,
                "a function is not called with the lines of a file",
                "hand them in as records: data_source: :records, or load them into a table: {table: ...}",
            )
        node = keys.get("field_mapping") or source
        return FileSource(_mapping(keys.get, target, type_, findings), node, target, type_)
    for key in CSV_KEYS:
        said = keys.own.get(key)
        if said is not None:
            message = f"{key} only says something with data_source: csv_file"
            findings.error("wrong-mix", said.key_span, message, "add it, or remove the key")
    return None


def _mapping(get: Getter, target: Draft, type_: OperationType, findings: Findings) -> tuple[CsvColumn, ...]:
    node = get("field_mapping")
    if node is not None:
        columns = tuple(_mapped(name, item, target, findings) for name, item in node.items())
        _check_header(get, columns, node, findings)
        return tuple(column for column in columns if column)
    has_header = get("csv_has_header")
    if has_header is not None and has_header.value is False:
        findings.error(
            "missing-key",
            has_header.span,
            "a file without a header does not tell which column is which",
            "add field_mapping: {name: csv_column_1, ...}",
        )
    if type_ is not OperationType.INSERT:
        return ()
    return tuple(
        CsvColumn(
            field.name, None, field.name, required=not field.nullable and not has_default(field, target)
        )
        for field in target.fields
        if field.generated is None and not is_identity(field, target)
    )


def _mapped(name: str, node: Node, target: Draft, findings: Findings) -> CsvColumn | None:
    if name not in target.types:
        unknown_column(name, node.key_span, target, findings)
        return None
    if any(field.name == name and field.generated for field in target.fields):
        message = f'"{name}" is generated, so nothing can be assigned to it'
        findings.error("generated-column", node.key_span, message, "remove it")
        return None
    match = _POSITION.fullmatch(node.value.strip())
    if match is None:
        return CsvColumn(name, None, node.value.strip())
    if int(match[1]) == 0:
        findings.error("out-of-range", node.span, "the columns of a file are counted from 1", "csv_column_1")
        return None
    return CsvColumn(name, int(match[1]), None)


def _check_header(get: Getter, columns: tuple[CsvColumn | None, ...], node: Node, findings: Findings) -> None:
    has_header = get("csv_has_header")
    if has_header is None or has_header.value is not False:
        return
    for column in columns:
        if column and column.header is not None:
            findings.error(
                "wrong-mix",
                node[column.field].span,
                f'the file has no header (csv_has_header: false) to find "{column.header}" in',
                f"name its place: {column.field}: csv_column_N",
            )


def _value(column: CsvColumn, field: Field, target: Draft, span: Span) -> Value:
    reference = Reference("item", column.field, span)
    # What stands in a table that was there before is known only to the database.
    filled = has_default(field, target) or not target.managed
    missing = column.header == column.field and filled and not column.required
    return Defaulted(reference) if missing else reference


def read_format(
    keys: Keys, columns: tuple[CsvColumn, ...], fields: tuple[ItemField, ...], findings: Findings
) -> CsvFormat:
    """Read the ``csv_*`` keys.

    Args:
        keys: The operation's keys.
        columns: The mapping; what it leaves out is found by its own name in the header.
        fields: The fields of a record that the operation reads.
        findings: Gets what is wrong.
    """
    get = keys.get
    named = {column.field: column for column in columns}
    dates, timestamps = read_date_forms(keys.own.get, get, fields, findings)
    plain = {key: _plain(get, key) for key in CSV_KEYS}
    standard = CsvFormat((), mapped=False)
    quote = standard.quote if plain["csv_quote"] is None else plain["csv_quote"]
    format = CsvFormat(
        columns=tuple(named.get(field.name) or CsvColumn(field.name, None, field.name) for field in fields),
        mapped=plain["field_mapping"] is not None,
        delimiter=plain["csv_delimiter"] or standard.delimiter,
        has_header=plain["csv_has_header"] is not False,
        quote=quote,
        escape=plain["csv_escape"] or quote,
        encoding=_encoding(get("csv_encoding"), findings) or standard.encoding,
        null=plain["csv_null"] or standard.null,
        dates=dates,
        timestamps=timestamps,
    )
    _check_characters(get, format, findings)
    return format


def _plain(get: Getter, key: str) -> Any:
    node = get(key)
    return None if node is None else node.value


def _encoding(node: Node | None, findings: Findings) -> str | None:
    if node is None:
        return None
    try:
        found = codecs.lookup(node.value)
    except LookupError:
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True):
        findings.error(
            "unknown-encoding",
            node.span,
            f'there is no encoding "{node.value}"',
            "for example: utf-8, utf-16, latin-1, cp1252",
        )
        return None
    return found.name


def _check_characters(get: Getter, format: CsvFormat, findings: Findings) -> None:
    """Report characters that would mean two things."""
    delimiter, quote, escape = get("csv_delimiter"), get("csv_quote"), get("csv_escape")
    asked = delimiter or quote or escape
    if asked is None:
        return
    if format.delimiter in (format.quote, format.escape):
        node = delimiter or asked
        message = f"{node.path[-1]} is {format.delimiter!r}, which is the quote or escape character too"
        findings.error("wrong-mix", node.span, message, "choose different characters")
    if escape is not None and not format.quote:
        findings.error(
            "wrong-mix",
            escape.span,
            "csv_escape stands before a quote character, and csv_quote says that there is none",
            "remove one of them",
        )


def has_default(field: Field, target: Draft) -> bool:
    """Say whether a column gets a value of its own when none is given."""
    return field.default is not None or (_is_drawn(field, target) and field.type.base == "uuid")


def is_identity(field: Field, target: Draft) -> bool:
    """Say whether a column is a key that counts by itself."""
    return _is_drawn(field, target) and field.default is None and field.type.base in ("integer", "bigint")


def _is_drawn(field: Field, target: Draft) -> bool:
    return target.primary_key == ("id",) and field.name == "id" and field.references is None
