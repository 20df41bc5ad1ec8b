"""All rows of a source in memory at once, for the training loop, which reads them every epoch."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.buffered import ANNOUNCED
from slopewise.errors import DataError
from slopewise.types import Batch, Callback


@dataclass(frozen=True, slots=True)
class Gathered:
    """All rows of a source as tensors: x (n, q) and y, of any shape (n, ...); w (n,) or None for equal weights."""

    x: Tensor
    y: Tensor
    w: Tensor | None


def gather(
    source: Source,
    batch_rows: int,
    *,
    mean: Tensor | None = None,
    scale: Tensor | None = None,
    dtype: torch.dtype | None = torch.float64,
    callback: Callback | None = None,
    limit: float = math.inf,
) -> Gathered:
    """Return every row of `source` in memory, centred and scaled if requested; an unchanged matrix is not copied.

    Args:
        source: with a target.
        batch_rows: rows read at a time.
        mean: (q,), and scale (q,): columns become (x - mean) / scale; None leaves them.
        scale: see mean.
        dtype: of the result, None for that of the source.
        callback: told when more than 100 MB are taken.
        limit: bytes that rows from a file may take.

    Raises:
        DataError: the source has no rows, or more than the limit; a value is missing or infinite.
    """
    parts: list[Batch] = []
    done = taken = 0
    for batch in source.batches(source.n_rows if source.in_memory and source.n_rows else batch_rows):
        if len(batch):
            x = batch.x if mean is None or scale is None else (batch.x - mean) / scale
            assert batch.y is not None and batch.offset is None
            to, w = dtype or x.dtype, batch.w
            parts.append(Batch(x.to(to), batch.y.to(to), None if w is None else w.to(to)))
            taken += sum(part.nbytes for part in (parts[-1].x, parts[-1].y) if part is not None)
            if not source.in_memory:
                _check_size(taken, limit)
        done += len(batch) + batch.dropped
        if callback is not None and not source.in_memory:
            callback.rows(done, source.n_rows)
    if not parts:
        raise DataError("there are no rows to descend on; check the filters, the split and the missing values.")
    x, y = _joined([part.x for part in parts]), _joined([part.y for part in parts if part.y is not None])
    w = None if parts[0].w is None else _joined([part.w for part in parts if part.w is not None])
    size = x.nbytes + y.nbytes + (0 if w is None else w.nbytes)
    if callback is not None and size > ANNOUNCED:
        callback.note(f"gradient descent on {len(x):,} rows x {x.shape[1]} columns in memory, {size / 1e6:,.0f} MB")
    if not bool(torch.isfinite(x.sum() + y.sum())):
        error = source.first_invalid_value()
        if error is not None:
            raise error
    return Gathered(x, y, w)


def machine_memory() -> float:
    """Return the bytes of memory that this machine has, inf where it does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return math.inf


def _check_size(taken: float, limit: float) -> None:
    if taken > limit:
        raise DataError(
            f"the rows take more than {limit / 1e9:,.1f} GB, half of this machine's memory; give a batch_size, and "
            "they are read anew in every epoch instead."
        )


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0].contiguous() if len(parts) == 1 else torch.cat(parts)
