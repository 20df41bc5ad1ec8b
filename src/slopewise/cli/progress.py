"""How a long read is getting on. Short reads say nothing, and neither does --json."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from slopewise.types import Observer

PATIENCE = 1.0  # seconds before a bar appears
PACE = 5.0  # seconds between plain lines


@contextmanager
def watching(*, quiet: bool) -> Iterator[Observer]:
    """Yield the observer that suits stderr: a bar on a terminal, a line now and then elsewhere."""
    if quiet:
        yield Silence()
    elif sys.stderr.isatty():
        bar = Bar()
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield Lines()


class Silence:
    """Hears everything, says nothing."""

    def rows(self, done: int, total: int | None) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class Lines:
    """One plain line every PACE seconds."""

    def __init__(self) -> None:
        self._text = "reading"
        self._spoke = monotonic()

    def rows(self, done: int, total: int | None) -> None:
        """Print how many rows have been read, if it is time for a line."""
        if monotonic() - self._spoke < PACE:
            return
        self._spoke = monotonic()
        share = f" of {total:,} ({done / total:.0%})" if total else ""
        print(f"{self._text}: {done:,}{share} rows", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Name what the rows are read for from here on."""
        self._text = text


class Bar:
    """A bar that appears after PATIENCE and leaves nothing behind."""

    def __init__(self) -> None:
        self._text = "reading"
        self._started = monotonic()
        self._shown: tuple[Progress, TaskID] | None = None

    def rows(self, done: int, total: int | None) -> None:
        """Move the bar."""
        if self._shown is None:
            if monotonic() - self._started < PATIENCE:
                return
            self._shown = open_bar(self._text)
        progress, task = self._shown
        progress.update(task, completed=done, total=total, description=self._text)

    def note(self, text: str) -> None:
        """Name what the rows are read for from here on."""
        self._text = text

    def close(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown[0].stop()


def open_bar(text: str) -> tuple[Progress, TaskID]:
    """Return a started progress bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} rows"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    progress.start()
    return progress, progress.add_task(text, total=None)
