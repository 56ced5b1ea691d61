"""Databases as people have them: what operations leave there is, row by row, what plain statements leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import counting
import pytest
from gates import PATIENCE, blocked_by, holding, wait_until

from . import cases_clinic, cases_rental, cases_trade

if TYPE_CHECKING:
    from .twin import Realm

REALMS = [module.REALM for module in (cases_rental, cases_trade, cases_clinic)]


@pytest.fixture(params=REALMS, ids=[realm.name for realm in REALMS])
def realm(request: pytest.FixtureRequest) -> Realm:
    return request.param


def test_nothing_is_found_wrong_with_a_sound_database_and_deploying_again_changes_nothing(
    twin_of, realm
) -> None:
    twin = twin_of(realm)
    code, _, err = twin.specgen("validate")
    assert (code, err) == (0, "")
    before = twin.rows(twin.worked, "SELECT proname, prosrc FROM pg_proc ORDER BY oid"), twin.differences()
    assert twin.specgen("deploy")[0] == 0
    assert (
        twin.rows(twin.worked, "SELECT proname, prosrc FROM pg_proc ORDER BY oid"),
        twin.differences(),
    ) == before
    assert before[1] == {}


@pytest.mark.parametrize("how", [("--workers", "2"), ("--once",)], ids=["workers", "once"])
def test_each_operation_leaves_what_plain_statements_leave(twin_of, realm, how: tuple[str, ...]) -> None:
    twin = twin_of(realm)
    for case in realm.cases:
        twin.play(case, *how)


def test_an_operation_that_is_killed_and_resumed_leaves_what_one_plain_statement_leaves(
    twin_of, realm
) -> None:
    twin, case = twin_of(realm), realm.interrupted
    with holding(twin.worked, realm.lock) as blocker:
        process = counting.specgen(
            twin.worked, "run", *case.arguments(twin.folder), "--workers", "2", cwd=twin.project
        )
        wait_until(lambda: blocked_by(blocker))
        process.kill()
        process.communicate(timeout=PATIENCE)
    operation_id = counting.latest(twin.worked)
    assert twin.differences(), "it was over before it was killed"
    code, out, err = twin.specgen("run", "--resume", str(operation_id), "--workers", "2", "--json")
    assert code == 0, err
    assert json.loads(out)["accounting"]["holds"]
    twin.compare(case)
    # Called again by its name, it does nothing.
    code, out, err = twin.specgen(
        "run", *case.arguments(twin.folder), "-o", f"operation_id={operation_id}", "--json"
    )
    assert code == 0, err
    assert twin.differences() == {}
