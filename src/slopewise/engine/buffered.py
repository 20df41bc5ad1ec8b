"""Sources of rows that were already read: all of them buffered in memory, or a read that has started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

import torch

from slopewise.data.source import Source
from slopewise.errors import DataError
from slopewise.types import Batch, Callback

PART_ROWS = 16384
"""Fewest rows in memory for which starting a thread saves time."""

ANNOUNCED = 100e6
"""Bytes that are taken without a word."""


@dataclass(frozen=True, slots=True)
class BufferedRows(Source):
    """Rows in memory, as the batches in which they were read; a batch whose rows were all left out is empty."""

    pieces: tuple[Batch, ...]
    x_names: tuple[str, ...] = ()
    n_rows: int | None = None
    in_memory: bool = True

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order, in batches of at most `size` rows."""
        for piece in self.pieces:
            for start in range(0, max(len(piece), 1), size):
                yield _cut(piece, start, start + size)

    def partitions(self, k: int) -> list[Source]:
        """Return at most k parts, none shorter than PART_ROWS but the last."""
        rows = sum(map(len, self.pieces))
        step = max(-(-rows // k), PART_ROWS)
        return [
            replace(self, pieces=_between(self.pieces, start, start + step if start + step < rows else None))
            for start in range(0, rows, step)
        ]

    def first_invalid_value(self) -> DataError | None:
        """Return None: the rows were checked when they were read."""
        return None

    @property
    def nbytes(self) -> int:
        """Bytes that the rows take."""
        columns = (column for piece in self.pieces for column in (piece.x, piece.y, piece.w, piece.offset))
        return sum(column.nbytes for column in columns if column is not None)


@dataclass(frozen=True, slots=True)
class StartedRead(Source):
    """A read that has started: the batches read so far can be inspected before it continues, once, to the end."""

    seen: list[Batch]
    rest: Iterator[Batch]
    x_names: tuple[str, ...]
    n_rows: int | None
    in_memory: bool = False

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order, in the batches in which they are read: first those already read."""
        yield from self.seen
        yield from self.rest

    def first(self, n: int) -> list[Batch]:
        """Return batches with the first n rows, reading on only where those seen hold fewer."""
        while sum(map(len, self.seen)) < n and (batch := next(self.rest, None)) is not None:
            self.seen.append(batch)
        return self.seen

    def partitions(self, k: int) -> list[Source]:
        """Return the read itself."""
        return [self]

    def first_invalid_value(self) -> DataError | None:
        """Return None: only the underlying source can be searched."""
        return None


def start_read(
    source: Source, size: int, *, room: int = 0, callback: Callback | None = None
) -> StartedRead | BufferedRows:
    """Return all rows of the source where they fit into `room`, else a read started up to its first batch with rows.

    The batches are kept as they come: to copy 1M rows of 20 columns into fresh memory takes 70 ms, as long as to
    read them from Parquet.

    Args:
        source: what to read.
        size: rows of a batch at most.
        room: rows that may be kept. A source known to have more is read up to its first batch only.
        callback: receives the number of rows read into memory, or None.
    """
    rest = iter(source.batches(size))
    most = room if source.n_rows is None or source.n_rows <= room else 0
    seen: list[Batch] = []
    rows = done = 0
    for batch in rest:
        seen.append(batch)
        rows += len(batch)
        if rows > most:
            break
        done += len(batch) + batch.dropped
        if callback is not None:
            callback.rows(done, source.n_rows)
    if 0 < rows <= most:
        return BufferedRows(tuple(seen), source.x_names, rows)
    return StartedRead(seen, rest, source.x_names, source.n_rows)


def open_source(source: Source, size: int, *, keep: float = 0.0, callback: Callback | None = None) -> Source:
    """Return the source so that its first rows and all of them take a single read; see `Engine.open`.

    Args:
        source: what to read; one in memory is returned as it is.
        size: rows of a batch at most.
        keep: bytes of x, y and w up to which the rows are kept.
        callback: told how the read gets on, and when much memory is taken; or None.
    """
    if source.in_memory:
        return source
    reading = start_read(source, size, room=int(keep / (8 * (len(source.x_names) + 2))), callback=callback)
    if callback is not None and isinstance(reading, BufferedRows) and reading.nbytes > ANNOUNCED:
        size_in_mb = reading.nbytes / 1e6
        callback.note(f"keeping {reading.n_rows:,} rows in memory, {size_in_mb:,.0f} MB: the table is read once")
    return reading


def first_rows(source: Source, n: int, size: int) -> Batch:
    """Return the first rows of a source, n of them or all there are; see `Engine.head`.

    Args:
        source: a read under way goes on after them.
        n: rows wanted.
        size: rows of a batch at most, where the source is not in memory.
    """
    batches = iter(
        source.first(n) if isinstance(source, StartedRead) else source.batches(n if source.in_memory else size)
    )
    parts: list[Batch] = []
    while (missing := n - sum(map(len, parts))) > 0 and (batch := next(batches, None)) is not None:
        if len(batch):
            parts.append(_rows(batch, slice(0, missing)))
    if not parts:
        nothing = torch.zeros(0, dtype=torch.float64)
        return Batch(nothing.new_zeros(0, len(source.x_names)), nothing)
    return parts[0] if len(parts) == 1 else joined(tuple(parts))


def every_nth(parts: tuple[Batch, ...], step: int) -> tuple[Batch, ...]:
    """Return every step-th row of all parts together, copied to row-major memory; with step 1, the parts themselves.

    Args:
        parts: batches, in order.
        step: distance between two rows that are taken.

    >>> import torch
    >>> rows = torch.arange(5, dtype=torch.float64)
    >>> every_nth((Batch(rows[:3, None], rows[:3]), Batch(rows[3:, None], rows[3:])), 2)[1].y
    tensor([4.], dtype=torch.float64)
    """
    if step == 1:
        return tuple(part for part in parts if len(part))
    starts = accumulate(map(len, parts), initial=0)
    chosen = (_rows(part, slice(-start % step, None, step)) for part, start in zip(parts, starts, strict=False))
    return tuple(joined((part,)) for part in chosen if len(part))


def joined(parts: tuple[Batch, ...]) -> Batch:
    """Return the rows of all parts together, copied."""
    ys, ws = [part.y for part in parts if part.y is not None], [part.w for part in parts if part.w is not None]
    offsets = [part.offset for part in parts if part.offset is not None]
    x = parts[0].x.new_empty(sum(map(len, parts)), parts[0].x.shape[1])
    return Batch(
        torch.cat([part.x for part in parts], out=x),
        torch.cat(ys),
        torch.cat(ws) if ws else None,
        offset=torch.cat(offsets) if offsets else None,
    )


def _between(pieces: tuple[Batch, ...], start: int, stop: int | None) -> tuple[Batch, ...]:
    """Return rows start to stop (None: the end) of all pieces together, without copying.

    What was left out of a piece is counted where the piece begins.
    """
    cuts: list[Batch] = []
    for piece, end in zip(pieces, accumulate(map(len, pieces)), strict=True):
        begin = end - len(piece)
        cut = _rows(piece, slice(max(start - begin, 0), None if stop is None else max(stop - begin, 0)))
        if begin >= start and (stop is None or begin < stop):
            cut = replace(cut, dropped=piece.dropped, missing=piece.missing, weightless=piece.weightless)
        if len(cut) or cut.dropped or cut.weightless:
            cuts.append(cut)
    return tuple(cuts)


def _cut(batch: Batch, start: int, stop: int) -> Batch:
    """Return rows start to stop, and with the first of them what was left out of the batch."""
    cut = _rows(batch, slice(start, stop))
    if start:
        return cut
    return replace(cut, dropped=batch.dropped, missing=batch.missing, weightless=batch.weightless)


def _rows(batch: Batch, rows: slice) -> Batch:
    assert batch.y is not None
    w = None if batch.w is None else batch.w[rows]
    return Batch(batch.x[rows], batch.y[rows], w, offset=None if batch.offset is None else batch.offset[rows])
