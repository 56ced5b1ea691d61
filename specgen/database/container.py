"""A PostgreSQL in a container, through the package ``testcontainers``; its data stays in memory.

testcontainers' own reaper container is kept off, because it is one more image to pull, and one that
needs the engine's socket. ``reap.py`` removes the container instead, also after ``kill -9``.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from specgen.database import owner, reap
from specgen.database.server import Kind, Server
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from types import TracebackType

DEFAULT_MAJOR = 18
SUPPORTED_MAJORS = range(15, 19)
START_TIMEOUT = 60.0
REACH_TIMEOUT = 2
DATA = "/pgdata"
OWNER = "org.specgen.owner"

COMMAND = "postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c timezone=UTC"


def docker_reachable() -> bool:
    """Whether an engine answers; quick, and silent."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    # Spares the import of the package where there is no Docker at all; which, on a socket that nobody
    # listens to, would also leave its own end open.
    if host.startswith("unix://") and not listened_to(host.removeprefix("unix://")):
        return False
    try:
        import docker  # slow to import

        client = docker.from_env(timeout=REACH_TIMEOUT)
    except Exception:  # the packages raise many kinds, and all of them mean no
        return False
    try:
        return bool(client.ping())
    except Exception:
        return False
    finally:
        client.close()


def listened_to(path: str) -> bool:
    """Whether anybody accepts connections on a local socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(REACH_TIMEOUT)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


class ContainerProvider:
    """Starts a server in a container and removes it with its volumes."""

    def __init__(self, *, postgres: int | None = None) -> None:
        """Take the version; nothing is started yet.

        Args:
            postgres: The major version. If None, the newest whose image is already there.
        """
        self._postgres = postgres
        self._container: Any = None
        self._reaper: _Reaper | None = None

    def __enter__(self) -> Server:
        """Start the container.

        Raises:
            DatabaseUnavailable: No engine answers, the image cannot be had, or the server does not start.
        """
        if not docker_reachable():
            raise DatabaseUnavailable("no container engine answers", kind=Kind.CONTAINER, help="start Docker")
        from docker.errors import DockerException  # slow to import
        from requests.exceptions import RequestException

        try:
            remove_orphans()
            return self._start(_image(self._postgres))
        except (DockerException, RequestException) as error:
            self._close()
            raise DatabaseUnavailable(str(error).strip(), kind=Kind.CONTAINER) from error
        except BaseException:
            self._close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def container_id(self) -> str:
        """The engine's name for the container."""
        return str(self._container.get_wrapped_container().id)

    def _start(self, image: str) -> Server:
        from specgen.database.conninfo import pinned  # slow to import

        session = secrets.token_hex(8)
        self._reaper = _Reaper(session)
        self._container = _container(image, session)
        self._container.start()
        dsn = pinned(str(self._container.get_connection_url(driver=None)))
        version, full = _await_answer(self._container, dsn)
        if self._postgres not in (None, version):
            raise DatabaseUnavailable(f"image {image} holds PostgreSQL {version}", kind=Kind.CONTAINER)
        return Server(
            dsn=dsn,
            version=version,
            kind=Kind.CONTAINER,
            description=f"PostgreSQL {full}, container ({image})",
        )

    def _close(self) -> None:
        container, self._container = self._container, None
        reaper, self._reaper = self._reaper, None
        removed = container is None
        if container is not None:
            # The engine may have died: the reaper then goes on trying for a moment.
            with suppress(Exception):
                container.stop(force=True, delete_volume=True)
                removed = True
        if reaper is not None:
            reaper.close(done=removed)


def remove_orphans() -> int:
    """Remove containers whose owner and reaper were both killed; how many there were."""
    return reap.remove(OWNER, lambda labels: owner.is_gone(labels[OWNER]))


class _Reaper:
    """The owner's end of the pipe to ``reap.py``."""

    def __init__(self, session: str) -> None:
        # A session of its own: Ctrl-C in the terminal is for the owner, not for the one who cleans up.
        self._process = subprocess.Popen(
            [sys.executable, "-P", reap.__file__, session],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self, *, done: bool) -> None:
        """Let it end; unless everything is done, it first removes what is there."""
        assert self._process.stdin is not None
        with suppress(OSError):
            if done:
                self._process.stdin.write(reap.DONE)
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _image(major: int | None) -> str:
    """The image to use, pulled if it is not there."""
    import docker  # slow to import

    client = docker.from_env()
    try:
        tags = [tag for image in client.api.images(name="postgres") for tag in image.get("RepoTags") or []]
        present = {int(found[1]): tag for tag in tags if (found := re.fullmatch(r"postgres:(\d+)", tag))}
        if major is None:
            major = max((known for known in present if known in SUPPORTED_MAJORS), default=DEFAULT_MAJOR)
        if major not in present:
            client.images.pull("postgres", tag=str(major))
        return f"postgres:{major}"
    finally:
        client.close()


def _container(image: str, session: str) -> Any:
    """The container, not yet started."""
    from testcontainers.core.config import testcontainers_config  # slow to import

    try:
        from testcontainers.community.postgres import PostgresContainer
    except ImportError:
        from testcontainers.postgres import PostgresContainer  # its name in older versions

    class Postgres(PostgresContainer):
        def _connect(self) -> None:
            """Nothing: the provider waits for a connection from outside, and does not sleep a second."""

    testcontainers_config.ryuk_disabled = True
    container = Postgres(
        image, username="postgres", password=secrets.token_hex(24), dbname="postgres", driver=None
    )
    container.with_env("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C.UTF-8 --no-sync")
    # The images of PostgreSQL 18 and of those before declare different volumes; this is neither.
    container.with_env("PGDATA", DATA)
    container.with_command(COMMAND)
    container.with_tmpfs_mount(DATA)
    container.with_kwargs(
        labels={reap.SESSION: session, OWNER: owner.label(os.getpid())},
    )
    return container


def _await_answer(container: Any, dsn: str) -> tuple[int, str]:
    """The server's version, major and full, once it answers."""
    from specgen.database.conninfo import dial, redacted  # slow to import

    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            with dial(dsn, connect_timeout=5) as connection:
                number = connection.info.server_version
                return number // 10000, f"{number // 10000}.{number % 10000}"
        except DatabaseUnavailable as error:
            wrapped = container.get_wrapped_container()
            wrapped.reload()
            if wrapped.status not in ("created", "running") or time.monotonic() > deadline:
                said = wrapped.logs(tail=5).decode(errors="replace").strip()
                raise DatabaseUnavailable(
                    redacted(f"the container does not answer: {error}\n  {said}", dsn), kind=Kind.CONTAINER
                ) from error
            time.sleep(0.05)
