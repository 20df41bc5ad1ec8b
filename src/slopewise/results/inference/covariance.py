"""How far the coefficients would scatter: their covariance, classical or robust to unequal scatter of the rows.

Everything is computed in the coordinates z of `rows.orthonormal` and carried to raw units at the very end by
M = `raw_factor`, so that close to collinear columns cost no more digits than they must: X'X is never formed
nor inverted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.results.inference.leverage import line, orthonormal
from slopewise.solution import Factor
from slopewise.training.exact.scaling import raw_factor
from slopewise.types import Batch

COV_TYPES = ("nonrobust", "hc0", "hc1", "hc2", "hc3")

FULL_LEVERAGE = 1e-10
"""1 - leverage below which a row counts as the only one of its kind: rounding leaves about p · 1e-14 there."""


@dataclass(frozen=True, slots=True)
class Covariance:
    """kind: one of ERRORS. raw (p, p): of theta. inner (p, p): the same in coordinates z, raw = M inner M'."""

    kind: str
    raw: Tensor
    inner: Tensor


@dataclass(frozen=True, slots=True)
class RobustPass:
    """What one read of the rows gives: the covariance, and absolute () = Σ w |e| in passing."""

    covariance: Covariance
    absolute: Tensor


class RobustOperands(NamedTuple):
    """factor of the training rows, theta (p,) the estimates."""

    factor: Factor
    theta: Tensor


class RobustSums(NamedTuple):
    """meat (p, p) = Σ (w e)² a z z', absolute () = Σ w |e|, and how many rows have leverage one."""

    meat: Tensor
    absolute: Tensor
    alone: int


def spread(*, factor: Factor) -> Tensor:
    """Return K (p, p) = Σ w z z' = I - r_inverse' diag(ridge) r_inverse over the training rows."""
    inverse = factor.r_inverse
    identity = torch.eye(inverse.shape[0], dtype=inverse.dtype)
    if not bool(factor.ridge.any()):
        return identity
    return identity - inverse.T @ (factor.ridge[:, None] * inverse)


def classical(*, factor: Factor, variance: float) -> Covariance:
    """Return the covariance of equally scattered rows, variance · M K M'.

    For an unpenalised fit this is variance · (X'WX)⁻¹; with a penalty it describes the shrunken
    estimates' scatter and not their bias.

    Args:
        factor: of the training rows.
        variance: the residual variance, rss / dof.
    """
    return _covariance("nonrobust", factor, variance * spread(factor=factor))


def robust(
    kind: str, *, engine: Engine, source: Source, factor: Factor, theta: Tensor, n: int, dof: float
) -> RobustPass:
    """Return the heteroscedasticity-consistent covariance M (Σ (w e)² a z z') M', read from the rows.

    With leverage h = w z'z, a is 1 for hc0, n / dof for hc1, 1 / (1 - h) for hc2 and 1 / (1 - h)² for hc3.
    White (1980); MacKinnon and White (1985). Weighted rows are taken as statsmodels' WLS takes them.

    Args:
        kind: hc0, hc1, hc2 or hc3.
        engine: sums over the rows.
        source: the training rows.
        factor: of the training rows.
        theta: the estimates (p,).
        n: number of rows.
        dof: residual degrees of freedom.

    Raises:
        FitError: hc2 or hc3, and a row determines its own prediction.
    """
    sums = engine.reduce(partial(robust_sums, kind=kind), source, RobustOperands(factor, theta))
    assert sums is not None  # the solver has read these rows
    if sums.alone:
        rows = "row has" if sums.alone == 1 else "rows have"
        raise FitError(
            f"cov_type={kind!r} divides by 1 - leverage, and {sums.alone} {rows} leverage 1, such as the only row of a "
            "category's level; choose cov_type='hc1', or leave such rows out."
        )
    meat = sums.meat * (n / dof if dof > 0 else torch.nan) if kind == "hc1" else sums.meat
    return RobustPass(_covariance(kind, factor, meat), sums.absolute)


def robust_sums(batch: Batch, operands: RobustOperands, *, kind: str) -> RobustSums:
    """Return the sums of one batch; `robust` gives the formula."""
    assert batch.y is not None
    factor, theta = operands
    z = orthonormal(x=batch.x, factor=factor)
    e = (batch.y - line(x=batch.x, theta=theta, intercept=factor.intercept)).abs()
    we = e if batch.w is None else e * batch.w
    alone, scale = 0, we
    if kind in ("hc2", "hc3"):
        leverage = (z * z).sum(1) if batch.w is None else batch.w * (z * z).sum(1)
        rest = 1 - leverage
        alone = int((rest < FULL_LEVERAGE).sum())
        scale = we / (rest.clamp(min=FULL_LEVERAGE).sqrt() if kind == "hc2" else rest.clamp(min=FULL_LEVERAGE))
    rows = z * scale[:, None]
    return RobustSums(rows.T @ rows, we.sum(), alone)


def _covariance(kind: str, factor: Factor, inner: Tensor) -> Covariance:
    m = raw_factor(factor)
    return Covariance(kind, m @ inner @ m.T, inner)
