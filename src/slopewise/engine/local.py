"""This machine: threads over what lies in memory, one reader beside the sums for what is streamed.

A file has one reader although its parts could be read side by side: pyarrow decodes columns with all cores already. The
moments of 5M x 21 from Parquet take 0.71 s either way on two cores, and every further reader holds 80 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce

import torch

from slopewise.data.source import Source
from slopewise.engine.buffered import first_rows, open_source
from slopewise.engine.engine import Engine, O, S, add_tuples
from slopewise.engine.gather import Gathered, gather, machine_memory
from slopewise.engine.operands import move
from slopewise.engine.stream import stream
from slopewise.engine.threads import cores, one_torch_thread
from slopewise.types import Batch, Callback

BATCH_ROWS = 65536
"""Rows per batch: enough that the overhead of a batch is negligible."""

PARTS = 16
"""Parts of a table in memory: a constant, not the number of cores, so that every machine adds in the same order."""

MEMORY = 512e6
"""Bytes of rows that are gathered from files: 3M rows with 20 columns."""

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class LocalEngine(Engine):
    """Sums with as many threads as the machine has cores.

    batch_rows: rows of each batch. callback: told how many rows were read, or None. memory: see `Engine`. device: where
    kernels run, such as "cuda"; rows are handed out on the CPU.
    """

    batch_rows: int = BATCH_ROWS
    callback: Callback | None = None
    memory: float = MEMORY
    device: str = "cpu"

    def reduce(
        self, kernel: Callable[[Batch, O], S], source: Source, operands: O, combine: Callable[[S, S], S] = add_tuples
    ) -> S | None:
        """Return kernel(batch, operands) combined over all batches of the source, None where it has no rows."""
        device = torch.device(self.device)
        there = move(operands, device)
        parts = source.partitions(PARTS) if source.in_memory else [source]

        def sum_of(part: Source, total: int | None = None) -> S | None:
            return self._sum_part(kernel, part, there, combine, device, total)

        with one_torch_thread():
            if len(parts) == 1:
                return move(sum_of(parts[0], source.n_rows), CPU)
            with ThreadPoolExecutor(cores()) as pool:
                sums = list(pool.map(sum_of, parts))
        found = [part for part in sums if part is not None]
        return move(reduce(combine, found), CPU) if found else None

    def open(self, source: Source, keep: float = 0.0) -> Source:
        """Return the source so that `head` and one `reduce` after it take a single read of a file."""
        return open_source(source, self.batch_rows, keep=keep, callback=self.callback)

    def head(self, source: Source, n: int) -> Batch:
        """Return the first rows of a source, n of them or all there are."""
        return first_rows(source, n, self.batch_rows)

    def gather(self, source: Source, callback: Callback | None = None) -> Gathered:
        """Return all rows of a source in memory."""
        return gather(source, self.batch_rows, dtype=None, callback=callback, limit=machine_memory() / 2)

    def stream(self, source: Source, size: int, seed: int | None = None, epoch: int = 0) -> Iterator[Batch]:
        """Yield every row of a source once, in batches of `size` rows, while it is read."""
        return stream(source, size, seed=seed, epoch=epoch, callback=None if source.in_memory else self.callback)

    def _sum_part(
        self,
        kernel: Callable[[Batch, O], S],
        part: Source,
        operands: O,
        combine: Callable[[S, S], S],
        device: torch.device,
        total: int | None,
    ) -> S | None:
        result: S | None = None
        done = 0
        for batch in part.batches(self.batch_rows):
            if len(batch) or batch.dropped or batch.weightless:
                value = kernel(batch if device == CPU else move(batch, device), operands)
                result = value if result is None else combine(result, value)
            if self.callback is not None and not part.in_memory:
                done += len(batch) + batch.dropped
                self.callback.rows(done, total)
        return result
