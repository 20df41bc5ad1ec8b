"""The statistics of a whole fit: R², F and their kind of least squares, deviance and its kind of a likelihood.

Definitions are those of statsmodels' OLS, WLS, Logit and MNLogit, with one addition: the number of parameters of a
penalised fit is its effective one, trace inner. Fisher's F is used with robust errors too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from slopewise.results.inference.covariance import parameters_of
from slopewise.results.record import Covariance, FitRecord
from slopewise.solution import GlmStatistics, Solution
from slopewise.training.moments.moments import spread_of

EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True, slots=True)
class LinearStatistics:
    """The whole fit of least squares in numbers; NaN where one is not defined.

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


@dataclass(frozen=True, slots=True)
class LikelihoodStatistics:
    """The whole fit of a likelihood in numbers; NaN where one is not defined.

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


@dataclass(frozen=True, slots=True)
class GlmFitStatistics:
    """The whole fit of counts or positive numbers; NaN where one is not defined.

    loglik of the likelihood with its constants, null_loglik that of the intercept and offset alone; deviance and
    null_deviance; pearson = Σ w (y - mu)² / V(mu); dispersion, 1 for counts. mcfadden, lr, lr_p, df, aic and bic as of
    classes; parameters counts an estimated alpha too.
    """

    loglik: float
    null_loglik: float
    deviance: float
    null_deviance: float
    pearson: float
    dispersion: float
    mcfadden: float
    lr: float
    lr_p: float
    df: int
    parameters: float
    aic: float
    bic: float


Statistics = LinearStatistics | LikelihoodStatistics | GlmFitStatistics


def residual_sum(solution: Solution) -> float:
    """Return the residual sum of squares, and exactly zero where it is no more than the table's own rounding.

    A value of float64 is off by EPS / 2 of itself before anybody computes, so that residuals below a few EPS of
    the terms they are the difference of say nothing.
    """
    moments, intercept = solution.rows, len(solution.theta) > len(solution.rows.mean)
    b = solution.theta[int(intercept) :]
    terms = b**2 @ (moments.gram.diagonal() + moments.weight * moments.mean**2)
    size = float(terms) + float(moments.yy) + moments.weight * float(moments.y_mean) ** 2
    return solution.loss if solution.loss > (4 * EPS) ** 2 * size else 0.0


def residual_variance(solution: Solution) -> float:
    """Return rss / dof, NaN without degrees of freedom."""
    dof = solution.rows.n - parameters_of(solution)
    return residual_sum(solution) / dof if dof > 0 else math.nan


def statistics_of(record: FitRecord) -> Statistics | None:
    """Return the statistics of a fit that was solved, None of a loss that is no likelihood."""
    if record.loss.name == "squared":
        return linear_statistics(
            solution=record.solution,
            covariance=record.covariance,
            intercept=record.design.intercept,
            penalised=bool(record.l2 or record.l1),
        )
    if record.glm is not None:
        return glm_fit_statistics(record, record.glm)
    return likelihood_statistics(record.solution) if record.class_names else None


def linear_statistics(
    *, solution: Solution, covariance: Covariance | None, intercept: bool, penalised: bool = False
) -> LinearStatistics:
    """Return the statistics of least squares.

    With rss and tss the weighted sums of squares, k the effective parameters and c = 1 with an intercept:
    r2 = 1 - rss / tss, adj_r2 = 1 - (n - c) / dof · rss / tss, sigma² = rss / dof,
    loglik = -n/2 (log(2π rss / n) + 1) + Σ log w / 2, aic = -2 loglik + 2 k, bic = -2 loglik + k log n.

    Args:
        solution: with its moments; k and dof are NaN of a descent that has not arrived.
        covariance: of the coefficients, for F; or None.
        intercept: whether the model has one.
        penalised: F is not defined then, and NaN.
    """
    moments = solution.rows
    n, constant = moments.n, int(intercept)
    known = solution.basis is not None or solution.descent is None
    k, df = parameters_of(solution) if known else math.nan, len(moments.mean)
    dof, rss = n - k, residual_sum(solution)
    _, _, yy, _ = spread_of(moments, intercept)
    unexplained = rss / float(yy) if float(yy) > 0 else math.nan
    sigma = math.sqrt(rss / dof) if dof > 0 else math.nan
    f = math.nan
    if dof > 0 and not penalised:
        f = _f(solution, covariance, float(yy) - rss, sigma, df)
    loglik = math.inf
    if rss > 0:
        loglik = -n / 2 * (math.log(2 * math.pi * rss / n) + 1) + moments.log_weight / 2
    return LinearStatistics(
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


def _f(solution: Solution, covariance: Covariance | None, explained: float, sigma: float, df: int) -> float:
    """Return F: explained / (df sigma²), or with robust errors the Wald statistic b' cov(b)⁻¹ b / df."""
    basis = solution.basis
    if df == 0 or covariance is None or basis is None:
        return math.nan  # an unfinished estimate's F follows no F distribution
    if sigma == 0:
        return math.inf
    if covariance.kind == "nonrobust":
        return explained / df / sigma**2
    constant = int(basis.intercept)
    slopes = (solution.theta[constant:] * basis.scale)[:, None]
    inverse, inner = basis.r_inverse[constant:, constant:], covariance.inner[constant:, constant:]
    z = torch.linalg.solve_triangular(inverse, slopes, upper=True)
    solved, failed = torch.linalg.solve_ex(inner, z)
    return math.nan if failed else float((z * solved).sum()) / df


def _f_tail(df: int, dof: float, f: float) -> float:
    from scipy.special import fdtrc

    if math.isnan(f):
        return math.nan
    return 0.0 if math.isinf(f) else float(fdtrc(df, dof, f))


def likelihood_statistics(solution: Solution) -> LikelihoodStatistics:
    """Return the statistics of a likelihood. A penalised fit's likelihood ratio follows no χ², so it is NaN."""
    from scipy.special import chdtrc

    loglik, null = -solution.loss, -solution.null_loss
    k = parameters_of(solution)
    outputs = 1 if solution.theta.ndim == 1 else solution.theta.shape[1]
    df = outputs * len(solution.rows.mean)
    lr = 2 * (loglik - null) if solution.penalty == 0 else math.nan
    return LikelihoodStatistics(
        loglik=loglik,
        null_loglik=null,
        deviance=-2 * loglik,
        mcfadden=1 - loglik / null if null else math.nan,
        lr=lr,
        lr_p=math.nan if math.isnan(lr) else float(chdtrc(df, max(lr, 0.0))),
        df=df,
        parameters=k,
        aic=-2 * loglik + 2 * k,
        bic=-2 * loglik + k * math.log(solution.rows.n),
    )


def glm_fit_statistics(record: FitRecord, glm: GlmStatistics) -> GlmFitStatistics:
    """Return the statistics of a loss with log link; a penalised fit's likelihood ratio follows no χ²."""
    from scipy.special import chdtrc

    solution = record.solution
    df = len(solution.rows.mean)
    k = solution.theta.numel() if solution.basis is not None else int((solution.theta != 0).sum())
    k += sum(each.name == "alpha" for each in solution.nuisance)
    lr = 2 * (glm.loglik - glm.null_loglik) if solution.penalty == 0 else math.nan
    return GlmFitStatistics(
        loglik=glm.loglik,
        null_loglik=glm.null_loglik,
        deviance=glm.deviance,
        null_deviance=glm.null_deviance,
        pearson=glm.pearson,
        dispersion=glm.dispersion,
        mcfadden=1 - glm.loglik / glm.null_loglik if glm.null_loglik else math.nan,
        lr=lr,
        lr_p=math.nan if math.isnan(lr) else float(chdtrc(df, max(lr, 0.0))),
        df=df,
        parameters=float(k),
        aic=-2 * glm.loglik + 2 * k,
        bic=-2 * glm.loglik + k * math.log(solution.rows.n),
    )
