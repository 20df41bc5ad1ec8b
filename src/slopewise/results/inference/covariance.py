"""Covariance of the estimates: of the model, or robust to heteroscedasticity and to a wrong likelihood.

Everything is computed in the coordinates z of the basis and carried to raw units at the very end by M = `raw_map`, so
that nearly collinear columns cost no more digits than they must: X'X is never formed nor inverted.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError, OptionError, check_choice
from slopewise.problem import Problem
from slopewise.results.inference.meat import autocorrelation_sums, cluster_sums, join_clusters, meat, meat_operands
from slopewise.results.inference.newey_west import join_lags, lags_of
from slopewise.results.record import Covariance
from slopewise.solution import Basis, Solution
from slopewise.training.moments.standardize import raw_map

CLUSTER_TYPES = ("cluster", "cr0")
LIKELIHOOD_TYPES = ("nonrobust", "hc0", "hc1", *CLUSTER_TYPES, "hac")
COV_TYPES = (*LIKELIHOOD_TYPES, "hc2", "hc3")


def parameters_of(solution: Solution) -> float:
    """Return the effective number of parameters: trace inner, d without a penalty; those that are not 0 under L1.

    The last is unbiased for the lasso: Zou, Hastie and Tibshirani (2007), On the degrees of freedom of the lasso.
    """
    basis = solution.basis
    return float(basis.inner.diagonal().sum()) if basis is not None else float((solution.theta != 0).sum())


def estimated(solution: Solution) -> int:
    """Return how many parameters a solution with a basis has, those of the loss among them."""
    assert solution.basis is not None
    return len(solution.basis.inner) + sum(each.cross is not None for each in solution.nuisance)


def covariance_of(
    kind: str,
    *,
    problem: Problem,
    solution: Solution,
    engine: Engine,
    dispersion: float = 1.0,
    lags: int | None = None,
) -> tuple[Covariance, float]:
    """Return the covariance of theta, and Σ w |gradient| where the rows were read for it, else NaN.

    nonrobust: dispersion · M inner M', and under a penalty the scatter (H + P)⁻¹ H (H + P)⁻¹ of the shrunken estimates;
    no read of the rows. hc0: (H + P)⁻¹ (Σ s s') (H + P)⁻¹ with s the score of a row; hc1: n / (n - d) times that, which
    statsmodels' Logit leaves out; for squared loss with leverage h also hc2, each s s' divided by 1 - h, and hc3, by
    (1 - h)²: one read. White (1980, 1982); MacKinnon and White (1985). hac: Newey and West's sum over lags in place of
    Σ s s', without a correction for few rows; neighbours are neighbours among the training rows, in the order of the
    table. Weighted rows are taken as statsmodels takes them.

    Args:
        kind: one of COV_TYPES.
        problem: what was asked.
        solution: what was found, with a basis.
        engine: sums over the rows.
        dispersion: the residual variance of squared loss, 1 for a likelihood.
        lags: of hac; None for the number that `lags_of` chooses.

    Raises:
        OptionError: the kind is not one of this loss; there are as many lags as rows.
        FitError: hc2 or hc3, and a row determines its own prediction.
    """
    basis = solution.basis
    assert basis is not None
    squared = problem.loss.name == "squared"
    check_choice("cov_type", kind, COV_TYPES if squared else LIKELIHOOD_TYPES)
    if kind == "nonrobust":
        return covariance_from(kind, basis, dispersion * basis.inner), math.nan
    if kind in CLUSTER_TYPES:
        return _clustered(kind, problem, solution, engine)
    if kind == "hac":
        return _autocorrelated(problem, solution, engine, lags_of(lags, solution.rows.n))
    kernel = partial(meat, model=problem.model, loss=problem.loss, kind=kind)
    sums = engine.reduce(kernel, problem.source, meat_operands(solution))
    assert sums is not None  # the solver has read these rows
    if sums.alone:
        rows = "row has" if sums.alone == 1 else "rows have"
        raise FitError(
            f"cov_type={kind!r} divides by 1 - leverage, and {sums.alone} {rows} leverage 1, such as the only row of a "
            "category's level; choose cov_type='hc1', or leave such rows out."
        )
    inner = sums.meat
    if kind == "hc1":
        n = solution.rows.n
        dof = n - (parameters_of(solution) if squared else estimated(solution))
        inner = inner * (n / dof if dof > 0 else math.nan)
    return covariance_from(kind, basis, inner), float(sums.absolute)


def _clustered(kind: str, problem: Problem, solution: Solution, engine: Engine) -> tuple[Covariance, float]:
    """Return the covariance (H + P)⁻¹ (Σ s_g s_g') (H + P)⁻¹, s_g the sum of the scores of cluster g.

    cr0 as it is; cluster (CR1) times G / (G - 1) · (n - 1) / (n - d). Liang and Zeger (1986), Cameron and Miller
    (2015).

    Raises:
        FitError: there is one cluster only.
    """
    basis = solution.basis
    assert basis is not None
    kernel = partial(cluster_sums, model=problem.model, loss=problem.loss)
    sums = engine.reduce(kernel, problem.source, meat_operands(solution), join_clusters)
    assert sums is not None  # the solver has read these rows
    count, n, d = len(sums.numbers), solution.rows.n, estimated(solution)
    if count < 2:
        raise FitError(
            "the cluster column has one value in all training rows, and errors need two clusters at least; choose "
            "another column, or cov_type='hc1'."
        )
    inner = sums.scores.T @ sums.scores
    if kind == "cluster":
        inner = inner * (count / (count - 1) * (n - 1) / (n - d) if n > d else math.nan)
    return replace(covariance_from(kind, basis, inner), clusters=count), float(sums.absolute)


def _autocorrelated(problem: Problem, solution: Solution, engine: Engine, lags: int) -> tuple[Covariance, float]:
    """Return the covariance (H + P)⁻¹ meat (H + P)⁻¹ with the meat of newey_west.py."""
    basis = solution.basis
    assert basis is not None
    kernel = partial(autocorrelation_sums, model=problem.model, loss=problem.loss, lags=lags)
    operands = meat_operands(solution)
    sums = engine.reduce(kernel, problem.source, operands, partial(join_lags, lags=lags))
    assert sums is not None  # the solver has read these rows
    return replace(covariance_from("hac", basis, sums.meat), lags=lags), float(sums.absolute)


def covariance_from(kind: str, basis: Basis, inner: Tensor) -> Covariance:
    """Return the covariance whose matrix in coordinates z is inner (d, d).

    Args:
        kind: one of COV_TYPES.
        basis: of the training rows.
        inner: (d, d).
    """
    m = raw_map(basis)
    return Covariance(kind, m @ inner @ m.T, inner)


CLOSE = 0.01
"""Standard errors by which every coefficient may miss the exact one for its interval still to mean something."""


def covariance_at(theta: Tensor, exact: Solution | None, at_exact: Covariance | None) -> Covariance | None:
    """Return the covariance of the exact estimates if theta (p,) is within CLOSE standard errors of all of them.

    Otherwise None: an interval around an unfinished state says nothing about the data.

    Args:
        theta: (p,), raw units.
        exact: the exact solution, None where there is none.
        at_exact: its covariance, or None.
    """
    if exact is None or at_exact is None:
        return None
    away = (theta - exact.theta).abs()
    error = at_exact.raw.diagonal().clamp(min=0).sqrt()
    arrived = bool((away <= CLOSE * error + 1e-12 * exact.theta.abs()).all())
    return at_exact if arrived else None


def refuse_robust(kind: str, solver: str) -> None:
    """Raise OptionError where robust errors are asked for and there is no Hessian at the optimum to make them from."""
    if kind != "nonrobust":
        raise OptionError(
            f"cov_type={kind!r} needs the Hessian at the optimum, which solver {solver!r} leaves none of; leave it out."
        )
