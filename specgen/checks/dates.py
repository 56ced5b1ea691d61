"""Whether the forms of a file's dates hold for all that is read, own types included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.database.datetypes import dates_of_types
from specgen.dateforms import without_form
from specgen.plan.driving import Records

if TYPE_CHECKING:
    from specgen.checks.parts import Part
    from specgen.checks.probe import Probe
    from specgen.diagnostics import Findings


def check_dates(part: Part, probe: Probe, findings: Findings) -> None:
    """Report types that have dates inside of their values, for which no form of dates holds."""
    driving = part.planned.driving
    csv = driving.csv if isinstance(driving, Records) else None
    if csv is None or not (csv.dates or csv.timestamps):
        return
    typed = [(item.name, item.type) for item in part.planned.fields]
    known = dates_of_types(probe.rows, [kind for _, kind in typed if probe.type_oid(kind) is not None])
    wrong = without_form(typed, known, csv.dates, csv.timestamps)
    if wrong is not None:
        findings.error("wrong-mix", part.operation.span, *wrong)
