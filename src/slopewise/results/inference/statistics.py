"""From estimates and their covariance to t, p, intervals and the statistics of the whole fit.

Definitions are those of statsmodels' OLS and WLS, with one addition: the number of parameters of a penalised
fit is its effective one, trace K. Student's t and Fisher's F are used with robust errors too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.results.inference.covariance import Covariance, spread
from slopewise.solution import Factor, Solution
from slopewise.training.moments.moments import spread_of

EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True, slots=True)
class Coefficients:
    """One row per parameter, every field (p,). t = estimate / std_error, p is two-sided."""

    estimate: Tensor
    std_error: Tensor
    t: Tensor
    p: Tensor
    ci_low: Tensor
    ci_high: Tensor
    digits: Tensor


@dataclass(frozen=True, slots=True)
class Statistics:
    """The whole fit in numbers; NaN where one is not defined.

    r2 is about the mean with an intercept and about zero without. f tests all coefficients but the intercept
    at once, on df and dof degrees of freedom, f_p its tail. sigma is the residual standard error.
    """

    r2: float
    adj_r2: float
    f: float
    f_p: float
    df: int
    dof: float
    sigma: float
    loglik: float
    aic: float
    bic: float


def check_level(option: str, level: float) -> float:
    """Return `level` if it is a share strictly between 0 and 1; otherwise raise OptionError."""
    if not 0 < level < 1:
        raise OptionError(f"{option} is {level}; give a share between 0 and 1, such as 0.95.")
    return float(level)


def parameters_of(*, factor: Factor) -> float:
    """Return the effective number of parameters, trace K: p without a penalty."""
    return float(spread(factor=factor).diagonal().sum())


def residual_sum(solution: Solution) -> float:
    """Return rss, and exactly zero where it is no more than the table's own rounding would leave.

    A value of float64 is off by EPS / 2 of itself before anybody computes, so that residuals below a few EPS of
    the terms they are the difference of say nothing.
    """
    moments, b = solution.moments, solution.theta[int(solution.factor.intercept) :]
    terms = b**2 @ (moments.gram.diagonal() + moments.weight * moments.mean**2)
    size = float(terms) + float(moments.yy) + moments.weight * float(moments.y_mean) ** 2
    rss = float(solution.rss)
    return rss if rss > (4 * EPS) ** 2 * size else 0.0


def quantile(*, dof: float, level: float) -> float:
    """Return t such that a Student t of dof degrees of freedom lies within ±t with probability `level`."""
    from scipy.special import stdtrit

    return float(stdtrit(dof, 0.5 + level / 2)) if dof > 0 else math.nan


def coefficients(
    *, estimate: Tensor, variance: Tensor, digits: Tensor, dof: float, confidence_level: float
) -> Coefficients:
    """Return the coefficient table.

    Args:
        estimate: theta (p,).
        variance: the diagonal of its covariance (p,).
        digits: correct decimal digits (p,).
        dof: residual degrees of freedom.
        confidence_level: of the confidence intervals.
    """
    from scipy.special import stdtr

    std_error = variance.clamp(min=0).sqrt()
    t = estimate / std_error
    p = 2 * torch.from_numpy(stdtr(dof, -t.abs().numpy())) if dof > 0 else torch.full_like(t, torch.nan)
    half = quantile(dof=dof, level=confidence_level) * std_error
    return Coefficients(estimate, std_error, t, p, estimate - half, estimate + half, digits)


def statistics(*, solution: Solution, covariance: Covariance) -> Statistics:
    """Return the statistics of a fit.

    With rss and tss the weighted sums of squares, k the effective parameters and c = 1 with an intercept:
    r2 = 1 - rss / tss, adj_r2 = 1 - (n - c) / dof · rss / tss, sigma² = rss / dof,
    loglik = -n/2 (log(2π rss / n) + 1) + Σ log w / 2, aic = -2 loglik + 2 k, bic = -2 loglik + k log n.
    """
    moments, factor = solution.moments, solution.factor
    n, constant = moments.n, int(factor.intercept)
    k, df = parameters_of(factor=factor), len(factor.mean)
    dof, rss = n - k, residual_sum(solution)
    _, _, yy, _ = spread_of(moments, factor.intercept)
    unexplained = rss / float(yy) if float(yy) > 0 else math.nan
    sigma = math.sqrt(rss / dof) if dof > 0 else math.nan
    f = _f(solution, covariance, float(yy) - rss, sigma, df) if dof > 0 else math.nan
    loglik = math.inf
    if rss > 0:
        loglik = -n / 2 * (math.log(2 * math.pi * rss / n) + 1) + moments.log_weight / 2
    return Statistics(
        r2=1 - unexplained,
        adj_r2=1 - (n - constant) / dof * unexplained if dof > 0 else math.nan,
        f=f,
        f_p=_f_tail(df, dof, f),
        df=df,
        dof=dof,
        sigma=sigma,
        loglik=loglik,
        aic=-2 * loglik + 2 * k,
        bic=-2 * loglik + k * math.log(n),
    )


def _f(solution: Solution, covariance: Covariance, explained: float, sigma: float, df: int) -> float:
    """Return F: explained / (df sigma²), or with robust errors the Wald statistic b' cov(b)⁻¹ b / df."""
    if df == 0 or bool(solution.factor.ridge.any()) or bool(covariance.inner.isnan().any()):
        return math.nan  # a penalised or unfinished estimate's F follows no F distribution
    if sigma == 0:
        return math.inf
    if covariance.kind == "nonrobust":
        return explained / df / sigma**2
    constant = int(solution.factor.intercept)
    slopes = (solution.theta[constant:] * solution.factor.scale)[:, None]
    inverse, inner = solution.factor.r_inverse[constant:, constant:], covariance.inner[constant:, constant:]
    z = torch.linalg.solve_triangular(inverse, slopes, upper=True)
    solved, failed = torch.linalg.solve_ex(inner, z)
    return math.nan if failed else float((z * solved).sum()) / df


def _f_tail(df: int, dof: float, f: float) -> float:
    from scipy.special import fdtrc

    if math.isnan(f):
        return math.nan
    return 0.0 if math.isinf(f) else float(fdtrc(df, dof, f))
