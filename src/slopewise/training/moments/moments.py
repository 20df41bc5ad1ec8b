"""Moments of the rows, the sufficient statistics of least squares, from one pass.

1. Guess the means from the first rows, so that sums of squares do not cancel later.
2. Sum [x - shift, y - shift, 1]' w [x - shift, y - shift, 1] over all rows: one matrix product per block.
3. Move the sums from the guess to the true weighted means.

Youngs and Cramer (1971), Chan, Golub and LeVeque (1983) on why the shift matters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.engine.threads import kept_memory
from slopewise.errors import DataError, OptionError
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.moments.gemm_width import gemm_width
from slopewise.types import Batch

CACHED_ROWS = 8192
"""Rows of one matrix product: with 20 columns of float64 they stay in a core's own cache between the operations."""

HEAD_ROWS = 8192
"""The first rows, of which the guess of the means is made."""


class MomentOperands(NamedTuple):
    """shift (q + 1,): guesses of the means of x and of y."""

    shift: Tensor


class MomentSums(NamedTuple):
    """Sums of one pass: products (q + 2, q + 2) of [x, y, 1] about the shift, and counts; offsets (): Σ offset."""

    products: Tensor
    rows: int
    dropped: int
    missing: Tensor
    log_weight: Tensor
    offsets: Tensor
    weightless: int = 0


def read_moments(problem: Problem, engine: Engine) -> Moments:
    """Return the moments of the problem's rows in one pass.

    Raises:
        DataError: no rows left; a missing or infinite value (the column and row are named), of an offset too; weights
            all zero.
        OptionError: an offset where the loss takes none.
    """
    # The guess of the means needs the first rows, and a file is not opened twice for them.
    reading = engine.open(problem.source)
    shift = first_means(replace(problem, source=reading), engine)
    return checked(engine.reduce(moment_sums, reading, MomentOperands(shift)), shift, problem)


def checked(sums: MomentSums | None, shift: Tensor, problem: Problem) -> Moments:
    """Check the sums about `shift` and return their moments.

    Args:
        sums: of all rows, None where there were none.
        shift: (q + 1,), guesses of the means of x and y.
        problem: whose rows they are, for messages.

    Raises:
        DataError: as `read_moments`.
    """
    if sums is None or sums.rows == 0:
        if sums and sums.weightless:
            raise DataError("all weights are zero; give at least some rows a positive weight.")
        dropped = f": all {sums.dropped} were dropped for missing values" if sums and sums.dropped else ""
        raise DataError(f"no rows to fit on{dropped}; give a table with rows, or choose missing='mean'.")
    if not bool(sums.products.isfinite().all()):
        raise problem.source.first_invalid_value() or _overflow(sums.products, problem)
    if not bool(sums.offsets.isfinite()):
        raise problem.source.first_invalid_value() or DataError("an offset is missing or infinite; correct it.")
    if float(sums.products[-1, -1]) <= 0:
        raise DataError("all weights are zero; give at least some rows a positive weight.")
    return center(sums, shift)


def _overflow(products: Tensor, problem: Problem) -> DataError:
    wrong = (~products.diagonal()[:-1].isfinite()).nonzero()[:, 0].tolist()
    names = [*(f"column {name!r}" for name in problem.source.x_names), "the target"]
    where = ", ".join(names[j] for j in wrong[:5]) or "the columns"
    return DataError(
        f"sums overflowed: {where} {'holds' if len(wrong) == 1 else 'hold'} values beyond 1e150, whose squares float64 "
        "does not hold; divide by a power of ten first."
    )


def moment_sums(batch: Batch, operands: MomentOperands) -> MomentSums:
    """Return the sums of one batch about the shift."""
    assert batch.y is not None
    (shift,) = operands
    n, q = batch.x.shape
    width = gemm_width(q + 2)
    products = batch.x.new_zeros(width, width)
    for start in range(0, n, CACHED_ROWS):
        block = slice(start, min(start + CACHED_ROWS, n))
        rows = _scratch(batch.x[block], q, width)
        torch.sub(batch.x[block], shift[:q], out=rows[:, :q])
        torch.sub(batch.y[block], shift[q], out=rows[:, q])
        products.addmm_(rows.T, rows if batch.w is None else rows * batch.w[block, None])
    log_weight = batch.x.new_zeros(())
    if batch.w is not None:
        log_weight = batch.w[batch.w > 0].log().sum()
    missing = torch.tensor(batch.missing or (0,), dtype=torch.int64, device=batch.x.device)
    offsets = batch.x.new_zeros(()) if batch.offset is None else batch.offset.sum()
    return MomentSums(products[: q + 2, : q + 2], n, batch.dropped, missing, log_weight, offsets, batch.weightless)


def _scratch(x: Tensor, q: int, width: int) -> Tensor:
    """Return memory (rows, width) for [x, y, 1, 0 …], in the memory order of x; a thread keeps what it used last."""
    n = min(len(x), CACHED_ROWS)
    by_column = x.stride(0) == 1 and q > 1

    def make() -> Tensor:
        rows = x.new_zeros(width, n).T if by_column else x.new_zeros(n, width)
        rows[:, q + 1] = 1
        return rows

    return kept_memory(("moments", q, by_column, x.device), n, make)[:n]


def center(sums: MomentSums, shift: Tensor) -> Moments:
    """Return the moments about the true weighted means, from sums about the guessed ones, `shift` (q + 1,)."""
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
        shift=shift,
        offset=offset,
        lost=max(lost, 0.0),
        dropped=sums.dropped,
        missing=tuple(sums.missing.tolist()),
        log_weight=float(sums.log_weight),
        weightless=sums.weightless,
    )


def first_means(problem: Problem, engine: Engine) -> Tensor:
    """Return the means (q + 1,) of x and y over the first rows, zeros where they are not finite.

    Raises:
        OptionError: the rows have an offset, and the loss is for numbers or classes.
    """
    head = engine.head(problem.source, HEAD_ROWS)
    if head.offset is not None and problem.loss.response in ("number", "class"):
        raise OptionError(
            f"offset and exposure are for counts and positive targets, and loss {problem.loss.name!r} is for "
            f"{'numbers' if problem.loss.response == 'number' else 'classes'}; leave them out."
        )
    if not len(head) or head.y is None:
        return torch.zeros(len(problem.source.x_names) + 1, dtype=torch.float64)
    means = torch.cat([head.x, head.y[:, None]], dim=1).mean(0)
    return torch.where(means.isfinite(), means, 0.0)


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
