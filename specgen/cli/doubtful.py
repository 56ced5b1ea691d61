"""Dates that can be read in two ways: whoever gives them is told, once a column or parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.cli.printing import say, visible
from specgen.dateforms import can_be_read_twice, is_date

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from specgen.plan.planned import PlannedOperation
    from specgen.runtime.arguments import Parameter
    from specgen.runtime.inputs.records import Reader


def tell_of_records(planned: PlannedOperation, reader: Reader) -> None:
    """Warn of the dates of a file that DateStyle decided."""
    from specgen.runtime.inputs.csvfile import CsvFile

    for column, found in reader.doubtful.items():
        _tell(f"{column}, line {found.line}", found.value)
    if reader.doubtful:
        in_spec = planned.csv is not None and isinstance(reader, CsvFile)
        say(f"   help: {'in the spec: csv_date_format: DD/MM/YYYY' if in_spec else _ISO}", err=True)


def tell_of_parameters(parameters: Sequence[Parameter], arguments: Mapping[str, str | None]) -> None:
    """Warn of the dates among parameters that DateStyle decides."""
    doubtful = {
        item.name: value
        for item in parameters
        if is_date(item.type) and (value := arguments.get(item.name)) and can_be_read_twice(value)
    }
    for name, value in doubtful.items():
        _tell(f"parameter {name}", value)
    if doubtful:
        say(f"   help: {_ISO}", err=True)


_ISO = "write dates as YYYY-MM-DD"


def _tell(where: str, value: str) -> None:
    say(
        f'warning: {visible(where)}: "{visible(value)}" can have the day or the month first; the session\'s '
        "DateStyle decides",
        err=True,
    )
