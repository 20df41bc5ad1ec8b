"""From the optimum of a loss with log link to what its inference is made of: expected information and dispersion.

Standard errors of a generalized linear model are those of the expected information at the estimate, times the
dispersion, as R's glm and statsmodels' GLM have them. With the canonical link it is the Hessian at the optimum itself,
and no pass is needed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.losses.log_link import LogLink
from slopewise.problem import Problem
from slopewise.solution import Basis, GlmStatistics, Solution
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.standardized_columns import standardized_columns
from slopewise.types import Batch


class ThetaOperands(NamedTuple):
    """theta (p,): parameters, raw units."""

    theta: Tensor


def glm_statistics(problem: Problem, solution: Solution, engine: Engine) -> GlmStatistics:
    """Return the statistics of a fit whose loss has a log link. One pass, two where the dispersion is estimated.

    Args:
        problem: as it was solved.
        solution: its solution, of which theta, loss, null_loss, fitted_loss and moments are used.
        engine: sums over the rows.
    """
    problem = replace(problem, loss=solution.fitted_loss or problem.loss)
    loss = problem.loss
    assert isinstance(loss, LogLink)
    dispersion = 1.0 if loss.dispersion is None else loss.dispersion

    def sums(dispersion: float) -> tuple[float, float, float]:
        kernel = partial(glm_sums, loss=loss, intercept=problem.intercept, dispersion=dispersion)
        found = engine.reduce(kernel, problem.source, ThetaOperands(solution.theta))
        assert found is not None  # the solver has read these rows
        pearson, deviance, loglik = map(float, found)
        return pearson, deviance, loglik

    pearson, deviance, loglik = sums(dispersion)
    df_resid = solution.rows.weight - len(problem.names)
    if loss.dispersion is None:
        dispersion = pearson / df_resid if df_resid > 0 else float("nan")
        loglik = sums(dispersion)[2] if df_resid > 0 else float("nan")
    lost = solution.null_loss - solution.loss
    return GlmStatistics(
        pearson=pearson,
        deviance=deviance,
        null_deviance=deviance + 2 * lost,
        df_resid=df_resid,
        dispersion=dispersion,
        loglik=loglik,
        null_loglik=loglik - lost / dispersion,
    )


def glm_sums(
    batch: Batch, operands: ThetaOperands, *, loss: LogLink, intercept: bool, dispersion: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return Σ w (y - mu)² / V(mu), Σ w deviance and Σ w log density () of one batch.

    Args:
        batch: x (n, q), y (n,), w (n,) or None, offset (n,) or None.
        operands: theta.
        loss: of the rows.
        intercept: whether theta[0] is one.
        dispersion: phi of the density.
    """
    assert batch.y is not None
    mu, y = linear_predictor(batch, operands.theta, intercept).exp(), batch.y
    w = torch.ones_like(y) if batch.w is None else batch.w
    pearson = (y - mu) ** 2 / loss.variance(mu)
    return w @ pearson, w @ loss.deviance(mu, y), w @ loss.log_density(mu, y, dispersion)


def linear_predictor(batch: Batch, theta: Tensor, intercept: bool) -> Tensor:
    """Return eta (n,) = x theta + offset.

    Args:
        batch: its x (n, q) and offset are used.
        theta: (p,), raw units, the intercept first.
        intercept: whether there is one.
    """
    eta = batch.x @ theta[int(intercept) :]
    if intercept:
        eta = eta + theta[0]
    return eta if batch.offset is None else eta + batch.offset


def expected_basis(problem: Problem, solution: Solution, engine: Engine, *, dispersion: float = 1.0) -> Basis:
    """Return the basis of the expected information, `inner` times the dispersion: the classical covariance.

    With L2, (H + P)⁻¹ H (H + P)⁻¹ times the dispersion. One pass; none where Hessian and expectation are the same.

    Args:
        problem: with a loss with log link.
        solution: the optimum.
        engine: sums over the rows.
        dispersion: phi, from `glm_statistics`.

    Raises:
        FitError: the solver left no Hessian: a penalty with L1, or too many parameters; or the information is singular.
    """
    loss, basis = problem.loss, solution.basis
    assert isinstance(loss, LogLink)
    if basis is None:
        raise FitError("there is no covariance: the penalty has an L1 part, or there are too many parameters.")
    if not loss.canonical:
        columns = standardized_columns(problem, solution.rows)
        evaluate = evaluate_rows(problem, engine, columns, hessian_of=partial(_expected, loss=loss))
        hessian = evaluate(columns.scaled(solution.theta)).hessian
        r, failed = torch.linalg.cholesky_ex(hessian + 2 * columns.ridge, upper=True)
        if int(failed):
            raise FitError("the information is singular; drop a column that repeats others, or set l2 above zero.")
        basis = basis_of(problem, columns, r, hessian)
    return replace(basis, inner=dispersion * basis.inner)


def _expected(eta: Tensor, y: Tensor, *, loss: LogLink) -> Tensor:
    return loss.expected_hessian(eta)
