"""The residuals of all rows, n numbers in memory: for medians, which no sum over rows gives."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.problem import Problem
from slopewise.training.likelihood.score import ScoreOperands
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.types import Batch

NORMAL_QUARTILE = 0.6744897501960817
"""Third quartile of the standard normal distribution."""


class Residuals(NamedTuple):
    """e = y - eta (n,), and w (n,) or None for equal weights."""

    e: Tensor
    w: Tensor | None


def residuals(problem: Problem, engine: Engine, columns: StandardizedColumns, c: Tensor) -> Residuals:
    """Return the residuals of every row, in order. One pass.

    Args:
        problem: the rows.
        engine: reads them.
        columns: in which c is given.
        c: (d,).
    """
    operands = ScoreOperands(columns.beta(c), columns.units.mean)
    found = engine.reduce(residuals_of, problem.source, operands, join)
    assert found is not None  # the first pass has seen these rows
    return found


def residuals_of(batch: Batch, operands: ScoreOperands) -> Residuals:
    """Return the residuals of one batch for parameters (p, 1) of the columns [1, x - mean]."""
    assert batch.y is not None
    beta, mean = operands.beta[:, 0], operands.mean
    eta = (batch.x - mean) @ beta[len(beta) - len(mean) :] + beta[: len(beta) - len(mean)].sum()
    return Residuals(batch.y - eta, batch.w)


def join(a: Residuals, b: Residuals) -> Residuals:
    """Return the residuals of both."""
    return Residuals(torch.cat([a.e, b.e]), None if a.w is None or b.w is None else torch.cat([a.w, b.w]))


def ordered(values: Tensor, w: Tensor | None, positions: tuple[float, ...]) -> list[float]:
    """Return the values at positions 0 … Σ w - 1 of the sorted rows, each row repeated as its weight says.

    Args:
        values: (n,).
        w: (n,), how often each is repeated; None for once.
        positions: from 0.
    """
    order = values.argsort()
    upto = (torch.ones_like(values) if w is None else w[order]).cumsum(0)
    at = torch.searchsorted(upto, torch.tensor(positions, dtype=upto.dtype) * (1 + 1e-15), right=True)
    return [float(value) for value in values[order[at.clamp(max=len(values) - 1)]]]


def percentile(values: Tensor, w: Tensor | None, share: float) -> float:
    """Return the quantile of the values by linear interpolation, numpy's and scipy's default; weights repeat rows.

    Args:
        values: (n,).
        w: (n,), how often each is repeated; None for once.
        share: from 0 to 1.
    """
    if w is not None:
        w = w * max(1.0, len(w) / float(w.sum()))  # less than a row each: they repeat none, and count in proportion
    total = float(len(values)) if w is None else float(w.sum())
    position = share * (total - 1)
    below = math.floor(position)
    low, high = ordered(values, w, (below, below + 1))
    return low + (position - below) * (high - low) if position > below else low


def mad_scale(found: Residuals) -> float:
    """Return median |e| / 0.6745, the normalised median absolute deviation about 0, as statsmodels' RLM has it."""
    return percentile(found.e.abs(), found.w, 0.5) / NORMAL_QUARTILE
