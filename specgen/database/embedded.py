"""A PostgreSQL of one's own: started from binaries in about half a second, gone with its owner.

The server listens on a free port of 127.0.0.1 and on a socket in its own folder, both behind a random
password: on a shared machine, other users can reach the port. Its processes belong to the supervisor in
``watchdog.py``, which ends them and removes the folder whatever happens to the owner.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import pwd
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from specgen.database import binaries, watchdog
from specgen.database.server import Kind, Server
from specgen.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from types import TracebackType

START_TIMEOUT = 60.0
PORT_ATTEMPTS = 10
# A socket's path may have 107 bytes on Linux and 103 on macOS; its name under the folder takes up to 22.
LONGEST_FOLDER = 80
MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made there is private
MEMORY_NEEDED = 4 << 30

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %a ",
    # Segments are files in the data folder: those in /dev/shm would outlive a server killed with -9.
    "dynamic_shared_memory_type": "mmap",
}
# Nothing survives the folder anyway, so no test waits for a disk.
HASTY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class EmbeddedProvider:
    """Starts a server from local binaries.

    The provider is also the handle for tests that hurt their server: `kill` and `restart`.
    """

    def __init__(
        self,
        *,
        postgres: int | None = None,
        durable: bool = False,
        in_memory: bool = False,
        settings: dict[str, str] | None = None,
    ) -> None:
        """Take what the server should be like; nothing is started yet.

        Args:
            postgres: The major version, any if None.
            durable: Keep PostgreSQL's own guarantees against a crash of the machine, for measurements.
            in_memory: Put the folder on a memory file system where there is one with room. For tests that
                create hundreds of databases: ext4 takes 0.01 s to copy one at first, but 0.2 s after some
                thousands of files have been removed in the last minutes, and tmpfs always 0.01 s.
            settings: More lines for ``postgresql.conf``.
        """
        self._postgres = postgres
        self._in_memory = in_memory
        self._settings = SETTINGS | ({} if durable else HASTY_SETTINGS) | (settings or {})
        self._watchdog: _Watchdog | None = None
        self._installation: binaries.Installation | None = None
        self._port = 0
        self.pid = 0

    def __enter__(self) -> Server:
        """Start the server.

        Raises:
            DatabaseUnavailable: There are no binaries, or they do not start.
        """
        if os.name != "posix":
            raise DatabaseUnavailable(
                f"not supported on {sys.platform}", kind="embedded", help="set SPECGEN_TEST_DATABASE_URL"
            )
        found = binaries.find(self._postgres)
        identity = _identity()
        self._watchdog = _Watchdog(_folder(identity, in_memory=self._in_memory), identity)
        try:
            return self._start_new(found, self._watchdog)
        except BaseException:
            self._close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def folder(self) -> Path:
        """The server's folder: ``data``, the socket, ``log``."""
        return self._running().folder

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return _read(self.folder / "log")

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would, and wait until it and its children are gone."""
        dog = self._running()
        gone = [pid for pid, _ in watchdog.members(str(dog.folder), [self.pid])]
        watchdog.signal_all(gone, 9)
        deadline = time.monotonic() + START_TIMEOUT
        while any(watchdog.alive(pid) for pid in gone) and time.monotonic() < deadline:
            time.sleep(0.005)

    def restart(self) -> None:
        """Start the killed server again, on the same port and data.

        Raises:
            DatabaseUnavailable: It does not start.
        """
        if not self._start():
            raise self._failure(f"port {self._port} is taken")

    def _start_new(self, found: binaries.Installation, dog: _Watchdog) -> Server:
        installed = found
        if dog.identity and not binaries.reachable(found):
            _give(dog.folder / "postgres", dog.identity)
            installed = binaries.mirror(found, dog.folder / "postgres")
        self._installation = installed
        password = secrets.token_urlsafe(24)
        self._initdb(installed, password, dog)
        for _ in range(PORT_ATTEMPTS):
            self._port = _free_port()
            self._configure(dog)
            if self._start():
                break
        else:
            raise self._failure(f"no free port in {PORT_ATTEMPTS} attempts")
        return Server(
            # Without hostaddr, libpq would take the one of its environment.
            dsn=f"postgresql://postgres:{password}@127.0.0.1:{self._port}/postgres?hostaddr=127.0.0.1",
            version=installed.major,
            kind=Kind.EMBEDDED,
            description=f"PostgreSQL {installed.version}, embedded ({found.origin}), port {self._port}",
        )

    def _initdb(self, installed: binaries.Installation, password: str, dog: _Watchdog) -> None:
        secret = dog.folder / "password"
        secret.write_text(_verifier(password))
        if dog.identity:
            os.chown(secret, *dog.identity)
        argv = [installed.program("initdb"), "-D", str(dog.folder / "data"), "--username=postgres"]
        argv += ["--encoding=UTF8", "--no-sync", "--no-instructions", f"--pwfile={secret}"]
        argv += ["--auth=scram-sha-256"]
        if installed.major >= 17:
            locales = [["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]]
        else:
            # Not every C library knows C.UTF-8; initdb says so before it has written anything.
            locales = [["--locale=C.UTF-8"], ["--locale=C"]]
        if not any(dog.run(argv + locale) == 0 for locale in locales):
            raise self._failure("initdb failed")
        secret.unlink()

    def _configure(self, dog: _Watchdog) -> None:
        settings = self._settings | {"port": str(self._port), "unix_socket_directories": str(dog.folder)}
        lines = [f"{name} = '{_quoted(value)}'\n" for name, value in settings.items()]
        # Later lines win, so a second attempt with another port just appends.
        with (dog.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(["\n", *lines])

    def _start(self) -> bool:
        """Start the server; False if its port is taken.

        Raises:
            DatabaseUnavailable: It does not start for another reason.
        """
        dog, installed = self._running(), self._installation
        assert installed is not None
        told = len(self.log)
        self.pid = dog.start([installed.program("postgres"), "-D", str(dog.folder / "data")])
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            status = _read(dog.folder / "data" / "postmaster.pid").splitlines()
            # The file of a killed predecessor is there as well; the eighth line says how far this one is.
            if len(status) > 7 and status[0] == str(self.pid) and status[7].strip() == "ready":
                return True
            if not watchdog.alive(self.pid):
                if "could not create any TCP/IP sockets" in self.log[told:]:
                    return False
                raise self._failure("the server ended while starting")
            time.sleep(0.005)
        raise self._failure(f"the server did not start within {START_TIMEOUT:.0f} s")

    def _failure(self, what: str) -> DatabaseUnavailable:
        lines = self.log.strip().splitlines()[-5:]
        return DatabaseUnavailable("\n  ".join([what, *lines]), kind="embedded")

    def _running(self) -> _Watchdog:
        if self._watchdog is None:
            raise DatabaseUnavailable("not started", kind="embedded")
        return self._watchdog

    def _close(self) -> None:
        dog, self._watchdog = self._watchdog, None
        if dog is not None:
            dog.close()


class _Watchdog:
    """The owner's end of the supervisor: see ``watchdog.py``."""

    def __init__(self, folder: Path, identity: tuple[int, int] | None) -> None:
        self.folder = folder
        self.identity = identity
        self._pids: list[int] = []
        settings = {"folder": str(folder), "identity": identity, "environment": _environment()}
        # A session of its own: Ctrl-C in the terminal is for the owner, not for the one who cleans up.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._buffer = b""
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, argv: list[str]) -> int:
        """Run a program to its end; its exit status."""
        self._ask("run", argv)
        return int(self._answer())

    def start(self, argv: list[str]) -> int:
        """Start a program; its process id."""
        return self._ask("start", argv)

    def close(self) -> None:
        """End everything that was started and remove the folder."""
        with suppress(OSError):
            _stream(self._process.stdin).close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _stream(self._process.stdout).close()
        if self.folder.exists():
            # The supervisor was killed.
            pids = [pid for pid in self._pids if watchdog.alive(pid)]
            watchdog.stop_processes(str(self.folder), pids)
            watchdog.remove_folder(str(self.folder))

    def _ask(self, verb: str, argv: list[str]) -> int:
        request = json.dumps([verb, *argv]) + "\n"
        try:
            _stream(self._process.stdin).write(request.encode())
        except BrokenPipeError:
            raise self._dead() from None
        pid = int(self._answer())
        self._pids.append(pid)
        return pid

    def _answer(self) -> str:
        """The last word of the next line that the supervisor writes."""
        stream = _stream(self._process.stdout)
        while b"\n" not in self._buffer:
            if not select.select([stream], [], [], START_TIMEOUT)[0]:
                raise DatabaseUnavailable("the supervisor does not answer", kind="embedded")
            received = os.read(stream.fileno(), 65536)
            if not received:
                raise self._dead()
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode().rpartition(" ")[2]

    def _dead(self) -> DatabaseUnavailable:
        return DatabaseUnavailable("the supervisor process ended", kind="embedded")


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _identity() -> tuple[int, int] | None:
    """The user and group to run as where we are root, which PostgreSQL refuses to run as."""
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:
        raise DatabaseUnavailable(
            "PostgreSQL does not run as root, and there is no user nobody", kind="embedded"
        ) from None
    return user.pw_uid, user.pw_gid


def _folder(identity: tuple[int, int] | None, *, in_memory: bool) -> Path:
    """A name for the server's folder, where its user gets to and a socket's path is not too long."""
    name = f"specgen-postgres-{secrets.token_hex(8)}"
    bases = [Path(base).resolve() for base in (tempfile.gettempdir(), "/tmp", "/var/tmp")]  # noqa: S108 - private
    if in_memory and _roomy(MEMORY):
        bases.insert(0, MEMORY)
    for base in bases:
        folder = base / name
        short = len(os.fsencode(folder)) <= LONGEST_FOLDER
        entered = identity is None or all(above.stat().st_mode & 0o001 for above in folder.parents)
        if short and entered and os.access(base, os.W_OK):
            return folder
    raise DatabaseUnavailable(
        "no temporary folder that the server can use", kind="embedded", help="set TMPDIR"
    )


def _roomy(place: Path) -> bool:
    """Whether there is room for a server's tests; programs may have to be copied there and run."""
    try:
        status = os.statvfs(place)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize >= MEMORY_NEEDED and not status.f_flag & os.ST_NOEXEC


def _give(folder: Path, identity: tuple[int, int]) -> None:
    folder.mkdir(mode=0o755)
    os.chown(folder, *identity)


def _environment() -> dict[str, str]:
    """What the server's programs see: no PG* variables of the caller, and no time zone to search for."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _verifier(password: str) -> str:
    """The password as the server keeps it.

    Stretching it 4,096 times would protect a guessable one and cost every connection milliseconds; this
    one is random, so once is enough.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client).digest(), server)]
    return f"SCRAM-SHA-256$1:{parts[0]}${parts[1]}:{parts[2]}"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
