"""Where Newton's method starts for losses with a log link: one step of weighted least squares on working responses.

1. Take mu = (y + mean of y) / 2 as if it were fitted, so that no logarithm is infinite.
2. Regress z = log mu + (y - mu) / mu on the columns with the weights w mu² / V(mu).

The null model may be many steps away where means differ by orders of magnitude; this is close to the optimum whatever
they are. McCullagh and Nelder (1989), section 2.5.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.losses.log_link import LogLink
from slopewise.problem import Problem
from slopewise.training.likelihood.score import BLOCK
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.types import Batch


class MeanOperands(NamedTuple):
    """mean (q,): subtracted from x."""

    mean: Tensor


def working_start(
    problem: Problem, engine: Engine, columns: StandardizedColumns, *, ridge: Tensor, y_mean: float
) -> Tensor | None:
    """Return c (d,) to start from, None where the weighted columns are too close to collinear. One pass.

    Args:
        problem: with a loss with log link; any other gives None.
        engine: sums over the rows.
        columns: in which c is.
        ridge: (d, d) of the penalty c' ridge c.
        y_mean: of the targets, positive.
    """
    if not isinstance(problem.loss, LogLink):
        return None
    kernel = partial(working_sums, loss=problem.loss, intercept=problem.intercept, y_mean=y_mean)
    sums = engine.reduce(kernel, problem.source, MeanOperands(columns.units.mean))
    assert sums is not None  # the first pass has seen these rows
    gram = sums[0] / torch.outer(columns.scale, columns.scale) + 2 * ridge
    r, failed = torch.linalg.cholesky_ex(gram, upper=True)
    if int(failed) or not bool(gram.isfinite().all()):
        return None
    c: Tensor = torch.cholesky_solve((sums[1] / columns.scale)[:, None], r, upper=True)[:, 0]
    return c if bool(c.isfinite().all()) else None


def working_sums(
    batch: Batch, operands: MeanOperands, *, loss: LogLink, intercept: bool, y_mean: float
) -> tuple[Tensor, Tensor]:
    """Return Σ w W r r' (p, p) and Σ w W z r (p,) of one batch, r = [1, x - mean].

    Args:
        batch: x (n, q), y (n,), w (n,) or None, offset (n,) or None.
        operands: mean, subtracted from x.
        loss: of the rows.
        intercept: whether r begins with 1.
        y_mean: of all targets.
    """
    assert batch.y is not None
    mean = operands.mean
    p = len(mean) + int(intercept)
    gram, linear = mean.new_zeros(p, p), mean.new_zeros(p)
    size = max(1024, BLOCK // max(p, 1))
    for start in range(0, len(batch), size):
        block = slice(start, start + size)
        y, x = batch.y[block], batch.x[block] - mean
        rows = torch.cat([x.new_ones(len(x), 1), x], dim=1) if intercept else x
        mu = (y + y_mean) / 2
        weight = loss.expected_hessian(mu.log())
        z = mu.log() + (y - mu) / mu
        if batch.offset is not None:
            z = z - batch.offset[block]
        if batch.w is not None:
            weight = weight * batch.w[block]
        gram += rows.T @ (weight[:, None] * rows)
        linear += rows.T @ (weight * z)
    return gram, linear
