"""One read of the rows: everything that least squares will ever ask of them.

1. Guess the means from the first rows, so that sums of squares do not cancel later.
2. Sum [x - shift, y - shift, 1]' w [x - shift, y - shift, 1] over all rows: one matrix product per block.
3. Move the sums from the guess to the true weighted means.

Youngs and Cramer (1971), Chan, Golub and LeVeque (1983) on why the shift matters.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.buffered import start_read
from slopewise.engine.engine import Engine
from slopewise.errors import DataError, OptionError
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.moments.gemm_width import gemm_width
from slopewise.types import Batch

CACHED_ROWS = 8192
"""Rows of one matrix product: with 20 columns of float64 they stay in a core's own cache between the steps."""

HEAD_ROWS = 8192
"""Rows of the first batch that the guess of the means is made of."""

_ROOM = threading.local()


class MomentSums(NamedTuple):
    """Sums of one pass: products (q + 2, q + 2) of [x, y, 1] about the shift, and counts."""

    products: Tensor
    rows: int
    dropped: int
    missing: Tensor
    log_weight: Tensor


def read_moments(problem: Problem, engine: Engine) -> Moments:
    """Return the moments of the problem's rows in one pass.

    Raises:
        DataError: no rows left; a missing or infinite value (the column and row are named); weights all zero.
    """
    source = problem.source
    # The guess of the means needs the first rows, and a file is not opened twice for them.
    reading = source if source.in_memory else start_read(source, engine.batch_rows)
    shift = first_means(replace(problem, source=reading), engine)
    return checked(engine.sum(partial(moment_sums, shift=shift), reading), shift, problem)


def checked(sums: MomentSums | None, shift: Tensor, problem: Problem) -> Moments:
    """Return the moments that the sums about `shift` stand for.

    Raises:
        DataError: as `read_moments`.
    """
    if sums is None or sums.rows == 0:
        dropped = f": all {sums.dropped} were dropped for missing values" if sums and sums.dropped else ""
        raise DataError(f"no rows to fit on{dropped}; give a table with rows, or choose missing='mean'.")
    if not bool(sums.products.isfinite().all()):
        raise problem.source.first_invalid_value() or DataError(
            "sums overflowed: some values are beyond 1e150; rescale the columns."
        )
    if float(sums.products[-1, -1]) <= 0:
        raise DataError("all weights are zero; give at least some rows a positive weight.")
    return center(sums, shift)


def moment_sums(batch: Batch, *, shift: Tensor) -> MomentSums:
    """Return the sums of one batch about `shift` (q + 1,), guesses of the means of x and of y."""
    assert batch.y is not None
    n, q = batch.x.shape
    width = gemm_width(q + 2)
    products = torch.zeros(width, width, dtype=torch.float64)
    for start in range(0, n, CACHED_ROWS):
        block = slice(start, min(start + CACHED_ROWS, n))
        rows = _scratch(batch.x[block], q, width)
        torch.sub(batch.x[block], shift[:q], out=rows[:, :q])
        torch.sub(batch.y[block], shift[q], out=rows[:, q])
        products.addmm_(rows.T, rows if batch.w is None else rows * batch.w[block, None])
    log_weight = torch.zeros((), dtype=torch.float64)
    if batch.w is not None:
        log_weight = batch.w[batch.w > 0].log().sum()
    missing = torch.tensor(batch.missing, dtype=torch.int64) if batch.missing else torch.zeros(1, dtype=torch.int64)
    return MomentSums(products[: q + 2, : q + 2], n, batch.dropped, missing, log_weight)


def _scratch(x: Tensor, q: int, width: int) -> Tensor:
    """Return room (rows, width) for [x, y, 1, 0 …], in the memory order of x; a thread keeps what it used last.

    Fresh memory of this size comes from the system page by page, which takes as long as filling it.
    """
    n = min(len(x), CACHED_ROWS)
    by_column = x.stride(0) == 1 and q > 1
    kept = getattr(_ROOM, "last", None)
    if kept is None or kept[0] != (q, by_column) or len(kept[1]) < n:
        room = torch.zeros(width, n, dtype=torch.float64).T if by_column else torch.zeros(n, width, dtype=torch.float64)
        room[:, q + 1] = 1
        kept = _ROOM.last = (q, by_column), room
    return kept[1][:n]


def center(sums: MomentSums, shift: Tensor) -> Moments:
    """Move the sums from the guessed to the true means."""
    weight = sums.products[-1, -1]
    offset = sums.products[:-1, -1] / weight
    about_shift = sums.products[:-1, :-1]
    products = about_shift - weight * torch.outer(offset, offset)
    spread = products.diagonal().clamp(min=0)
    total = about_shift.diagonal()
    varied = spread > 1e-30 * total
    lost = float((total[varied] / spread[varied]).log10().max()) if bool(varied.any()) else 0.0
    mean = shift + offset
    return Moments(
        n=sums.rows,
        weight=float(weight),
        mean=mean[:-1],
        y_mean=mean[-1],
        gram=products[:-1, :-1],
        xy=products[:-1, -1],
        yy=products[-1, -1],
        lost=max(lost, 0.0),
        dropped=sums.dropped,
        missing=tuple(sums.missing.tolist()),
        log_weight=float(sums.log_weight),
    )


def first_means(problem: Problem, engine: Engine) -> Tensor:
    """Return the means (q + 1,) of x and y over the first batch, zeros where they are not finite.

    Raises:
        OptionError: the rows have an offset, and the loss is for numbers or classes.
    """
    for batch in problem.source.batches(engine.batch_rows):
        if batch.offset is not None and problem.loss.response in ("number", "class"):
            raise OptionError(
                f"offset and exposure are for counts and positive targets, and loss {problem.loss.name!r} is for "
                f"{'numbers' if problem.loss.response == 'number' else 'classes'}; leave them out."
            )
        if len(batch) and batch.y is not None:
            rows = torch.cat([batch.x[:HEAD_ROWS], batch.y[:HEAD_ROWS, None]], dim=1)
            means = rows.mean(0)
            return torch.where(means.isfinite(), means, 0.0)
    return torch.zeros(len(problem.source.x_names) + 1, dtype=torch.float64)


def spread_of(moments: Moments, intercept: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (gram, xy, yy, mean) as the solver needs them: about the means, or about zero without an intercept."""
    if intercept:
        return moments.gram, moments.xy, moments.yy, moments.mean
    mean, y_mean, weight = moments.mean, moments.y_mean, moments.weight
    return (
        moments.gram + weight * torch.outer(mean, mean),
        moments.xy + weight * mean * y_mean,
        moments.yy + weight * y_mean**2,
        torch.zeros_like(mean),
    )
