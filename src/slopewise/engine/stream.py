"""Mini-batches of a source that is read while they are used, shuffled within a bounded buffer.

1. One thread reads the rows in their order and fills a buffer with the next of them; two buffers take turns, so that it
reads on while the one before is used. 2. The rows of a full buffer are put into a random order, which depends on the
seed, the epoch and the buffer's number alone. 3. They are handed out in batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from slopewise.data.prefetch import prefetch
from slopewise.data.source import Source
from slopewise.types import Batch, Callback

BUFFER = 64e6
"""Bytes of one buffer, were all its numbers float64: 380,000 rows with 20 columns."""

READ_ROWS = 65536
"""Rows copied into a buffer at once. After each copy reader and training wait for each other at Python's lock: with
8192 rows a stream takes a third more processor time, and the steps beside it up to half as long again."""

SHUFFLED_ROWS = 8192
"""Rows brought into their new order at once: whole batches then are slices, and the copy is still in the cache when
they are taken. An epoch of a network 64-64 over 200 columns takes a tenth less so than in copies of 65536 rows."""


def permutation(n: int, seed: int, epoch: int, buffer: int = 0) -> Tensor:
    """Return the order (n,) of the rows of a buffer in an epoch, the same for the same (seed, epoch, buffer).

    Args:
        n: rows of the buffer.
        seed: of the run.
        epoch: from 0.
        buffer: number of the buffer within the epoch, from 0.
    """
    # hashed, because torch's CPU generator keeps 32 bits of its seed: seed + epoch would repeat other runs' epochs
    name = f"{seed} {epoch} {buffer}" if buffer else f"{seed} {epoch}"
    mixed = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return torch.randperm(n, generator=torch.Generator().manual_seed(int.from_bytes(mixed, "little")))


def buffer_rows(n_columns: int, size: int) -> int:
    """Return how many rows with `n_columns` columns of x are shuffled among each other: whole batches of `size`."""
    return max(int(BUFFER / (8 * (n_columns + 2))) // size, 1) * size


def shuffled(
    x: Tensor, y: Tensor, w: Tensor | None, *, size: int, order: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Yield x, y and w of batches of `size` rows in the given order (n,), copied.

    Args:
        x: (n, q).
        y: (n,).
        w: (n,), or None.
        size: rows of a batch; the last may be shorter.
        order: a permutation (n,) of the rows.
    """
    for some in torch.split(order, max(SHUFFLED_ROWS // size, 1) * size):
        weights = repeat(None) if w is None else torch.split(_taken(w, some), size)
        parts = torch.split(_taken(x, some), size), torch.split(_taken(y, some), size)
        yield from zip(*parts, weights, strict=False)


def _taken(part: Tensor, rows: Tensor) -> Tensor:
    """Return some rows, copied; by numpy, which takes a quarter less time than torch's index_select."""
    return torch.from_numpy(np.take(part.numpy(), rows.numpy(), axis=0))


def stream(
    source: Source, size: int, *, seed: int | None = None, epoch: int = 0, callback: Callback | None = None
) -> Iterator[Batch]:
    """Yield the mini-batches of one epoch.

    `callback` is told how many rows were read; the other arguments are those of `Engine.stream`.
    """
    buffers = prefetch(_buffers(source, buffer_rows(len(source.x_names), size)), depth=1)
    done = 0
    for number, rows in enumerate(buffers):
        assert rows.y is not None
        if seed is None:
            starts = range(0, len(rows), size)
            yield from (_copied(rows, slice(start, start + size)) for start in starts)
        else:
            order = permutation(len(rows), seed, epoch, number)
            yield from (Batch(*parts) for parts in shuffled(rows.x, rows.y, rows.w, size=size, order=order))
        done += len(rows)
        if callback is not None:
            callback.rows(done, source.n_rows)


def _copied(rows: Batch, part: slice) -> Batch:
    assert rows.y is not None
    return Batch(rows.x[part].clone(), rows.y[part].clone(), None if rows.w is None else rows.w[part].clone())


def _buffers(source: Source, rows: int) -> Generator[Batch, None, None]:
    """Yield all rows, `rows` at a time; what was yielded is overwritten once the second after it is asked for."""
    both: list[Batch] = []
    number = filled = 0
    for batch in source.batches(min(READ_ROWS, rows)):
        assert batch.offset is None
        at = 0
        while at < len(batch):
            if len(both) <= number % 2:
                both.append(_room(batch, rows))
            buffer = both[number % 2]
            some = slice(at, at + min(len(batch) - at, rows - filled))
            place = slice(filled, filled + some.stop - some.start)
            for into, part in zip((buffer.x, buffer.y, buffer.w), (batch.x, batch.y, batch.w), strict=True):
                if into is not None and part is not None:
                    into[place] = part[some]
            at, filled = some.stop, place.stop
            if filled == rows:
                yield buffer
                number, filled = number + 1, 0
    if filled:
        buffer = both[number % 2]
        assert buffer.y is not None
        yield Batch(buffer.x[:filled], buffer.y[:filled], None if buffer.w is None else buffer.w[:filled])


def _room(like: Batch, rows: int) -> Batch:
    """Return a batch of `rows` rows without values; from numpy, which asks the system for large pages."""

    def empty(part: Tensor) -> Tensor:
        kind = np.float32 if part.dtype == torch.float32 else np.float64
        return torch.from_numpy(np.empty((rows, *part.shape[1:]), kind))

    assert like.y is not None
    return Batch(empty(like.x), empty(like.y), None if like.w is None else empty(like.w))
