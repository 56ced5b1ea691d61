"""The generated tests notice broken SQL: a few mutants in every run; ``make mutants`` tries them all."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from specgen.spec.build import load_project
from specgen.testing import environment
from tests.mutation.__main__ import HERE, mutate, run
from tests.mutation.mutants import MUTANTS, SMOKE, Mutant

if TYPE_CHECKING:
    from specgen.database.server import Server


@pytest.mark.parametrize("name", SMOKE)
def test_a_mutant_is_noticed(postgres_server: Server, name: str) -> None:
    (mutant,) = [item for item in MUTANTS if item.name == name]

    (verdict,) = run([mutant], Namespace(database_url=postgres_server.dsn, postgres=None, jobs=1))

    assert verdict.noticed_by is not None


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert len({item.name for item in MUTANTS}) == len(MUTANTS)


def test_every_mutant_still_finds_the_text_that_it_breaks() -> None:
    project = load_project([], root=HERE / "project").project
    assert project is not None
    files = environment.rendered(project)
    for mutant in MUTANTS:
        mutate(files, mutant)


def test_a_mutant_that_does_not_apply_is_an_error() -> None:
    with pytest.raises(SystemExit, match="does not apply"):
        mutate([("00_runtime.sql", "SELECT 1;")], Mutant("x", "no such text", ""))
