"""The contract: one verb, a sum over rows.

`sum(function, source)` calls `function(batch)` for every batch and adds the results in the fixed order of
the rows, whatever ran side by side. A result is a tuple of float64 tensors (and ints); tuples add
element by element unless `add` says how. Only the engine knows how many threads, devices
or machines there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from slopewise.data.source import Source
from slopewise.types import Batch

S = TypeVar("S", bound=tuple[Any, ...])


def add_tuples(left: S, right: S) -> S:
    """Return the element-wise sum of two results of one shape."""
    total = (a + b for a, b in zip(left, right, strict=True))
    return type(left)._make(total) if hasattr(left, "_make") else type(left)(total)


class Engine(ABC):
    """Sums functions of batches over all rows of a source."""

    batch_rows: int

    @abstractmethod
    def sum(self, function: Callable[[Batch], S], source: Source, *, add: Callable[[S, S], S] = add_tuples) -> S | None:
        """Return the sum of function(batch) over the source, None where it has no rows."""
