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
    from specgen.plan.driving import Records
    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.inputs.records import Reader
    from specgen.spec.model import CsvFormat

TYPES_OF_JSON = ("json", "jsonb")


def records_of(planned: PlannedOperation) -> Records:
    """Return the records that an operation takes.

    Raises:
        UsageError: It takes none.
    """
    if planned.records is None:
        raise UsageError(
            f"{planned.name} takes no records, so no file of them either",
            help="an operation of one step with data_source: csv_file or :records does; one that calls a"
            " function takes records as a parameter, -p records=@FILE.json",
        )
    return planned.records


def open_reader(records: Records, origin: str, path: Path, known: Mapping[str, Dates]) -> Reader:
    """Return a reader for a file, by the end of its name.

    Args:
        records: What it holds.
        origin: Where the spec says so.
        path: The file.
        known: By type, the dates in its values.

    Raises:
        UsageError: It cannot be opened, or its dates not be read as the spec says.
    """
    kind = kind_of(path)
    fields = [item.name for item in records.shape.fields]
    dates = {item.name: known[item.type] for item in records.shape.fields if item.type in known}
    if kind == "json":
        return JsonArray(path, fields, dates)
    if kind == "jsonl":
        return JsonLines(path, fields, dates)
    _refuse_unformed(records, origin, known)
    return CsvFile(path, _dialect(records, dates))


def _refuse_unformed(records: Records, origin: str, known: Mapping[str, Dates]) -> None:
    """Refuse forms that do not hold for all that is read; it would be read by ``DateStyle``.

    Raises:
        UsageError: They do not.
    """
    csv = records.csv
    typed = [(item.name, item.type) for item in records.shape.fields]
    wrong = without_form(typed, known, csv.dates, csv.timestamps) if csv else None
    if wrong is not None:
        message, help = wrong
        raise UsageError(f"{origin}: {message}", help=f"{help}; nothing was imported")


def _dialect(records: Records, dates: Mapping[str, Dates]) -> Dialect:
    csv = records.csv
    types = {item.name: item.type for item in records.shape.fields}
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
