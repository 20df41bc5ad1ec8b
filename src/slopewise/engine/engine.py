"""The contract of an engine: a sum over rows.

`sum(function, source)` calls `function(batch)` for every batch and adds the results in the fixed order of
the rows, independent of the number of threads. A result is a tuple of float64 tensors (and ints); tuples add
element by element unless `add` is given. Only the engine decides on threads and devices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from slopewise.data.source import Source
from slopewise.types import Batch

S = TypeVar("S", bound=tuple[Any, ...])


def add_tuples(left: S, right: S) -> S:
    """Return the element-wise sum of two tuples of the same length and type.

    >>> add_tuples((1, 2.0), (3, 4.0))
    (4, 6.0)
    """
    total = (a + b for a, b in zip(left, right, strict=True))
    return type(left)._make(total) if hasattr(left, "_make") else type(left)(total)


class Engine(ABC):
    """Sums functions of batches over all rows of a source."""

    batch_rows: int

    @abstractmethod
    def sum(self, function: Callable[[Batch], S], source: Source, *, add: Callable[[S, S], S] = add_tuples) -> S | None:
        """Return the sum of function(batch) over the source, None where it has no rows.

        Args:
            function: from a batch to a tuple of float64 tensors and ints.
            source: the rows.
            add: sum of two results; element by element by default.
        """
