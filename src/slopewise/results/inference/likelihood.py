"""From the top of a likelihood to covariance, z, p, odds ratios and the statistics of the whole fit.

Definitions are those of statsmodels' Logit and MNLogit. Parameters of several outputs are listed output by output:
those of the second class first, then the third's, each against the first class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError, check_choice
from slopewise.losses.loss import Loss
from slopewise.problem import Problem
from slopewise.results.inference.covariance import Covariance
from slopewise.results.inference.leverage import line
from slopewise.solution import Basis, Maximum
from slopewise.types import Batch

COV_TYPES = ("nonrobust", "hc0", "hc1")


@dataclass(frozen=True, slots=True)
class Odds:
    """One row per parameter, every field (d,), output by output.

    z = estimate / std_error, p is two-sided, normal. odds_ratio = exp(estimate), between odds_low and odds_high:
    how the odds against the first class multiply when the column grows by 1.
    """

    estimate: Tensor
    std_error: Tensor
    z: Tensor
    p: Tensor
    ci_low: Tensor
    ci_high: Tensor
    odds_ratio: Tensor
    odds_low: Tensor
    odds_high: Tensor


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """The whole fit in numbers; NaN where one is not defined.

    loglik = -Σ w loss, null_loglik that of the intercept alone (of equal probabilities without one). deviance =
    -2 loglik; mcfadden = 1 - loglik / null_loglik; lr = 2 (loglik - null_loglik), lr_p its χ² tail on df degrees
    of freedom. With k parameters (effective ones, under a penalty) aic = -2 loglik + 2 k, bic = -2 loglik + k log n.
    """

    loglik: float
    null_loglik: float
    deviance: float
    mcfadden: float
    lr: float
    lr_p: float
    df: int
    parameters: float
    aic: float
    bic: float


def covariance_of(kind: str, *, problem: Problem, maximum: Maximum, engine: Engine) -> Covariance:
    """Return the covariance of theta; classical costs no read of the rows, hc0 and hc1 one.

    classical: H⁻¹, and under a penalty P the scatter (H + P)⁻¹ H (H + P)⁻¹ of the shrunken estimates. hc0:
    (H + P)⁻¹ (Σ s s') (H + P)⁻¹ with s the score of a row; hc1: n / (n - d) times that, which statsmodels' Logit
    leaves out. White (1982), Maximum likelihood estimation of misspecified models.

    Args:
        kind: classical, hc0 or hc1.
        problem: what was asked.
        maximum: what was found.
        engine: sums over the rows.

    Raises:
        OptionError: kind is none of these.
        FitError: the road left no curvature: a penalty with corners, or too many parameters.
    """
    check_choice("cov_type", kind, COV_TYPES)
    basis = maximum.basis
    if basis is None:
        raise FitError("there is no covariance: the penalty has corners (l1), or there are too many parameters.")
    inner = basis.inner
    if kind != "nonrobust":
        kernel = partial(score_products, loss=problem.loss)
        sums = engine.reduce(kernel, problem.source, ScoreProductOperands(maximum.theta, basis))
        assert sums is not None  # the solver has read these rows
        n, d = maximum.moments.n, len(inner)
        inner = sums[0] * (n / (n - d) if n > d else math.nan) if kind == "hc1" else sums[0]
    m = raw_map(basis)
    return Covariance(kind, m @ inner @ m.T, inner)


class ScoreProductOperands(NamedTuple):
    """theta (p,) or (p, m), raw units; basis: the curvature there."""

    theta: Tensor
    basis: Basis


def score_products(batch: Batch, operands: ScoreProductOperands, *, loss: Loss) -> tuple[Tensor]:
    """Return Σ s s' (d, d) of one batch, s = w slope ⊗ u in the coordinates z."""
    assert batch.y is not None
    theta, basis = operands
    gradient = loss.gradient(line(x=batch.x, theta=theta, intercept=basis.intercept), batch.y)
    gradient = gradient.reshape(len(batch), -1)
    if batch.w is not None:
        gradient = gradient * batch.w[:, None]
    scores = (gradient[:, :, None] * scaled(batch.x, basis)[:, None, :]).flatten(1) @ basis.r_inverse
    return (scores.T @ scores,)


def scaled(x: Tensor, basis: Basis) -> Tensor:
    """Return u = [1, (x - mean) / scale] (n, p)."""
    u = (x - basis.mean) / basis.scale
    return torch.cat([u.new_ones(len(u), 1), u], dim=1) if basis.intercept else u


def raw_map(basis: Basis) -> Tensor:
    """Return M (d, d) with (H + penalty)⁻¹ = M M' in raw units, each output's intercept carried to x = 0."""
    blocks = basis.r_inverse.reshape(basis.outputs, -1, basis.r_inverse.shape[1])
    if not basis.intercept:
        return (blocks / basis.scale[:, None]).flatten(0, 1)
    slopes = blocks[:, 1:] / basis.scale[:, None]
    intercepts = blocks[:, :1] - (basis.mean @ slopes)[:, None]
    return torch.cat([intercepts, slopes], dim=1).flatten(0, 1)


def listed(theta: Tensor) -> Tensor:
    """Return parameters (p,) or (p, m) output by output (d,)."""
    return theta if theta.ndim == 1 else theta.T.reshape(-1)


def odds(*, estimate: Tensor, variance: Tensor, confidence_level: float) -> Odds:
    """Return the coefficient table, with Wald intervals.

    Args:
        estimate: parameters (d,).
        variance: the diagonal of their covariance (d,).
        confidence_level: of the confidence intervals.
    """
    from scipy.special import ndtr

    std_error = variance.clamp(min=0).sqrt()
    z = estimate / std_error
    half = normal_quantile(confidence_level) * std_error
    low, high = estimate - half, estimate + half
    p = 2 * torch.from_numpy(ndtr(-z.abs().numpy()))
    return Odds(estimate, std_error, z, p, low, high, estimate.exp(), low.exp(), high.exp())


def normal_quantile(level: float) -> float:
    """Return z such that a standard normal lies within ±z with probability `level`."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


def likelihoods(*, maximum: Maximum) -> Likelihoods:
    """Return the statistics of a fit. A penalised fit's likelihood ratio follows no χ², so it is NaN."""
    from scipy.special import chdtrc

    loglik, null = -maximum.loss, -maximum.null_loss
    basis = maximum.basis
    k = float(basis.inner.diagonal().sum()) if basis is not None else float(maximum.theta.numel())
    outputs = 1 if maximum.theta.ndim == 1 else maximum.theta.shape[1]
    df = outputs * len(maximum.moments.mean)
    lr = 2 * (loglik - null) if maximum.penalty == 0 else math.nan
    return Likelihoods(
        loglik=loglik,
        null_loglik=null,
        deviance=-2 * loglik,
        mcfadden=1 - loglik / null if null else math.nan,
        lr=lr,
        lr_p=math.nan if math.isnan(lr) else float(chdtrc(df, max(lr, 0.0))),
        df=df,
        parameters=k,
        aic=-2 * loglik + 2 * k,
        bic=-2 * loglik + k * math.log(maximum.moments.n),
    )
