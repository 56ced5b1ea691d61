"""What is printed: text from elsewhere is shown, never obeyed; what specgen adds itself still works."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hostile import CONTROLS, TEXT, check_harmless, check_shown
from hypothesis import given
from hypothesis import strategies as st

from specgen.cli.commands import Program
from specgen.cli.main import main
from specgen.cli.printing import document as printed
from specgen.cli.progress import Lines
from specgen.database.connection import SqlError
from specgen.errors import DatabaseUnavailable, SpecgenError
from specgen.runtime.events import Reconnecting, Retrying, WorkerFailed
from specgen.visible import json_text, visible, visible_lines

ROOT = Path(__file__).parents[3]


def test_what_is_harmless_stays_as_it_is() -> None:
    text = "Überfällig: naïve 日本語 👩\u200d👩\u200d👧 \u00a0 עברית \\x1b"
    assert visible(text) == visible_lines(text) == text
    assert visible_lines("a\n\tb") == "a\n\tb"
    assert visible("a\n\tb\x1b\x9b\u202e\ud800") == r"a\n\tb\x1b\x9b\u202e\ud800"


@given(st.text(st.characters(codec=None, categories=None, exclude_categories=())))
def test_no_text_comes_through(text: str) -> None:
    check_harmless(visible(text).replace("FORGED", ""))
    visible(text).encode()


@given(
    st.recursive(st.text() | st.none() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_json_says_the_same_and_does_nothing(document: object) -> None:
    text = json_text(document)
    assert json.loads(text) == document
    check_harmless(text.replace("FORGED", ""))


@pytest.mark.parametrize(
    "error",
    [
        SpecgenError(TEXT, help=TEXT),
        DatabaseUnavailable(TEXT),
        SqlError(TEXT, sqlstate="XX000", detail=TEXT, where=TEXT),
        click.UsageError(TEXT),
        click.BadParameter(TEXT),
        OSError(2, "No such file", TEXT),
        ValueError(TEXT),
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_a_message_is_shown(error: Exception, debug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program("specgen", lazy={})

    @program.command()
    def fail() -> None:
        raise error

    monkeypatch.setenv("SPECGEN_DEBUG", debug)
    printed = CliRunner().invoke(program, ["fail"]).stderr
    if not debug:
        check_shown(printed)
    check_harmless(printed.replace("\nFORGED", "") if debug else printed)


def test_progress_lines_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(TEXT)
    lines(Retrying(1, "40P01", TEXT, 2, 0.1))
    lines(Reconnecting(1, TEXT, 2, 0.1))
    lines(WorkerFailed(1, SpecgenError(TEXT)))
    check_shown(capsys.readouterr().err)


HOSTILE_SPEC = """
name: user
description: "a\\e]0;owned\\a\\u009b2J\\u202e"
fields: {id: bigint, status: string}
patterns:
  - name: batch_operations
    operation: touch
    description: "a\\e]0;owned\\a\\u009b2J\\u202e"
    operation_type: update
    update_data: {status: "a\\e]0;owned\\a\\u009b2J\\u202e"}
    where_condition: "true"
"""


@pytest.mark.parametrize("arguments", [["explain", "touch"], ["explain", "touch", "--json"], ["validate"]])
@pytest.mark.parametrize("flaw", ["", 'unknown: "\\e]0;owned\\a\\u009b"', '"\\e]0;owned\\a": 1'])
def test_text_of_a_spec_is_shown(tmp_path: Path, arguments: list[str], flaw: str) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / f"u{CONTROLS.replace('/', '')}.yaml").write_text(HOSTILE_SPEC + flaw + "\n")
    for form in ("text", "json", "sarif", "github") if arguments == ["validate"] else ("",):
        more = ["--format", form] if form else []
        done = CliRunner().invoke(main, [*arguments, *more, "--project", str(tmp_path)])
        assert "internal error" not in done.stderr, done.stderr
        check_harmless(done.stdout)
        check_harmless(done.stderr)


def test_completion_offers_descriptions_that_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "u.yaml").write_text(HOSTILE_SPEC)
    words = f"specgen explain --project {tmp_path} to"
    for shell in ("zsh", "fish"):
        variables = {
            "_SPECGEN_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": "4" if shell == "zsh" else "to",
        }
        printed = CliRunner().invoke(main, [], env=variables).stdout
        assert "touch" in printed
        check_shown(printed)


def on_a_terminal(*arguments: str) -> bytes:
    """What a terminal gets of specgen's stdout."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "specgen", *arguments], stdout=slave, stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    os.close(slave)
    shown = b""
    try:
        while received := os.read(master, 65536):
            shown += received
    except OSError:  # what a terminal says when its last user has left
        pass
    os.close(master)
    process.wait()
    return shown


def test_what_programs_read_is_exact_but_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "u.yaml").write_text(HOSTILE_SPEC)
    piped = subprocess.run(
        [sys.executable, "-m", "specgen", "deploy", "--dry-run", "--project", str(tmp_path)],
        capture_output=True, check=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    ).stdout  # fmt: skip
    assert b"\x1b]0;owned" in piped, "psql is to run what was generated"
    shown = on_a_terminal("deploy", "--dry-run", "--project", str(tmp_path))
    check_shown(shown.decode().replace("\r\n", "\n"))
    assert len(shown) > 10_000


def test_numbers_keep_their_digits_in_json() -> None:
    text = json_text(
        {"a": [Decimal("1.10"), Decimal("12345678901234567890.01"), "1.10"], "b": {1}}, default=str
    )
    assert '"a": [\n    1.10,\n    12345678901234567890.01,\n    "1.10"\n  ]' in text
    assert json.loads(text)["b"] == "{1}"


def test_what_programs_read_keeps_what_looks_like_an_escape_sequence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed("a\x1b[2Jb\n")
    assert capsys.readouterr().out == "a\x1b[2Jb\n"
