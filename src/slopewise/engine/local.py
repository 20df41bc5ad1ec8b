"""Sums on the local machine: threads over rows in memory, one reader thread for streamed rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

import torch

from slopewise.data.source import Source
from slopewise.engine.engine import Engine, S, add_tuples
from slopewise.types import Batch, Callback

BATCH_ROWS = 65536
"""Rows per batch: enough that the overhead of a batch is negligible."""

PARTS = 16
"""Parts of a table in memory: a constant, not the number of cores, so that every machine adds in the same order."""


@dataclass(frozen=True, slots=True)
class LocalEngine(Engine):
    """Sums with as many threads as the machine has cores.

    batch_rows: rows of each batch. callback: receives the number of rows read, or None.
    """

    batch_rows: int = BATCH_ROWS
    callback: Callback | None = None

    def sum(self, function: Callable[[Batch], S], source: Source, *, add: Callable[[S, S], S] = add_tuples) -> S | None:
        """Return the sum of function(batch) over the source, None where it has no rows."""
        parts = source.partitions(PARTS)
        with one_torch_thread():
            if len(parts) == 1:
                return self._sum_part(function, parts[0], add, source.n_rows)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                sums = list(pool.map(lambda part: self._sum_part(function, part, add, None), parts))
        nonempty = [part for part in sums if part is not None]
        return reduce(add, nonempty) if nonempty else None

    def _sum_part(
        self, function: Callable[[Batch], S], part: Source, add: Callable[[S, S], S], total: int | None
    ) -> S | None:
        result: S | None = None
        done = 0
        for batch in part.batches(self.batch_rows):
            if len(batch) or batch.dropped:
                value = function(batch)
                result = value if result is None else add(result, value)
            if self.callback is not None and not part.in_memory:
                done += len(batch) + batch.dropped
                self.callback.rows(done, total)
        return result


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Set torch to one thread until the block ends, so that the engine's threads share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
