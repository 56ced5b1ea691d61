"""Which values that a run reads are dates, or have dates inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specgen.dateforms import dates_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specgen.dateforms import Dates
    from specgen.plan.planned import PlannedOperation


def dates_in(url: str, planned: PlannedOperation, types: Iterable[str]) -> dict[str, Dates]:
    """Return the dates in the values of types; the database is asked about its owner's types alone.

    Raises:
        DatabaseUnavailable: It has to be asked, and does not answer.
    """
    from specgen.database.connection import connect, translated
    from specgen.database.datetypes import dates_of_types
    from specgen.spec.types import is_of_user

    wanted = dict.fromkeys(types)
    found = {kind: held for kind in wanted if (held := dates_of(kind))}
    own = [kind for kind in wanted if is_of_user(kind)]
    if own:
        # Their names are looked up as the functions will; what names none of them searches less.
        path = max(
            (body.search_path for body in (planned.body, *(step.body for step in planned.steps))), key=len
        )
        with connect(url, application="specgen run") as connection, translated(), connection.transaction():
            connection.execute(f"SET LOCAL search_path = {', '.join(path)}".encode())
            found |= dates_of_types(
                lambda query, values: connection.execute(query.encode(), values).fetchall(), own
            )
    return found
