"""Huber regression: Newton's method on a loss that is quadratic for small residuals and linear for large ones.

1. Start from least squares, which the moments give.
2. Minimise with a delta near the spread of those residuals, then with ever smaller ones, each from the last solution:
with a delta far below the spread nearly all rows have Hessian 0 at the start.
3. Each time by Newton's method; where its matrix is singular, or its step does not lower the loss, take one step of
iteratively reweighted least squares, which always does.
4. Where the scale is to be estimated, delta = tuning · MAD(residuals): repeat 3 with the new scale, by the secant
method, until it no longer changes.

Huber (1981), Robust statistics, section 7.8; Madsen and Nielsen (1990), Finite algorithms for robust linear regression.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.losses.loss import Loss, Robust
from slopewise.problem import Problem
from slopewise.solution import Basis, Moments, Nuisance, Solution, Status
from slopewise.training.likelihood.checks import check_columns
from slopewise.training.likelihood.information import ThetaOperands, linear_predictor
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.residuals import Residuals, mad_scale, residuals
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.setup import LikelihoodSetup, likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns, standardized_columns
from slopewise.training.moments.quadratic import quadratic_of
from slopewise.training.requirements import linear_model, no_l1
from slopewise.training.solver import Solver
from slopewise.types import Batch, Callback

TOLERANCE = 1e-9
"""Decrement at the end, in standard errors about; the last step is taken beyond it."""

ROUNDED = 1e-4
"""Decrement at most that may be rounding, of targets far larger than their residuals, if it no longer falls."""

LOOSE = 1e-2
"""Decrement with the larger deltas, whose solutions are starts only."""

SHRINK = 4.0
"""Ratio of one delta to the next."""

MOST_PASSES = 500
MOST_SCALES = 100

NO_SCALE = 1e-11
"""Scale of the residuals, as a share of the targets' median size, that is rounding and tells nothing of outliers."""

SETTLED = 1e-11
"""Relative change of the scale at which it is final."""

WELL_CONDITIONED = 1e-10
"""Squared pivot of the scaled Hessian, per unit of weight, below which its step is not trusted."""


@dataclass(frozen=True, slots=True)
class RobustState:
    """c (d,); the derivatives before the last step to it and their factor r (d, d); value; decrement; passes."""

    c: Tensor
    found: Derivatives
    r: Tensor
    value: float
    decrement: float
    passes: int


@dataclass(frozen=True, slots=True)
class RobustNewton(Solver):
    """Σ w loss + penalty of a robust loss, its scale estimated if the loss says so; warm is in raw units."""

    name = "newton"
    requires = (linear_model, no_l1)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the optimum; n numbers are kept in memory for medians.

        Raises:
            FitError: dependent columns; a scale of 0; no convergence.
        """
        with likelihood_setup(problem, engine) as setup:
            check_columns(setup.problem, setup.first.moments)
            loss = problem.loss
            assert isinstance(loss, Robust)
            start = least_squares(setup) if warm is None else setup.columns.scaled(warm)
            if loss.estimates is None:
                state = _by_continuation(setup, engine, loss, start)
                return _solution(setup, engine, loss, state, ())
            loss, state, scale = _with_scale(setup, engine, loss, start)
            return _solution(setup, engine, loss, state, (Nuisance("scale", scale, math.nan),))


def least_squares(setup: LikelihoodSetup) -> Tensor:
    """Return c (p,) of least squares, from the moments."""
    return quadratic_of(setup.first.moments, setup.columns.units).optimum


def _by_continuation(setup: LikelihoodSetup, engine: Engine, loss: Robust, start: Tensor) -> RobustState:
    """Return the optimum, by way of those with larger deltas."""
    moments, deltas = setup.first.moments, [loss.delta]
    quadratic = quadratic_of(moments, setup.columns.units)
    spread = float(quadratic.constant - quadratic.linear @ start + start @ quadratic.hessian @ start / 2)
    while deltas[-1] * SHRINK < math.sqrt(max(spread, 0.0)):
        deltas.append(deltas[-1] * SHRINK)
    c, passes = start, 0
    for delta in reversed(deltas[1:]):
        state = _minimise(setup, engine, loss.with_delta(delta), c, tolerance=LOOSE)
        c, passes = state.c, passes + state.passes
    state = _minimise(setup, engine, loss, c)
    return replace(state, passes=passes + state.passes)


def _with_scale(
    setup: LikelihoodSetup, engine: Engine, loss: Robust, start: Tensor
) -> tuple[Robust, RobustState, float]:
    """Return the loss with its delta, the optimum, and the scale: s with s = MAD of the residuals at delta = tuning s.

    Raises:
        FitError: the scale is 0, or does not settle.
    """
    columns, passes, before = setup.columns, 2, (math.nan, math.nan)
    size = mad_scale(residuals(setup.problem, engine, columns, torch.zeros_like(start)))
    scale = _scale(residuals(setup.problem, engine, columns, start), size)
    state = _by_continuation(setup, engine, loss.with_delta(loss.tuning * scale), start)
    for _ in range(MOST_SCALES):
        new = _scale(residuals(setup.problem, engine, columns, state.c), size)
        passes += state.passes + 1
        gap = new - scale
        # A residual is rounded as its target is, so a scale far below the targets is known less well.
        if abs(gap) <= SETTLED * scale + 1e-15 * size:
            return loss.with_delta(loss.tuning * scale), replace(state, passes=passes), scale
        secant = scale - gap * (scale - before[0]) / (gap - before[1]) if gap != before[1] else math.nan
        before = (scale, gap)
        scale = secant if min(scale, new) / 2 < secant < max(scale, new) * 2 else new
        state = _minimise(setup, engine, loss.with_delta(loss.tuning * scale), state.c)
    raise FitError(
        f"the scale of the residuals did not settle in {MOST_SCALES} rounds, being {scale:.6g} and {new:.6g} in turn; "
        "give delta."
    )


def _scale(found: Residuals, size: float) -> float:
    """Return the scale of the residuals; size: of the targets, whose rounding is no scale."""
    scale = mad_scale(found)
    if not scale > NO_SCALE * size:
        raise FitError(
            "more than half of the rows are fitted exactly, so the scale of the residuals is 0 and tells nothing of "
            "the outliers; give delta."
        )
    return scale


def _minimise(
    setup: LikelihoodSetup, engine: Engine, loss: Robust, start: Tensor, *, tolerance: float = TOLERANCE
) -> RobustState:
    """Return the optimum of one delta, one step beyond the last place evaluated. Step 3 of the file.

    Raises:
        FitError: no convergence.
    """
    columns, problem = setup.columns, replace(setup.problem, loss=loss)
    ridge, weight = columns.ridge, setup.first.moments.weight
    evaluate = evaluate_rows(problem, engine, columns)
    reweighted = evaluate_rows(problem, engine, columns, hessian_of=loss.irls_weight)
    c, found, passes, before = start, evaluate(start), 1, math.inf
    while passes < MOST_PASSES:
        value, score = found.value + float(c @ ridge @ c), found.score + 2 * ridge @ c
        r, exact = _factor(found.hessian + 2 * ridge, weight), True
        if r is None:
            r, exact, passes = _factor(reweighted(c).hessian + 2 * ridge, 0.0), False, passes + 1
            assert r is not None  # every row has a positive weight, and the columns are independent
        step, decrement = _step(score, r)
        # The influence of a row is at most delta, and its square twice its loss.
        unit = setup.unit * min(loss.delta, math.sqrt(2 * max(found.value, 0.0) / weight))
        stalled = exact and before / 2 <= decrement <= ROUNDED * unit
        if decrement <= tolerance * unit or stalled:
            return RobustState(c + step, found, r, value, decrement / unit if unit else 0.0, passes)
        there, before = evaluate(c + step), decrement
        passes += 1
        if exact and not _falls(there, c + step, ridge, value, decrement):
            r = _factor(reweighted(c).hessian + 2 * ridge, 0.0)
            assert r is not None
            step, _ = _step(score, r)
            there = evaluate(c + step)
            passes += 2
        c, found = c + step, there
    raise FitError(
        f"no optimum after {passes} passes: delta {loss.delta:g} is so far below the size of the residuals that "
        "hardly a row is fitted by its square; choose a larger delta, or loss 'absolute'."
    )


def _factor(hessian: Tensor, weight: float) -> Tensor | None:
    """Return upper triangular r with r'r = hessian, None where a pivot is below its share of the weight."""
    r: Tensor
    r, failed = torch.linalg.cholesky_ex(hessian, upper=True)
    trusted = not int(failed) and bool((r.diagonal() ** 2 > WELL_CONDITIONED * weight).all())
    return r if trusted else None


def _step(score: Tensor, r: Tensor) -> tuple[Tensor, float]:
    step = -torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
    return step, math.sqrt(max(-float(score @ step), 0.0))


def _falls(there: Derivatives, c: Tensor, ridge: Tensor, value: float, decrement: float) -> bool:
    """Return whether the loss has fallen by a part of what the step promised, or by nothing that rounding leaves."""
    return there.value + float(c @ ridge @ c) <= value - 1e-4 * decrement**2 + 1e-13 * abs(value)


def _solution(
    setup: LikelihoodSetup, engine: Engine, loss: Robust, state: RobustState, nuisance: tuple[Nuisance, ...]
) -> Solution:
    problem, columns = replace(setup.problem, loss=loss), setup.columns
    penalty = float(state.c @ columns.ridge @ state.c)
    y, w = residuals(problem, engine, columns, torch.zeros_like(state.c))
    null = loss.null_eta(y, w) if problem.intercept else y.new_zeros(())
    values = loss.value(null.expand(len(y)), y)
    return Solution(
        theta=columns.raw(state.c),
        status=Status.CONVERGED,
        evidence=f"the last step was {state.decrement:.1g} standard errors long",
        advice="",
        loss=state.value - penalty,
        null_loss=float(values.sum() if w is None else w @ values),
        penalty=penalty,
        counts=(),
        decrement=state.decrement,
        passes=state.passes + 2,
        moments=setup.first.moments,
        basis=basis_of(problem, columns, state.r, state.found.hessian),
        fitted_loss=loss if nuisance else None,
        nuisance=nuisance,
    )


def h1_basis(problem: Problem, solution: Solution, engine: Engine) -> Basis:
    """Return the basis whose `inner` makes the covariance H1 of an M-estimator, as statsmodels' RLM has it. One pass.

    k² Σ w psi² / (n - p) / m² · (X' W X)⁻¹, with psi the gradient, m = Σ w psi' / n, n = Σ w and Huber's correction
    k = 1 + p (1 - m) / (n m). Huber (1981), section 7.6.

    Args:
        problem: with the loss at its delta, given or estimated, as `Solution.fitted_loss` has it.
        solution: the optimum, of which theta and moments are used.
        engine: sums over the rows.
    """
    sums = engine.reduce(
        partial(influence_sums, loss=problem.loss, intercept=problem.intercept),
        problem.source,
        ThetaOperands(solution.theta),
    )
    assert sums is not None  # the solver has read these rows
    columns, n, p = standardized_columns(problem, solution.rows), solution.rows.weight, len(problem.names)
    m = float(sums[1]) / n
    correction = 1 + p * (1 - m) / (n * m) if m else math.nan
    factor = correction**2 * float(sums[0]) / (n - p) / m**2 if n > p and m else math.nan
    return _gram_basis(problem, solution, columns, factor)


def influence_sums(batch: Batch, operands: ThetaOperands, *, loss: Loss, intercept: bool) -> tuple[Tensor, Tensor]:
    """Return Σ w psi² and Σ w psi' () of one batch at theta (p,) in raw units."""
    assert batch.y is not None
    eta = linear_predictor(batch, operands.theta, intercept)
    w = torch.ones_like(eta) if batch.w is None else batch.w
    return w @ loss.gradient(eta, batch.y) ** 2, w @ loss.hessian(eta, batch.y)


def _gram_basis(problem: Problem, solution: Solution, columns: StandardizedColumns, factor: float) -> Basis:
    """Return the basis of X' W X, from the moments, with `factor` times its inner."""
    moments = solution.rows
    gram = moments.weight / 2 * quadratic_of(moments, columns.units).hessian
    r = torch.linalg.cholesky(gram + 2 * columns.ridge, upper=True)
    basis = basis_of(problem, columns, r, gram)
    return replace(basis, inner=factor * basis.inner)
