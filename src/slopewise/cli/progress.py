"""Progress of long reads and descents on stderr; nothing for short ones, nor with --json."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from slopewise.wording import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from slopewise.types import Callback

PATIENCE = 1.0  # seconds before a bar appears
PACE = 5.0  # seconds between plain lines


@contextmanager
def progress_callback(*, quiet: bool) -> Iterator[Callback]:
    """Yield the callback for stderr: a bar on a terminal, a line from time to time elsewhere."""
    if quiet:
        yield NullCallback()
    elif sys.stderr.isatty():
        bar = ProgressBar()
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield ProgressLines()


class NullCallback:
    """A callback that prints nothing."""

    def rows(self, done: int, total: int | None) -> None:
        """Print nothing."""

    def note(self, text: str) -> None:
        """Print nothing."""

    def epochs(self, done: int, total: int, cost: float) -> None:
        """Print nothing."""


class EpochRate:
    """Epochs per second since the first report: a resumed descent does not start at 0."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def text(self, done: int, cost: float) -> str:
        """Return cost and epochs per second as text."""
        rate = self.rate(done)
        return f"cost {cost:.6g}, {rate:,.0f} epochs/s" if rate >= 10 else f"cost {cost:.6g}, {rate:.2g} epochs/s"

    def left(self, done: int, total: int) -> str:
        """Return the remaining time as text, "" where it is not known."""
        rate = self.rate(done)
        return f", {timedelta(seconds=round((total - done) / rate))} left" if rate else ""

    def rate(self, done: int) -> float:
        """Return epochs per second, 0 before the second report."""
        epoch, started = self._first = self._first or (done, monotonic())
        seconds = monotonic() - started
        return (done - epoch) / seconds if seconds > 0 else 0.0


class ProgressLines:
    """One plain line every PACE seconds."""

    def __init__(self) -> None:
        self._text = "reading"
        self._printed = monotonic()
        self._rate = EpochRate()

    def rows(self, done: int, total: int | None) -> None:
        """Print how many rows have been read, if it is time for a line."""
        if monotonic() - self._printed < PACE:
            return
        self._printed = monotonic()
        share = f" of {total:,} ({done / total:.0%})" if total else ""
        print(f"{self._text}: {done:,}{share} rows", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Set the text before the following counts of rows."""
        self._text = visible(text)

    def epochs(self, done: int, total: int, cost: float) -> None:
        """Print epoch, cost and remaining time, if it is time for a line."""
        text = self._rate.text(done, cost) + self._rate.left(done, total)
        if monotonic() - self._printed < PACE:
            return
        self._printed = monotonic()
        print(f"epoch {done:,} of {total:,}: {text}", file=sys.stderr, flush=True)


class ProgressBar:
    """A progress bar that appears after PATIENCE seconds and is removed at the end."""

    def __init__(self) -> None:
        self._text = "reading"
        self._started = monotonic()
        self._shown: tuple[Progress, TaskID] | None = None
        self._rate = EpochRate()

    def rows(self, done: int, total: int | None) -> None:
        """Update the bar."""
        self._move(done, total, self._text, f"{done:,} rows")

    def epochs(self, done: int, total: int, cost: float) -> None:
        """Update the bar, with the cost beside it."""
        self._move(done, total, f"epoch {done:,} of {total:,}", self._rate.text(done, cost))

    def note(self, text: str) -> None:
        """Set the text before the following counts of rows."""
        self._text = visible(text)

    def _move(self, done: int, total: int | None, text: str, beside: str) -> None:
        if self._shown is None:
            if monotonic() - self._started < PATIENCE:
                return
            self._shown = open_bar(text)
        progress, task = self._shown
        progress.update(task, completed=done, total=total, description=text, beside=beside)

    def close(self) -> None:
        """Remove the bar."""
        if self._shown is not None:
            self._shown[0].stop()


def open_bar(text: str) -> tuple[Progress, TaskID]:
    """Return a started progress bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[beside]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    progress.start()
    return progress, progress.add_task(text, total=None, beside="")
