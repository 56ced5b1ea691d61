"""The lines of a text file, one after the other, with those given back that were read too far."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from specgen.errors import UsageError
from specgen.runtime.inputs.records import KEEP, LONGEST

if TYPE_CHECKING:
    from pathlib import Path


class Lines:
    """A file's lines with their ends; ``number`` is the number of the line read last."""

    def __init__(self, path: Path, encoding: str) -> None:
        try:
            # Opened for as long as it is read: closed by whoever owns this.
            self._file = path.open(encoding=encoding, errors=KEEP, newline="")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error
        self.number = 0
        self._back: deque[str] = deque()
        self._path = path
        self._fresh = True

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def next(self) -> str:
        """Return the next line, empty at the end; of one that is longer than any record, its beginning.

        Raises:
            UsageError: The file cannot be read on.
        """
        if self._back:
            self.number += 1
            return self._back.popleft()
        line = self._read()
        if self._fresh:
            self._fresh = False
            line = line.removeprefix("\ufeff")
        if line:
            self.number += 1
        if len(line) > LONGEST:
            self._skip_rest(line)
        return line

    def give_back(self, lines: list[str]) -> None:
        """Take back the lines that were read last, to be read again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str:
        try:
            return self._file.readline(LONGEST + 1)
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror}") from error

    def _skip_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._read()
