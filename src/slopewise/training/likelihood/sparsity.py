"""Standard errors of quantile regression: the sandwich with a kernel estimate of the density of the residuals at 0.

(X'X)⁻¹ (Σ d x x') (X'X)⁻¹ with d = (tau / f)² for residuals above 0 and ((1 - tau) / f)² for those below. For the p
rows that an optimum fits exactly it is the mean of the two over their probabilities, tau (1 - tau) / f²; other programs
let rounding decide on which side such a row lies. f is the Epanechnikov kernel's density at 0 with the bandwidth of
Hall and Sheather (1988), as statsmodels' QuantReg has it by default. Greene (2008), Econometric analysis, section
14.2; weights count as repeated rows.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.losses.loss import PiecewiseLinear
from slopewise.problem import Problem
from slopewise.solution import Basis, Solution
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.residuals import Residuals, percentile, residuals
from slopewise.training.likelihood.standardized_columns import standardized_columns
from slopewise.training.moments.quadratic import quadratic_of

ALPHA = 0.05
"""Level of the intervals for which Hall and Sheather's bandwidth is the best."""

FITTED = 1e-10
"""Residual, as a share of the targets' standard deviation, that counts as 0: of the p rows that are fitted exactly."""


def quantile_basis(problem: Problem, solution: Solution, engine: Engine) -> Basis:
    """Return the basis whose `inner` makes the sandwich covariance. Two passes, and n numbers in memory.

    Args:
        problem: with a piecewise linear loss.
        solution: the optimum, of which theta and moments are used.
        engine: sums over the rows.

    Returns:
        The basis; its inner is NaN where the residuals show no density.
    """
    loss, moments = problem.loss, solution.rows
    assert isinstance(loss, PiecewiseLinear)
    over, under = loss.prices
    tau = over / (over + under)
    columns = standardized_columns(problem, moments)
    c = columns.scaled(solution.theta)
    deviation = math.sqrt(float(moments.yy) / moments.weight)
    density = density_at_zero(residuals(problem, engine, columns, c), tau, deviation)
    prices = partial(_squared_price, tau=tau, density=density, zero=FITTED * deviation)
    middle = evaluate_rows(problem, engine, columns, hessian_of=prices)(c).hessian
    gram = moments.weight / 2 * quadratic_of(moments, columns.units).hessian
    r = torch.linalg.cholesky(gram, upper=True)
    basis = basis_of(problem, columns, r, gram)
    inner = basis.r_inverse.T @ middle @ basis.r_inverse
    return Basis(basis.mean, basis.scale, basis.r_inverse, inner, basis.intercept, basis.outputs)


def density_at_zero(found: Residuals, tau: float, deviation: float) -> float:
    """Return the density of the residuals at 0; NaN for too few rows, or where half of them are fitted exactly.

    Args:
        found: e (n,) and w (n,) or None.
        tau: the quantile.
        deviation: standard deviation of the targets, which bounds the bandwidth.
    """
    e, w = found
    n = float(len(e)) if w is None else float(w.sum())
    if not has_bandwidth(n, tau):
        return math.nan
    share = hall_sheather(n, tau)
    spread = (percentile(e, w, 0.75) - percentile(e, w, 0.25)) / 1.34
    h = min(deviation, spread) * (_normal_quantile(tau + share) - _normal_quantile(tau - share))
    if not h > FITTED * deviation:
        return math.nan
    kernel = 0.75 * (1 - (e / h) ** 2).clamp(min=0)
    return float(kernel.sum() if w is None else w @ kernel) / (n * h)


def has_bandwidth(n: float, tau: float) -> bool:
    """Return whether the quantiles a bandwidth below and above tau exist.

    >>> has_bandwidth(20, 0.5), has_bandwidth(20, 0.05)
    (True, False)
    """
    share = hall_sheather(n, tau)
    return 0 < tau - share < tau + share < 1


def hall_sheather(n: float, tau: float) -> float:
    """Return the bandwidth in shares: n^(-1/3) z_alpha^(2/3) (1.5 phi(z)² / (2 z² + 1))^(1/3), z the tau quantile."""
    z = _normal_quantile(tau)
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    wide = _normal_quantile(1 - ALPHA / 2) ** (2 / 3)
    return float(n ** (-1 / 3) * wide * (1.5 * density**2 / (2 * z**2 + 1)) ** (1 / 3))


def _normal_quantile(share: float) -> float:
    return float(torch.special.ndtri(torch.tensor(share, dtype=torch.float64)))


def _squared_price(eta: Tensor, y: Tensor, *, tau: float, density: float, zero: float) -> Tensor:
    e = y - eta
    sides = torch.where(e > 0, (tau / density) ** 2, ((1 - tau) / density) ** 2)
    return torch.where(e.abs() <= zero, tau * (1 - tau) / density**2, sides)
