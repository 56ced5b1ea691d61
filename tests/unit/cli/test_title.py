"""What every user of a machine sees of a process: its command line, without the password that stood in it."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from specgen.database.argv import urls, without_logins
from specgen.testing.run import plugin_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[3]
SECRET = "Tr0ub4dor"

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")


@contextmanager
def silence() -> Iterator[tuple[socket.socket, int]]:
    """A server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server, server.getsockname()[1]


def command_line_while_it_waits(command: Sequence[str], server: socket.socket, folder: Path) -> str:
    """The command line of a process, as others see it, once it has connected."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        peer, _ = server.accept()
        with peer:
            return Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("notify",),
        ("run", "--resume", "6f1c2a52-7d4e-4a0b-9a53-0a8d6b1f2c11"),
        ("run", "touch"),
        ("deploy",),
        ("validate",),
        ("test", "run"),
        ("--debug", "status"),
    ],
)
@pytest.mark.parametrize("one_word", [True, False])
def test_the_password_is_not_in_the_title_of_a_command(
    tmp_path: Path, command: tuple[str, ...], one_word: bool
) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "user.yaml").write_text(
        "name: user\nfields: {id: bigint, n: integer}\npatterns:\n"
        "  - {name: batch_operations, operation: touch, operation_type: update, update_data: {n: 1}, where_condition: 'true'}\n"
    )
    with silence() as (server, port):
        url = f"postgresql://me:{SECRET}@127.0.0.1:{port}/app"
        given = [f"--database-url={url}"] if one_word else ["--database-url", url]
        seen = command_line_while_it_waits(["-m", "specgen", *command, *given], server, tmp_path)
    assert SECRET not in seen
    assert "--database-url" in seen, "the rest is there: whoever looks for the process finds it"
    assert " ".join(command) in seen.replace("\0", " ")


@pytest.mark.parametrize(
    "form", ["host=127.0.0.1 port={} password={}", "postgresql://127.0.0.1:{}/?password={}"]
)
def test_nor_however_else_it_is_written(tmp_path: Path, form: str) -> None:
    with silence() as (server, port):
        command = ["-m", "specgen", "status", "--database-url", form.format(port, SECRET)]
        assert SECRET not in command_line_while_it_waits(command, server, tmp_path)


def test_nor_in_that_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "specgen.yaml").write_text("schema: public\n")
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "user.yaml").write_text("name: user\nfields: {id: bigint}\n")
    (tmp_path / "test_x.py").write_text("def test_x(sandbox):\n    pass\n")
    with silence() as (server, port):
        url = f"postgresql://me:{SECRET}@127.0.0.1:{port}/app"
        command = ["-m", "pytest", *plugin_arguments(), "--specgen-database-url", url]
        assert SECRET not in command_line_while_it_waits(command, server, tmp_path)


def test_a_title_without_a_password_is_left_alone(tmp_path: Path) -> None:
    with silence() as (server, port):
        command = ["-m", "specgen", "status", "--database-url", f"postgresql://me@127.0.0.1:{port}/app"]
        seen = command_line_while_it_waits(command, server, tmp_path)
    assert seen.split("\0")[1:-1] == command


def test_a_url_that_stands_in_the_wrong_place_is_told_without_its_login() -> None:
    url = f"postgresql://me:{SECRET}@h/app"
    for command in (
        ["status", url],
        ["status", "a", url],
        ["run", url],
        ["--databse-url", url],
        ["deploy", url],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "specgen", *command], capture_output=True, text=True, check=False,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PGHOST": "127.0.0.1"},
        )  # fmt: skip
        assert done.returncode == 2
        assert SECRET not in done.stdout + done.stderr


def test_connection_strings_are_found_on_a_command_line() -> None:
    assert urls(["specgen", "run", "--database-url", "a", "--database-url=b", "-p", "c=d"]) == ["a", "b"]
    assert without_logins("see https://me:pw@h/x and https://h/y") == "see https://***@h/x and https://h/y"
