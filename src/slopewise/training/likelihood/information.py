"""From the optimum of a loss with log link to what its inference is made of: expected information and dispersion.

Standard errors of a generalized linear model are those of the expected information at the estimate, times the
dispersion, as R's glm and statsmodels' GLM have them. With the canonical link it is the Hessian at the optimum itself,
and no pass is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.losses.log_link import LogLink
from slopewise.problem import Problem
from slopewise.solution import Basis, Maximum
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.standardized_columns import standardized_columns
from slopewise.types import Batch


@dataclass(frozen=True, slots=True)
class GlmStatistics:
    """What a generalized linear model reports of itself; weights count as repeated rows.

    pearson = Σ w (y - mu)² / V(mu); deviance = Σ w unit deviance, null_deviance that of the null model; df_resid =
    Σ w - p. dispersion is the loss's own where it has one, else pearson / df_resid, NaN without a degree of freedom.
    loglik is the log likelihood at that dispersion, its constants included; null_loglik that of the null model.
    """

    pearson: float
    deviance: float
    null_deviance: float
    df_resid: float
    dispersion: float
    loglik: float
    null_loglik: float


def glm_statistics(problem: Problem, maximum: Maximum, engine: Engine) -> GlmStatistics:
    """Return the statistics of a fit whose loss has a log link. One pass, two where the dispersion is estimated.

    Args:
        problem: as it was solved.
        maximum: its solution, of which theta, loss, null_loss, fitted_loss and moments are used.
        engine: sums over the rows.
    """
    problem = replace(problem, loss=maximum.fitted_loss or problem.loss)
    loss = problem.loss
    assert isinstance(loss, LogLink)
    dispersion = 1.0 if loss.dispersion is None else loss.dispersion

    def sums(dispersion: float) -> tuple[float, float, float]:
        found = engine.sum(
            partial(glm_sums, problem=problem, theta=maximum.theta, dispersion=dispersion), problem.source
        )
        assert found is not None  # the solver has read these rows
        pearson, deviance, loglik = map(float, found)
        return pearson, deviance, loglik

    pearson, deviance, loglik = sums(dispersion)
    df_resid = maximum.moments.weight - len(problem.names)
    if loss.dispersion is None:
        dispersion = pearson / df_resid if df_resid > 0 else float("nan")
        loglik = sums(dispersion)[2] if df_resid > 0 else float("nan")
    lost = maximum.null_loss - maximum.loss
    return GlmStatistics(
        pearson=pearson,
        deviance=deviance,
        null_deviance=deviance + 2 * lost,
        df_resid=df_resid,
        dispersion=dispersion,
        loglik=loglik,
        null_loglik=loglik - lost / dispersion,
    )


def glm_sums(batch: Batch, *, problem: Problem, theta: Tensor, dispersion: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return Σ w (y - mu)² / V(mu), Σ w deviance and Σ w log density () of one batch.

    Args:
        batch: x (n, q), y (n,), w (n,) or None, offset (n,) or None.
        problem: whose loss it is.
        theta: (p,) raw units.
        dispersion: phi of the density.
    """
    assert batch.y is not None and isinstance(problem.loss, LogLink)
    mu, y, loss = linear_predictor(batch, theta, problem.intercept).exp(), batch.y, problem.loss
    w = torch.ones_like(y) if batch.w is None else batch.w
    pearson = (y - mu) ** 2 / loss.variance(mu)
    return w @ pearson, w @ loss.deviance(mu, y), w @ loss.log_density(mu, y, dispersion)


def linear_predictor(batch: Batch, theta: Tensor, intercept: bool) -> Tensor:
    """Return eta (n,) = x theta + offset for theta (p,) in raw units."""
    eta = batch.x @ theta[int(intercept) :]
    if intercept:
        eta = eta + theta[0]
    return eta if batch.offset is None else eta + batch.offset


def expected_basis(problem: Problem, maximum: Maximum, engine: Engine, *, dispersion: float = 1.0) -> Basis:
    """Return the basis of the expected information, `inner` times the dispersion: the classical covariance.

    With L2, (H + P)⁻¹ H (H + P)⁻¹ times the dispersion. One pass; none where Hessian and expectation are the same.

    Args:
        problem: with a loss with log link.
        maximum: the optimum.
        engine: sums over the rows.
        dispersion: phi, from `glm_statistics`.

    Raises:
        FitError: the solver left no Hessian: a penalty with L1, or too many parameters; or the information is singular.
    """
    loss, basis = problem.loss, maximum.basis
    assert isinstance(loss, LogLink)
    if basis is None:
        raise FitError("there is no covariance: the penalty has an L1 part, or there are too many parameters.")
    if not loss.canonical:
        columns = standardized_columns(problem, maximum.moments)
        evaluate = evaluate_rows(problem, engine, columns, hessian_of=partial(_expected, loss=loss))
        hessian = evaluate(columns.scaled(maximum.theta)).hessian
        r, failed = torch.linalg.cholesky_ex(hessian + 2 * columns.ridge, upper=True)
        if int(failed):
            raise FitError("the information is singular; drop a column that repeats others, or set l2 above zero.")
        basis = basis_of(problem, columns, r, hessian)
    return replace(basis, inner=dispersion * basis.inner)


def _expected(eta: Tensor, y: Tensor, *, loss: LogLink) -> Tensor:
    return loss.expected_hessian(eta)
