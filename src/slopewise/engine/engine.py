"""The contract: everything that meets rows is a verb of the engine, and only the engine knows where the rows are.

`reduce(kernel, source, operands)` calls `kernel(batch, operands)` for every batch and combines the results in the
fixed order of the rows, whatever ran side by side. `head`, `stream`, `gather` and `open` hand out rows themselves.

A kernel is a function of a module, so that it can be sent elsewhere by name; settings that are no tensors may be bound
to it by `functools.partial`. All its tensors come as operands, a tuple that the engine moves to where the batch is,
and what it allocates it makes with `batch.x.new_zeros` and its like. A result is a tuple of tensors (float64 sums) and
plain numbers, brought back to this process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from slopewise.data.source import Source
from slopewise.engine.gather import Gathered
from slopewise.types import Batch, Callback

S = TypeVar("S", bound=tuple[Any, ...])
O = TypeVar("O", bound=tuple[Any, ...] | None)  # noqa: E741


def add_tuples(left: S, right: S) -> S:
    """Return the element-wise sum of two tuples of the same length and type.

    >>> add_tuples((1, 2.0), (3, 4.0))
    (4, 6.0)
    """
    total = (a + b for a, b in zip(left, right, strict=True))
    return type(left)._make(total) if hasattr(left, "_make") else type(left)(total)


class Engine(ABC):
    """Reads sources and combines functions of their batches.

    batch_rows: rows of a batch at most. callback: told how reads get on, or None. memory: bytes of rows that may be
    gathered from a source that is not in memory; mini-batches of more are streamed.
    """

    batch_rows: int
    callback: Callback | None
    memory: float

    @abstractmethod
    def reduce(
        self, kernel: Callable[[Batch, O], S], source: Source, operands: O, combine: Callable[[S, S], S] = add_tuples
    ) -> S | None:
        """Return kernel(batch, operands) combined over all batches of the source, None where it has no rows.

        Args:
            kernel: from a batch and the operands to a tuple; a function of a module, or a partial of one.
            source: the rows.
            operands: a tuple of tensors, numbers, and tuples, dataclasses or torch modules of these; or None.
            combine: associative; called as combine(earlier rows, later rows).
        """

    @abstractmethod
    def open(self, source: Source, keep: float = 0.0) -> Source:
        """Return the source so that `head` and one `reduce` after it take a single read of a file.

        Args:
            source: the rows; one in memory is returned as it is.
            keep: bytes of x, y and w up to which the rows are kept; the source returned is then in memory, and can be
                read any number of times.
        """

    @abstractmethod
    def head(self, source: Source, n: int) -> Batch:
        """Return the first rows of a source, n of them or all there are."""

    @abstractmethod
    def gather(self, source: Source, callback: Callback | None = None) -> Gathered:
        """Return all rows of a source in memory.

        Args:
            source: with a target.
            callback: told how the read gets on, and when more than 100 MB are taken; or None.

        Raises:
            DataError: there are no rows, or more than the machine's memory; a value is missing or infinite.
        """

    @abstractmethod
    def stream(self, source: Source, size: int, seed: int | None = None, epoch: int = 0) -> Iterator[Batch]:
        """Yield every row of a source once, in batches of `size` rows (the last may be shorter), while it is read.

        With a seed, rows are shuffled within a buffer: the first B rows of the source among each other, then the next
        B, and so on, B being the whole batches that take 64 MB as float64 columns (`engine.stream.buffer_rows`; 380,000
        rows of 20 columns). The order is set by the order of the source's rows, (seed, epoch), the number of columns
        and `size`, and by nothing else: not by the number of files or row groups, not by batch_rows, threads or dtype.
        A source of at most B rows is shuffled whole, as rows in memory are. Rows further apart never share a batch,
        so a table sorted by its target is better shuffled before it is written.

        Args:
            source: with a target.
            size: rows of a batch.
            seed: of the order; None for that of the source.
            epoch: another order for each.
        """
