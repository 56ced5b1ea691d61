"""The providers under test, each for real: what it takes to make one here and in a process of its own."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from gates import PATIENCE

from specgen.database import watchdog
from specgen.database.container import ContainerProvider, docker_reachable
from specgen.database.embedded import EmbeddedProvider
from specgen.database.url import UrlProvider

from . import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specgen.database.provider import Provider
    from specgen.database.server import Server

ROOT = Path(__file__).parents[3]

# A process that owns a server until it is told otherwise, and says what belongs to it.
OWNER = """
import json, sys, time
from specgen.database.{module} import {provider}
provider = {provider}({arguments})
with provider as server:
    watcher = getattr(provider, "_watchdog", None) or getattr(provider, "_reaper", None)
    print(json.dumps({{
        "dsn": server.dsn,
        "folder": str(getattr(provider, "folder", "")),
        "container": getattr(provider, "container_id", ""),
        "watcher": watcher.pid if watcher else 0,
    }}), flush=True)
    {body}
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One provider: how to make it, here and in another process."""

    name: str
    make: Callable[[], Provider]
    source: dict[str, str]
    version: int

    def program(self, body: str, python: str = sys.executable) -> list[str]:
        return [python, "-c", OWNER.format(body=body, **self.source)]


@dataclass(slots=True)
class Owner:
    """A process with a server."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]

    def send(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE)

    def finish(self) -> str:
        """Let it leave its block in the ordinary way; what it wrote to stderr."""
        return self.process.communicate("\n", timeout=PATIENCE)[1]


@contextmanager
def owner_of(
    case: Case, body: str = "sys.stdin.readline()", python: str = sys.executable, **options: Any
) -> Iterator[Owner]:
    """Start a process that owns a server."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path} | options.pop("environment", {})
    process = subprocess.Popen(
        case.program(body, python),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd="/",
        **options,
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate(timeout=PATIENCE)[1]
            yield Owner(process, json.loads(line))
        finally:
            process.kill()


def answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def remains(facts: dict[str, Any]) -> list[str]:
    """What is still there of a server."""
    found = []
    if facts["folder"] and Path(facts["folder"]).exists():
        found.append("folder")
    if facts["folder"] and watchdog.members(facts["folder"], []):
        found.append("processes")
    if facts["container"] and container_exists(facts["container"]):
        found.append("container")
    if (facts["folder"] or facts["container"]) and answers(facts["dsn"]):
        found.append("server")
    return found


def container_exists(container: str) -> bool:
    import docker

    client = docker.from_env()
    try:
        return any(found["Id"] == container for found in client.api.containers(all=True))
    finally:
        client.close()


def assert_gone(facts: dict[str, Any]) -> None:
    """See it go; how soon is a matter of the machine."""
    deadline = time.monotonic() + PATIENCE
    while (left := remains(facts)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


@pytest.fixture(scope="session")
def container_engine() -> Iterator[None]:
    """A container engine: the one that answers, else one that is started for this run."""
    if docker_reachable():
        yield
    else:
        if not (os.access(engine.SCRIPT, os.X_OK) and os.geteuid() == 0):
            pytest.skip("no container engine answers")
        with engine.running() as exports, pytest.MonkeyPatch.context() as patch:
            for name, value in exports.items():
                patch.setenv(name, value)
            yield


@pytest.fixture(params=["embedded18", "embedded15", "container", "url"])
def case(request: pytest.FixtureRequest, server_of: Callable[[int], Server]) -> Case:
    """Each provider in turn."""
    if request.param == "container":
        request.getfixturevalue("container_engine")
        source = {"module": "container", "provider": "ContainerProvider", "arguments": ""}
        return Case("container", ContainerProvider, source, newest_image())
    if request.param == "url":
        dsn = server_of(18).dsn
        source = {"module": "url", "provider": "UrlProvider", "arguments": repr(dsn)}
        return Case("url", lambda: UrlProvider(dsn), source, 18)
    major = int(request.param.removeprefix("embedded"))
    server_of(major)
    return embedded(major)


def embedded(major: int) -> Case:
    arguments = f"postgres={major}, in_memory=True"
    source = {"module": "embedded", "provider": "EmbeddedProvider", "arguments": arguments}
    return Case(f"embedded{major}", lambda: EmbeddedProvider(postgres=major, in_memory=True), source, major)


def newest_image() -> int:
    """The version that the container provider takes when none is asked for."""
    from specgen.database.container import _image

    return int(_image(None).rpartition(":")[2])


@pytest.fixture
def nobody() -> dict[str, Any]:
    """How to start a process as an ordinary user; skips where we are one, or where it could not run."""
    if os.geteuid() != 0:
        pytest.skip("not root: every other test runs as an ordinary user already")
    packages = sysconfig.get_path("purelib")
    for place in (Path(packages), ROOT):
        if not open_to_all(place):
            pytest.skip(f"an ordinary user cannot enter {place}")
    python = next((path for path in pythons() if open_to_all(path.resolve())), None)
    if python is None:
        pytest.skip("an ordinary user cannot run this Python")
    return {
        "python": str(python),
        "environment": {"HOME": "/nonexistent", "PYTHONPATH": f"{ROOT}:{packages}"},
        "user": "nobody",
        "group": pwd.getpwnam("nobody").pw_gid,
        "extra_groups": [],
    }


def pythons() -> Iterator[Path]:
    """This interpreter, then others of its version: it may be root's own."""
    yield Path(sys.executable)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    yield from (folder / name for folder in map(Path, os.get_exec_path()) if (folder / name).is_file())
    system = Path("/usr/bin") / name
    if system.is_file():
        yield system


def open_to_all(place: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (place, *place.parents))
