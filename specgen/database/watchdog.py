"""The supervisor of an embedded server: a separate process that outlives its owner by a moment.

It creates the server's folder, runs the server's programs (without root's rights where it was started
with them), and waits on a pipe whose write end only the owner holds. When the owner is gone, however it
went, the pipe reports end of file, and the supervisor stops the server and removes the folder. Without
it, ``kill -9`` of a test run would leave a server and its files behind.

The file is run as a script by ``python -I -S``, so it imports nothing but the standard library, and what
is slow to import only when it is needed. The owner also imports it, to clean up should the supervisor
itself be killed.

Protocol, one line each: the owner writes a JSON array ``["run", argv...]`` or ``["start", argv...]``; the
answer is ``pid N``, and for ``run`` later ``exit N``. The first line of all is ``folder`` once it exists.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

# A server asked to stop at once needs some 20 ms; a second is a stuck one, and two is what callers are told.
GRACE = 1.0


class Stop(BaseException):
    """The owner is gone, or somebody asked the supervisor to end."""


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Path("/proc/self/stat").exists() is False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def processes() -> list[tuple[int, int]]:
    """Every process with its parent, from ``/proc`` or, where there is none, from ``ps``."""
    found = []
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    status = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                except OSError:
                    continue
                found.append((int(entry.name), int(status.rpartition(")")[2].split()[1])))
        return found
    with os.popen("ps -A -o pid= -o ppid=") as listing:  # noqa: S605 - no part of it comes from outside
        return [(int(pid), int(parent)) for pid, parent in (line.split() for line in listing)]


def members(folder: str, pids: list[int]) -> list[tuple[int, int]]:
    """The processes of a server, each with its parent.

    They descend from those that were started, and they work in the folder: the latter finds what a killed
    server left without a parent, but cannot be seen by a root without the right to trace processes.
    """
    everything = processes()
    found = [pid for pid in pids if alive(pid)]
    for member in found:
        found += [pid for pid, parent in everything if parent == member]
    inside = {pid for pid, _ in everything if works_in(pid, folder)} - {os.getpid()}
    return [(pid, parent) for pid, parent in everything if pid in inside.union(found)]


def works_in(pid: int, folder: str) -> bool:
    """Whether a process has its working directory in the folder."""
    try:
        place = str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return False
    return place == folder or place.startswith(folder + os.sep)


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to those that still run."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def stop_processes(folder: str, pids: list[int]) -> None:
    """Stop a server and all its children: by SIGQUIT, and by SIGKILL what is still there after a second."""
    parents = dict(members(folder, pids))
    # A server passes it on to its children; one that got it from here as well would log an alarm.
    signal_all([pid for pid, parent in parents.items() if parent not in parents], signal.SIGQUIT)
    deadline = time.monotonic() + GRACE
    while any([alive(pid) for pid in parents]) and time.monotonic() < deadline:
        time.sleep(0.005)
    killed = [pid for pid in parents if alive(pid)]
    signal_all(killed, signal.SIGKILL)
    while any([alive(pid) for pid in killed]) and time.monotonic() < deadline + GRACE:
        time.sleep(0.005)
    release_shared_memory(folder)


def release_shared_memory(folder: str) -> None:
    """Remove the System V segment that a killed server leaves behind.

    A server that ends in order removes its segment and then its ``postmaster.pid``; where that file is
    left, its seventh line names the segment. The file is not trusted beyond the rights of its owner.
    """
    try:
        lines = Path(folder, "data", "postmaster.pid").read_text(encoding="utf-8").splitlines()
        segment = int(lines[6].split()[1])
        user = Path(folder).stat().st_uid
        table = Path("/proc/sysvipc/shm").read_text(encoding="utf-8").splitlines()
        columns = table[0].split()
        rows = [dict(zip(columns, line.split(), strict=False)) for line in table[1:]]
    except (OSError, IndexError, ValueError):
        return
    if any(int(row["shmid"]) == segment and int(row["uid"]) == user for row in rows):
        import ctypes  # seldom needed

        remove = 0  # IPC_RMID
        ctypes.CDLL(None).shmctl(segment, remove, None)


def remove_folder(folder: str) -> None:
    """Remove the folder; a server's last process may still write into it, so try more than once."""
    import shutil  # slow to import, and needed only now

    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(0.01)


class Supervisor:
    """Runs programs for the owner, and cleans up after both."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.folder: str = settings["folder"]
        self.identity: list[int] | None = settings["identity"]
        self.environment: dict[str, str] = settings["environment"]
        self.owner = os.getppid()
        self.pids: list[int] = []
        self.buffer = b""

    def prepare(self) -> None:
        """Create the folder, for the server's user alone."""
        Path(self.folder).mkdir(mode=0o700)
        if self.identity:
            os.chown(self.folder, *self.identity)
        self.answer("folder")

    def serve(self) -> None:
        """Do what the owner asks until it is gone."""
        while True:
            verb, *argv = json.loads(self.request())
            pid = self.spawn(argv)
            self.answer(f"pid {pid}")
            if verb == "run":
                self.answer(f"exit {self.wait(pid)}")

    def request(self) -> bytes:
        """The next line from the owner.

        Raises:
            Stop: The owner is gone. Its end of the pipe may live on in a child that it forked, so the
                parent is looked at as well.
        """
        while b"\n" not in self.buffer:
            self.listen(0.25)
            # Reaps a server that crashed, so that its owner sees it gone and its number is not used again.
            self.pids = [pid for pid in self.pids if alive(pid)]
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def listen(self, seconds: float) -> None:
        """Take what the owner wrote, waiting a while for it."""
        if select.select([0], [], [], seconds)[0]:
            received = os.read(0, 65536)
            if not received:
                raise Stop
            self.buffer += received
        if os.getppid() != self.owner:
            raise Stop

    def answer(self, text: str) -> None:
        """Tell the owner."""
        os.write(1, f"{text}\n".encode())

    def spawn(self, argv: list[str]) -> int:
        """Start a program in a session of its own, so that a terminal's Ctrl-C does not reach it."""
        pid = os.fork()
        if pid == 0:
            self.become(argv)
        self.pids.append(pid)
        return pid

    def become(self, argv: list[str]) -> NoReturn:
        """Turn this forked process into the program; its output goes to the folder's ``log``."""
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            if self.identity:
                user, group = self.identity
                os.setgroups([])
                os.setgid(group)
                os.setuid(user)
            os.umask(0o077)
            os.chdir(self.folder)
            log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((log, 2), (null, 0), (log, 1)):
                os.dup2(source, target)
            os.execve(argv[0], argv, self.environment)  # noqa: S606 - without a shell on purpose
        except BaseException as error:  # a forked process must not return into the caller
            os.write(2, f"{argv[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def wait(self, pid: int) -> int:
        """The program's exit status, as long as the owner is there to hear it."""
        while True:
            finished, status = os.waitpid(pid, os.WNOHANG)
            if finished:
                self.pids.remove(pid)
                return os.waitstatus_to_exitcode(status)
            if b"\n" in self.buffer:
                time.sleep(0.005)
            else:
                self.listen(0.005)

    def clean_up(self) -> None:
        """Leave nothing."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        stop_processes(self.folder, self.pids)
        remove_folder(self.folder)


def _stop(_number: int, _frame: object) -> None:
    raise Stop


def main() -> None:
    """Supervise until the owner is gone."""
    supervisor = Supervisor(json.loads(sys.argv[1]))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        supervisor.prepare()
        supervisor.serve()
    except (Stop, BrokenPipeError):
        pass
    finally:
        supervisor.clean_up()


if __name__ == "__main__":
    main()
