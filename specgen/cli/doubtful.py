"""Dates that can be read in two ways: whoever gives them is told, once a column or parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from specgen.cli.dates import dates_in
from specgen.cli.printing import say, visible
from specgen.dateforms import ambiguous

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specgen.dateforms import Dates
    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.calls import Call
    from specgen.runtime.inputs.records import Reader


def tell_of_records(planned: PlannedOperation, reader: Reader) -> None:
    """Warn of the dates of a file that DateStyle decided."""
    from specgen.runtime.inputs.csvfile import CsvFile

    for column, found in reader.doubtful.items():
        _tell(f"{column}, line {found.line}", found.value)
    if reader.doubtful:
        in_spec = (
            planned.records is not None and planned.records.csv is not None and isinstance(reader, CsvFile)
        )
        say(f"   help: {'in the spec: csv_date_format: DD/MM/YYYY' if in_spec else _ISO}", err=True)


def tell_of_parameters(url: str, planned: PlannedOperation, call: Call) -> None:
    """Warn of the dates among a call's parameters that DateStyle decides."""
    given = {item.name: (item.type, call.arguments.get(item.name) or "") for item in call.parameters}
    # JSON may have a backslash before each slash. Without such a date no database is asked about types.
    given = {
        name: (kind, value)
        for name, (kind, value) in given.items()
        if ambiguous(value.replace("\\/", "/"), inside=True)
    }
    fields = {name: _fields_of(planned, name) for name in given}
    types = [kind for kind, _ in given.values()]
    types += [kind for record in fields.values() for kind in record.values()]
    known = dates_in(url, planned, types)
    doubtful: dict[str, str] = {}
    for name, (kind, value) in given.items():
        if fields[name]:
            dated = {field: known[item] for field, item in fields[name].items() if item in known}
            doubtful |= _in_records(name, value, dated)
        elif kind in known and (found := ambiguous(value, inside=known[kind].inside)):
            doubtful[f"parameter {name}"] = found
    for where, found in doubtful.items():
        _tell(where, found)
    if doubtful:
        say(f"   help: {_ISO}", err=True)


def _fields_of(planned: PlannedOperation, name: str) -> dict[str, str]:
    """Return what is read of the records in a parameter, with its type; nothing where it has none."""
    if planned.records is not None and planned.records.parameter.name == name:
        return {item.name: item.type for item in planned.records.shape.fields}
    read = {
        field for parameter, names in planned.handed_in_records if parameter.name == name for field in names
    }
    return {item.name: item.type for step in planned.steps for item in step.fields if item.name in read}


def _in_records(name: str, value: str, dated: Mapping[str, Dates]) -> dict[str, str]:
    """Return the first date of each field that can be read in two ways, by where it stands."""
    doubtful: dict[str, str] = {}
    left = dict(dated)
    records = json.loads(value) if left else None
    for number, record in enumerate(records if isinstance(records, list) else (), 1):
        for field in [name for name in left if name in record] if isinstance(record, dict) else ():
            found = ambiguous(record[field], inside=left[field].inside)
            if found:
                del left[field]
                doubtful[f"parameter {name}, record {number}, {field}"] = found
    return doubtful


_ISO = "write dates as YYYY-MM-DD"


def _tell(where: str, value: str) -> None:
    say(
        f'warning: {visible(where)}: "{visible(value)}" can have the day or the month first; the session\'s '
        "DateStyle decides",
        err=True,
    )
