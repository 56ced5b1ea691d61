"""What reads a file of records for an operation, and what is said of what it met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.dateforms import date_form, datetime_form, without_form
from specgen.errors import UsageError
from specgen.runtime.inputs.columns import Column
from specgen.runtime.inputs.csvfile import CsvFile, Dialect
from specgen.runtime.inputs.jsonfile import JsonArray, JsonLines
from specgen.runtime.inputs.records import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from specgen.dateforms import DateForm, Dates
    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.inputs.records import Reader
    from specgen.spec.model import CsvFormat

TYPES_OF_JSON = ("json", "jsonb")


def open_reader(planned: PlannedOperation, path: Path, known: Mapping[str, Dates]) -> Reader:
    """Return a reader for a file, by the end of its name.

    Args:
        planned: What its records are for.
        path: The file.
        known: By type, the dates in its values.

    Raises:
        UsageError: It cannot be opened, or its dates not be read as the spec says.
    """
    kind = kind_of(path)
    fields = [item.name for item in planned.item_fields]
    dates = {item.name: known[item.type] for item in planned.item_fields if item.type in known}
    if kind == "json":
        return JsonArray(path, fields, dates)
    if kind == "jsonl":
        return JsonLines(path, fields, dates)
    _refuse_unformed(planned, known)
    return CsvFile(path, _dialect(planned, dates))


def _refuse_unformed(planned: PlannedOperation, known: Mapping[str, Dates]) -> None:
    """Refuse forms that do not hold for all that is read; it would be read by ``DateStyle``.

    Raises:
        UsageError: They do not.
    """
    csv = planned.csv
    typed = [(item.name, item.type) for item in planned.item_fields]
    wrong = without_form(typed, known, csv.dates, csv.timestamps) if csv else None
    if wrong is not None:
        message, help = wrong
        raise UsageError(f"{planned.origin}: {message}", help=f"{help}; nothing was imported")


def _dialect(planned: PlannedOperation, dates: Mapping[str, Dates]) -> Dialect:
    csv = planned.csv
    types = {item.name: item.type for item in planned.item_fields}
    if csv is None:
        return Dialect(tuple(_column(name, kind, dates.get(name)) for name, kind in types.items()))
    return Dialect(
        columns=tuple(
            _column(
                item.field,
                types.get(item.field, "text"),
                dates.get(item.field),
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
    dates: Dates | None,
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
        dates=dates,
        form=_date_form(dates, csv) if dates and csv else None,
    )


def _date_form(dates: Dates, csv: CsvFormat) -> DateForm | None:
    """Return how the values of a column are written, if the spec says so."""
    if dates.inside:
        return None
    if dates.timed and csv.timestamps:
        return datetime_form(csv.timestamps)
    return date_form(csv.dates, before_time=dates.timed) if csv.dates else None
