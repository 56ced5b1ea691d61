"""What a user reads when something is wrong: a message and an exit code, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from specgen import __version__
from specgen.cli.commands import Program
from specgen.cli.main import main
from specgen.errors import DatabaseUnavailable, Refused, SpecgenError, UsageError

ROOT = Path(__file__).parents[3]


def failing_with(error: BaseException) -> Program:
    program = Program("specgen", lazy={})

    @program.command()
    def fail() -> None:
        raise error

    return program


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (SpecgenError("no"), 1, "error: no\n"),
        (SpecgenError("no", help="yes"), 1, "error: no\n   help: yes\n"),
        (UsageError("what?"), 2, "error: what?\n"),
        (DatabaseUnavailable("gone", kind="url"), 3, "error: url database: gone\n"),
        (Refused("confirm it"), 4, "error: confirm it\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: Permission denied\n"),
        (click.Abort(), 130, "Aborted.\n"),
        (KeyboardInterrupt(), 130, "Aborted.\n"),
        (click.exceptions.Exit(7), 7, ""),
    ],
)
def test_errors_become_messages_and_exit_codes(error: BaseException, code: int, message: str) -> None:
    result = CliRunner().invoke(failing_with(error), ["fail"])
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.lstrip("\n") == message


def test_a_defect_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    program = failing_with(ZeroDivisionError("division by zero"))
    result = CliRunner().invoke(program, ["fail"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: internal error: ZeroDivisionError: division by zero\n")
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("SPECGEN_DEBUG", "1")
    assert "Traceback" in CliRunner().invoke(program, ["fail"]).stderr


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


def test_version() -> None:
    assert run("--version").stdout == f"specgen {__version__}\n"


def test_a_word_that_is_no_command() -> None:
    result = run("generat")
    assert result.exit_code == 2
    assert "No such command 'generat'. Did you mean 'generate'?" in result.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("generate test", "specgen generate tests"),
        ("generate tets", "specgen generate tests"),
        ("tests run", "test run"),
        ("list", "status"),
        ("migrate", "deploy"),
        ("help", "--help"),
        ("test runn", "run"),
    ],
)
def test_what_is_typed_by_who_knows_other_programs_leads_to_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, meant: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*typed.split())
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr


def test_an_entity_is_named_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "user.yaml").write_text("name: user\nfields: {id: uuid}\n")
    assert "Path 'user' does not exist. Did you mean 'entities/user.yaml'?" in run("validate", "user").stderr
    assert run("validate", "usr").stderr.endswith("Path 'usr' does not exist.\n")


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "specgen",
        "generate",
        "--project",
        str(ROOT),
        "--diff",
        "-o",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_calls_back(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_SPECGEN_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [("specgen gen", "generate"), ("specgen generate te", "tests"), ("specgen generate --di", "--diff")],
)
def test_completion_completes(words: str, offered: str) -> None:
    count = len(words.split()) - 1
    variables = {"_SPECGEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    result = CliRunner().invoke(main, [], env=variables)
    assert f"plain,{offered}" in result.stdout.splitlines()


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("-p before 2020-01-01", "name and value are one word: -p before=2020-01-01"),
        ("orders.csv", "a file is passed as --input orders.csv"),
        ("before=2020-01-01", "a parameter is passed as -p before=2020-01-01"),
        ("--before 2020-01-01", "a parameter is passed as -p before=VALUE"),
        ("--before=2020-01-01", "a parameter is passed as -p before=VALUE"),
    ],
)
def test_a_parameter_that_is_passed_otherwise_is_told_how(typed: str, hint: str) -> None:
    result = run("run", "archive", *typed.split())
    assert result.exit_code == 2
    assert result.stderr.endswith(f": {hint}\n")
