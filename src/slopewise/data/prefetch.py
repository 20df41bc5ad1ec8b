"""Prefetching: one reader thread that works a few items ahead of the loop that uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# 60 vectors of 2048 rows: the row groups of DuckDB.
BATCH_ROWS = 60 * 2048
BATCH_BYTES = 32 * 2**20


def batch_rows(n_columns: int) -> int:
    """Return how many rows of `n_columns` float64 columns to read at a time: at most 32 MiB, in multiples of 2048.

    >>> batch_rows(10), batch_rows(1000)
    (122880, 4096)
    """
    fitting = BATCH_BYTES // (8 * max(1, n_columns))
    return min(BATCH_ROWS, max(2048, fitting // 2048 * 2048))


def prefetch(items: Generator[T, None, None], depth: int = 2) -> Iterator[T]:
    """Yield the items of a generator that runs in another thread, at most `depth` items ahead.

    Its exceptions are raised here. `items` runs, and is closed, in that thread alone; leaving the loop early
    ends it once the item in progress is done.

    >>> list(prefetch(n * n for n in range(1, 4)))
    [1, 4, 9]

    """
    with ThreadPoolExecutor(1, thread_name_prefix="slopewise-read") as reader:
        ahead: deque[Future[T | None]] = deque(reader.submit(next, items, None) for _ in range(depth))
        try:
            while (item := ahead.popleft().result()) is not None:
                ahead.append(reader.submit(next, items, None))
                yield item
        finally:
            for future in ahead:
                future.cancel()
            reader.submit(items.close).result()
