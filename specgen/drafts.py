"""Files that appear whole or not at all, written where others may write too.

A draft stands beside its place under a name that nobody can guess, made by nobody before, and only its owner
can read it. It takes its place by a rename, which follows no link and keeps nothing of what was there.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class Draft:
    """A file on its way to its place.

    Attributes:
        place: Where it will be.
        path: Where it is until then.
        descriptor: Open for writing; closed by :meth:`publish` and :meth:`discard`.
    """

    def __init__(self, place: Path) -> None:
        """Make an empty file in the folder of its place.

        Raises:
            OSError: There is no such folder, or nothing can be written there.
        """
        self.place = place
        self.descriptor, name = tempfile.mkstemp(prefix=".specgen-", suffix=".part", dir=place.parent)
        self.path = Path(name)
        self._open = True

    def write(self, data: bytes) -> None:
        """Write on.

        Raises:
            OSError: The disk is full, say.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]

    def publish(self, mode: int | None = None) -> None:
        """Put it into its place, whatever is there.

        Args:
            mode: The rights it gets there; what the process gives new files if None.

        Raises:
            OSError: It cannot be put there.
        """
        if os.name != "posix":  # where a file that is open cannot be renamed
            self._close()
            self.path.replace(self.place)
            return
        self.path.replace(self.place)
        # By the descriptor: under its name there may be another file by now.
        os.fchmod(self.descriptor, usual_mode() if mode is None else mode)
        self._close()

    def discard(self) -> None:
        """Remove it, unless it is in its place."""
        if self._open:
            self._close()
            self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        self._open = False
        os.close(self.descriptor)


def usual_mode() -> int:
    """Return the rights that the process gives new files."""
    mask = os.umask(0o077)  # cannot be asked for; meanwhile another thread's files are closed to others
    os.umask(mask)
    return 0o666 & ~mask
