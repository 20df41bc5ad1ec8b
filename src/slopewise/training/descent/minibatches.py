"""Full-batch or shuffled mini-batches of rows in memory, epoch after epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from slopewise.engine.stream import SHUFFLED_ROWS, permutation, shuffled
from slopewise.errors import DataError, OptionError

__all__ = ["SHUFFLED_ROWS", "Arrays", "batches_of", "permutation", "weighted_arrays"]

Arrays = tuple[Tensor, Tensor, Tensor | None]
"""x (n, q), y (n,) and w (n,) of mean 1, or None for equal weights; of rows with an offset y (n, 2), see
`losses/offset.py`."""


def weighted_arrays(x: Tensor, y: Tensor, w: Tensor | None) -> Arrays:
    """Return the rows with weights rescaled to mean 1, so that the mean of w · loss over all rows is Σ w · loss / Σ w.

    A batch's mean of w · loss then has that as its expectation, and rows of weight 0 make a gradient of 0, not NaN.

    Args:
        x: (n, q).
        y: (n,), or (n, 2) with an offset.
        w: (n,) weights, or None for equal ones.

    Raises:
        DataError: unequal lengths, or weights whose sum is not positive.

    Example:
        >>> weighted_arrays(torch.zeros(2, 1), torch.zeros(2), torch.tensor([1.0, 3.0]))[2]
        tensor([0.5000, 1.5000])
    """
    lengths = {name: len(value) for name, value in (("x", x), ("y", y), ("w", w)) if value is not None}
    if len(set(lengths.values())) > 1:
        raise DataError(f"unequal numbers of rows: {', '.join(f'{name} {n}' for name, n in lengths.items())}.")
    if w is None:
        return x, y, None
    total = float(w.sum(dtype=torch.float64))
    if not total > 0:
        raise DataError(f"the weights add up to {total:g}; give at least one row a weight above 0.")
    return x, y, (w.to(torch.float64) * (len(w) / total)).to(w.dtype)


def batches_of(rows: Arrays, size: int | None, seed: int) -> Callable[[int], Iterable[Arrays]]:
    """Return a function from an epoch to its batches: all rows at once, or shuffled mini-batches.

    The order depends on (seed, epoch) alone; the last batch may be shorter.

    Args:
        rows: x, y and w of all rows.
        size: rows of a batch, None for all.
        seed: of the shuffles.

    Raises:
        OptionError: a batch larger than the table.
    """
    if size is None:
        whole = (rows,)
        return lambda epoch: whole
    n = len(rows[1])
    if size > n:
        raise OptionError(f"batch_size {size} is more than the {n} rows; leave it out to take all rows at each step.")
    return lambda epoch: shuffled(*rows, size=size, order=permutation(n, seed, epoch))
