"""Rows in memory as a source, and a read that is under way as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

import torch

from slopewise.data.source import Source
from slopewise.errors import DataError
from slopewise.types import Batch, Callback

PART_ROWS = 16384
"""Rows in memory for which starting a thread pays."""


@dataclass(frozen=True, slots=True)
class BufferedRows(Source):
    """Rows in memory, in the pieces in which they came; some may be empty, of rows that were all left out."""

    pieces: tuple[Batch, ...]
    x_names: tuple[str, ...] = ()
    n_rows: int | None = None
    in_memory: bool = True

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order, in batches of at most `size` rows."""
        for piece in self.pieces:
            for start in range(0, len(piece), size):
                yield _cut(piece, start, start + size)

    def partitions(self, k: int) -> list[Source]:
        """Return at most k parts, none shorter than PART_ROWS but the last."""
        rows = sum(map(len, self.pieces))
        step = max(-(-rows // k), PART_ROWS)
        return [replace(self, pieces=_between(self.pieces, start, start + step)) for start in range(0, rows, step)]

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
    """A read under way: the batches seen so far can be looked at again before it goes on, once, to the end."""

    seen: tuple[Batch, ...]
    rest: Iterator[Batch]
    x_names: tuple[str, ...]
    n_rows: int | None
    in_memory: bool = False

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the rows in order, in the batches in which they are read: first those seen."""
        yield from self.seen
        yield from self.rest

    def partitions(self, k: int) -> list[Source]:
        """Return the read itself."""
        return [self]

    def first_invalid_value(self) -> DataError | None:
        """Return None: only the source that is read can look again."""
        return None


def start_read(
    source: Source, size: int, *, room: int = 0, callback: Callback | None = None
) -> StartedRead | BufferedRows:
    """Return a read of the source, begun up to its first batch with rows; or all its rows, if they fit into `room`.

    The batches are kept as they come: to copy 1M rows of 20 columns into fresh memory takes 70 ms, as long as to
    read them from Parquet.

    Args:
        source: what to read.
        size: rows of a batch at most.
        room: rows that may be kept. A source that has more, as far as it knows, is left at its first batch.
        callback: told how many rows were read into the room, or None.
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
    return StartedRead(tuple(seen), rest, source.x_names, source.n_rows)


def every_nth(parts: tuple[Batch, ...], step: int) -> tuple[Batch, ...]:
    """Return every step-th of all rows together, copied row by row: a block of rows is then one run of memory.

    All of them, step 1, are returned as they lie.
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
    x = torch.empty(sum(map(len, parts)), parts[0].x.shape[1], dtype=torch.float64)
    return Batch(
        torch.cat([part.x for part in parts], out=x),
        torch.cat(ys),
        torch.cat(ws) if ws else None,
        offset=torch.cat(offsets) if offsets else None,
    )


def _between(pieces: tuple[Batch, ...], start: int, stop: int) -> tuple[Batch, ...]:
    """Return rows start to stop of all pieces together, without copying."""
    ends = accumulate(map(len, pieces))
    cuts = (
        _cut(piece, max(start - end + len(piece), 0), max(stop - end + len(piece), 0))
        for piece, end in zip(pieces, ends, strict=True)
    )
    return tuple(cut for cut in cuts if len(cut))


def _cut(batch: Batch, start: int, stop: int) -> Batch:
    return _rows(batch, slice(start, stop))


def _rows(batch: Batch, rows: slice) -> Batch:
    assert batch.y is not None
    w = None if batch.w is None else batch.w[rows]
    return Batch(batch.x[rows], batch.y[rows], w, offset=None if batch.offset is None else batch.offset[rows])
