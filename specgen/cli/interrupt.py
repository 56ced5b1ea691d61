"""Ctrl-C: the first asks to stop after what is under way, the second ends at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from specgen.cli.printing import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

EXIT = 130
SHOW_CURSOR = b"\x1b[?25h\n"


class Interruption:
    """Whether somebody asked to stop."""

    def __init__(self, stop: Callable[[], None], notice: str) -> None:
        self.asked = False
        self._stop = stop
        self._notice = notice

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        if self.asked:
            # Only the cursor, which a bar hides, needs tidying: what is not committed the database undoes.
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)
            os._exit(EXIT)
        self.asked = True
        self._stop()
        # Not through a buffered stream, which the signal may have interrupted in the middle of a write.
        os.write(2, f"\n{visible(self._notice)}\n".encode())


@contextmanager
def stopping(stop: Callable[[], None], notice: str) -> Iterator[Interruption]:
    """Call ``stop`` on the first SIGINT or SIGTERM of a block; the second ends the process."""
    interruption = Interruption(stop, notice)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interruption) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def unwinding() -> Iterator[None]:
    """Let SIGTERM end a block as Ctrl-C does: by an exception, so that what was started is ended too.

    Raises:
        click.exceptions.Exit: The signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        raise click.exceptions.Exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def interrupted() -> click.exceptions.Exit:
    """Return what to raise when a command was stopped."""
    return click.exceptions.Exit(EXIT)
