"""``specgen schema``: what goes to a file, and nothing else."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from specgen.cli.main import main
from specgen.spec.published import published_text


@pytest.mark.parametrize(
    ("arguments", "name"), [([], "entity"), (["entity"], "entity"), (["specgen"], "specgen")]
)
def test_the_schema_that_is_asked_for_goes_to_stdout(arguments: list[str], name: str) -> None:
    result = CliRunner().invoke(main, ["schema", *arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == published_text(name)
    assert json.loads(result.stdout)["title"]


def test_there_is_no_other_schema() -> None:
    result = CliRunner().invoke(main, ["schema", "entities"])
    assert result.exit_code == 2
    assert "'entity', 'specgen'" in result.stderr
