"""What reads a file of records for an operation, and what is said of what it met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.dateforms import date_form, datetime_form, is_date, is_timestamp
from specgen.runtime.inputs.columns import Column
from specgen.runtime.inputs.csvfile import CsvFile, Dialect
from specgen.runtime.inputs.jsonfile import JsonArray, JsonLines
from specgen.runtime.inputs.records import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from specgen.dateforms import DateForm
    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.inputs.records import Reader
    from specgen.spec.model import CsvFormat

TYPES_OF_JSON = ("json", "jsonb")


def open_reader(planned: PlannedOperation, path: Path) -> Reader:
    """Return a reader for a file, by the end of its name."""
    kind = kind_of(path)
    fields = [item.name for item in planned.item_fields]
    dates = [item.name for item in planned.item_fields if is_date(item.type)]
    if kind == "json":
        return JsonArray(path, fields, dates)
    if kind == "jsonl":
        return JsonLines(path, fields, dates)
    return CsvFile(path, _dialect(planned))


def _dialect(planned: PlannedOperation) -> Dialect:
    csv = planned.csv
    types = {item.name: item.type for item in planned.item_fields}
    if csv is None:
        return Dialect(tuple(_column(name, kind) for name, kind in types.items()))
    return Dialect(
        columns=tuple(
            _column(
                item.field,
                types.get(item.field, "text"),
                place=(item.position, item.header),
                required=item.required,
                csv=csv,
            )
            for item in csv.columns
        ),
        mapped=csv.mapped,
        delimiter=csv.delimiter,
        has_header=csv.has_header,
        quote=csv.quote,
        escape=csv.escape,
        encoding=csv.encoding,
        null=csv.null,
    )


def _column(
    name: str,
    kind: str,
    *,
    place: tuple[int | None, str | None] | None = None,
    required: bool = True,
    csv: CsvFormat | None = None,
) -> Column:
    position, header = place or (None, name)
    return Column(
        field=name,
        position=position,
        header=header,
        required=required,
        is_json=kind in TYPES_OF_JSON,
        is_date=is_date(kind),
        form=_date_form(kind, csv) if csv else None,
    )


def _date_form(kind: str, csv: CsvFormat) -> DateForm | None:
    """Return how the values of a column are written, if the spec says so."""
    timestamp = is_timestamp(kind)
    if timestamp and csv.timestamps:
        return datetime_form(csv.timestamps)
    return date_form(csv.dates, before_time=timestamp) if csv.dates and is_date(kind) else None
