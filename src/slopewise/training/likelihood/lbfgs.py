"""Maximum likelihood by L-BFGS: gradients only, for too many columns to factor a Hessian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.losses.log_link import LogLink
from slopewise.problem import Problem
from slopewise.solution import Basis, Moments, Solution, Status
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.newton_iteration import Evaluate
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.separation import SeparationMonitor
from slopewise.training.likelihood.setup import likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.requirements import linear_model, no_l1, smooth_loss
from slopewise.training.solver import Solver
from slopewise.types import Callback

GRADIENT = 1e-9
"""Largest entry of the mean gradient at the end, in columns of standard deviation 1."""

MOST_PASSES = 2000
MEMORY = 20

CLASS_HESSIAN = 0.25
"""Size of a row's Hessian: the largest of the logistic loss, and about right for several classes."""

MOST_DECREMENT = 1e-3
"""Largest final Newton step, in standard errors, that counts as converged where rounding stopped the line search."""

FACTORED = 2048
"""Parameters up to which the Hessian at the end is computed and factored for standard errors: 32 MB."""


@dataclass(frozen=True, slots=True)
class LbfgsResult:
    """Result of `minimise`: c (d,); loss with penalty; largest entry of the mean gradient; number of evaluations."""

    c: Tensor
    value: float
    gradient: float
    passes: int


@dataclass(frozen=True, slots=True)
class Lbfgs(Solver):
    """Σ w loss + penalty by torch's L-BFGS with a strong Wolfe line search; no randomness.

    warm is in raw units. gradient: largest entry of the mean gradient at the end.
    """

    gradient: float = GRADIENT
    name = "lbfgs"
    requires = (linear_model, smooth_loss, no_l1)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the optimum.

        1. First pass: moments and class counts; a file's rows are buffered, if they fit. 2. Start from
        `warm`, or from the intercept alone. 3. Iterate until the mean gradient is small. 4. Compute the Hessian
        there, where it is small enough to factor, and take one Newton step.

        Raises:
            FitError: separated classes, or no convergence.
        """
        with likelihood_setup(problem, engine) as setup:
            problem, columns = setup.problem, setup.columns
            start = setup.null if warm is None else columns.scaled(warm)
            monitor = SeparationMonitor(problem, engine, columns)
            evaluate = monitored(evaluate_rows(problem, engine, columns, curved=False), monitor)
            weight, (hessian, unit) = setup.first.moments.weight, typical_size(problem, setup.first.moments)
            result = minimise(
                evaluate, start, columns.ridge, weight=weight, gradient=self.gradient, hessian=hessian, unit=unit
            )
        c, basis, decrement, small = result.c, None, math.nan, len(result.c) <= FACTORED
        if small:  # outside the `with` block: a matrix of this size uses all cores
            c, basis, decrement = _polished(problem, engine, columns, result.c, monitor)
        done = result.gradient <= self.gradient or decrement <= MOST_DECREMENT
        penalty = float(c @ columns.ridge @ c)
        return Solution(
            theta=columns.raw(c),
            status=Status.CONVERGED if done else Status.UNFINISHED,
            evidence=f"largest entry of the mean gradient {result.gradient:.1g}",
            advice="" if done else "choose solver='newton', or set l2 above zero",
            loss=result.value - penalty,
            null_loss=setup.null_loss,
            penalty=penalty,
            counts=setup.first.counts,
            decrement=decrement,
            passes=result.passes + 1 + small,
            moments=setup.first.moments,
            basis=basis,
        )


def typical_size(problem: Problem, moments: Moments) -> tuple[float, float]:
    """Return the Hessian of a row, about, and the size of eta."""
    loss = problem.loss
    if loss.response == "class":
        return CLASS_HESSIAN, 1.0
    if isinstance(loss, LogLink):
        return float(loss.expected_hessian(moments.y_mean.log())), 1.0
    return loss.max_hessian or 1.0, math.sqrt(float(moments.yy) / moments.weight) or 1.0


def monitored(evaluate: Evaluate, monitor: SeparationMonitor) -> Evaluate:
    """Return `evaluate` with a check after each call that raises FitError if the classes are separated."""

    def checked(c: Tensor) -> Derivatives:
        result = evaluate(c)
        monitor.margins(c, result)
        return result

    return checked


def minimise(
    evaluate: Evaluate,
    start: Tensor,
    ridge: Tensor,
    *,
    weight: float,
    gradient: float,
    hessian: float = CLASS_HESSIAN,
    unit: float = 1.0,
) -> LbfgsResult:
    """Return the minimum of the summed loss + c' ridge c. Nocedal and Wright (2006), algorithm 7.5.

    Args:
        evaluate: value and score at c (d,).
        start: initial c (d,).
        ridge: (d, d).
        weight: total weight of the rows, by which everything is divided.
        gradient: largest entry of the gradient of the mean at which to stop, in units of the target.
        hessian: of a row, about.
        unit: size of eta and of the target, by which both are divided.
    """
    # A penalty on columns of small scale is far steeper than the loss; a Hessian of one suits the first step.
    stretch = unit / (hessian + 2 * ridge.diagonal() / weight).sqrt()
    weight = weight * unit**2
    v = start / stretch
    passes = 0

    def closure() -> float:
        nonlocal passes
        passes += 1
        c = v * stretch
        result, shrinkage = evaluate(c), ridge @ c
        v.grad = stretch * (result.score + 2 * shrinkage) / weight
        return (result.value + float(c @ shrinkage)) / weight

    optimizer = torch.optim.LBFGS(
        [v],
        max_iter=MOST_PASSES,
        max_eval=MOST_PASSES,
        tolerance_grad=gradient,
        tolerance_change=0.0,
        history_size=MEMORY,
        line_search_fn="strong_wolfe",
    )
    optimizer.step(closure)  # type: ignore[no-untyped-call]
    value = closure() * weight
    assert v.grad is not None
    return LbfgsResult(v * stretch, value, float(v.grad.abs().max()), passes)


def _polished(
    problem: Problem, engine: Engine, columns: StandardizedColumns, c: Tensor, monitor: SeparationMonitor
) -> tuple[Tensor, Basis, float]:
    """Return c after one Newton step, the Hessian before it, and the length of that step in standard errors."""
    end = evaluate_rows(problem, engine, columns)(c)
    r, failed = torch.linalg.cholesky_ex(end.hessian + 2 * columns.ridge, upper=True)
    if int(failed):
        raise FitError(
            "the Hessian at the optimum is singular; drop a column that repeats others, or set l2 above zero."
        )
    score = end.score + 2 * columns.ridge @ c
    step = -torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
    monitor.last(step)
    decrement = math.sqrt(max(-float(score @ step), 0.0))
    return c + step, basis_of(problem, columns, r, end.hessian), decrement
