"""Progress on stderr: a live bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from specgen.cli.printing import indented, say, visible
from specgen.runtime.events import (
    BatchDone,
    Counts,
    Event,
    Loading,
    Progress,
    Reconnecting,
    Retrying,
    Started,
    Waiting,
    WorkerEnded,
    WorkerFailed,
)
from specgen.runtime.patience import CONFLICTS, YIELDED
from specgen.visible import visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress

INTERVAL = 3.0


class Listener(Protocol):
    """Shows events as they come."""

    def __call__(self, event: Event) -> None:
        """Show one."""


@contextmanager
def showing(title: str) -> Iterator[Listener]:
    """A display for the length of a block, as fits the stream."""
    if sys.stderr.isatty():
        with _bar(title) as listener:
            yield listener
    else:
        yield Lines(title)


def trouble(event: Event) -> str | None:
    """Return what an event tells of trouble, if it does."""
    match event:
        case Retrying() if event.sqlstate in YIELDED and event.attempt < CONFLICTS / 2:
            return None  # that another session got on is no trouble
        case Retrying():
            why = f"{event.message} (SQLSTATE {event.sqlstate})"
            return f"worker {event.worker}: {why}; attempt {event.attempt} in {event.delay:.1f} s"
        case Reconnecting():
            message = event.message.partition("\n")[0]
            return f"worker {event.worker}: connection lost ({message}); again in {event.delay:.1f} s"
        case Waiting():
            return f"waiting for {'; '.join(map(str, event.holders))}"
        case WorkerFailed():
            return f"worker {event.worker} gave up: {event.error}"
        case Loading() | Started() | BatchDone() | Progress() | WorkerEnded():
            return None


class Lines:
    """A line every few seconds."""

    def __init__(self, title: str) -> None:
        self._title = visible(title)
        self._began = time.monotonic()
        self._next = self._began + INTERVAL
        self._base: int | None = None

    def __call__(self, event: Event) -> None:
        """Print a line if it is time, or if there is trouble."""
        told = trouble(event)
        if told:
            say(indented(told), err=True)
        match event:
            case Loading() if time.monotonic() >= self._next:
                self._next = time.monotonic() + INTERVAL
                say(f"{self._title}: {event.records:,} records read", err=True)
            case Started():
                self._base = event.counts.done
            case Progress() if time.monotonic() >= self._next:
                self._next = time.monotonic() + INTERVAL
                say(self._line(event.counts), err=True)
            case _:
                pass

    def _line(self, counts: Counts) -> str:
        rate = (counts.done - (self._base or 0)) / max(time.monotonic() - self._began, 0.001)
        failed = f", {counts.failed:,} failed" if counts.failed else ""
        return f"{self._title}: {counts.done:,} of {counts.total:,} records, {rate:,.0f}/s{failed}"


class Bar:
    """A live bar."""

    def __init__(self, title: str, bars: RichProgress) -> None:
        self._bars = bars
        self._task = bars.add_task(visible(title), total=None, counted="", failed="", rate="")
        self._base = 0
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Move the bar."""
        told = trouble(event)
        if told:
            self._bars.console.print(visible_lines(indented(told)), markup=False, highlight=False)
        match event:
            case Loading():
                self._bars.update(self._task, counted=f"{event.records:,} records read")
            case Started():
                self._base = event.counts.done
                self._show(event.counts)
            case Progress():
                self._show(event.counts)
            case _:
                pass

    def _show(self, counts: Counts) -> None:
        rate = (counts.done - self._base) / max(time.monotonic() - self._began, 0.001)
        self._bars.update(
            self._task,
            completed=counts.done,
            total=max(counts.total, counts.done),
            counted=f"{counts.done:,}/{counts.total:,}",
            rate=f"{rate:,.0f}/s",
            failed=f"{counts.failed:,} failed" if counts.failed else "",
        )


@contextmanager
def _bar(title: str) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[counted]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}", style="red"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        yield Bar(title, bars)
