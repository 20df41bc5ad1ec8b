"""Maximum likelihood by L-BFGS: gradients only, for more columns than a Hessian is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.losses.log_link import LogLink
from slopewise.problem import Problem
from slopewise.solution import Basis, Maximum, Moments, Status
from slopewise.training.likelihood.checks import refuse_l1
from slopewise.training.likelihood.first_pass import FirstPass
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.newton_iteration import Evaluate
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.separation import SeparationMonitor
from slopewise.training.likelihood.setup import likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.solver import Climber

GRADIENT = 1e-9
"""Largest entry of the mean gradient at the end, in columns of standard deviation 1."""

MOST_PASSES = 2000
MEMORY = 20

CLASS_HESSIAN = 0.25
"""Size of a row's Hessian: the largest of the logistic loss, and about right for several classes."""

NEAR = 1e-3
"""Newton step at the end, in standard errors, that a line search stopped by rounding may leave."""

FACTORED = 2048
"""Parameters up to which the curvature at the end is read and factored for standard errors: 32 MB."""


@dataclass(frozen=True, slots=True)
class LbfgsResult:
    """c (d,), the loss with its penalty, the largest mean gradient entry, and the evaluations it took."""

    c: Tensor
    value: float
    gradient: float
    passes: int


@dataclass(frozen=True, slots=True)
class Lbfgs(Climber):
    """Σ w loss + penalty by torch's L-BFGS with a strong Wolfe line search; no randomness.

    start: a theta to start from, raw units, or None. levels: names of the classes, for messages. first: what the
    first read told, or None to read it. gradient: largest entry of the mean gradient at the end.
    """

    start: Tensor | None = None
    levels: tuple[str, ...] = ()
    first: FirstPass | None = None
    gradient: float = GRADIENT
    name = "lbfgs"
    needs = ("a linear model", "a loss with a slope", "rows that can be read again")

    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum.

        1. Read moments and classes once; from here on a file's rows are in memory, if they fit. 2. Start from
        `start`, or from the intercept alone. 3. Descend until the mean gradient is small. 4. Read the curvature
        there, where it is small enough to factor, step once more.

        Raises:
            FitError: separated classes, or no convergence.
        """
        refuse_l1(problem, self.name)
        with likelihood_setup(problem, engine, first=self.first, levels=self.levels) as setup:
            problem, columns = setup.problem, setup.columns
            start = setup.null if self.start is None else columns.scaled(self.start)
            monitor = SeparationMonitor(problem, engine, columns, self.levels)
            evaluate = watched(evaluate_rows(problem, engine, columns, curved=False), monitor)
            weight, (hessian, unit) = setup.first.moments.weight, typical_size(problem, setup.first.moments)
            end = minimise(
                evaluate, start, columns.ridge, weight=weight, gradient=self.gradient, hessian=hessian, unit=unit
            )
        c, basis, decrement, small = end.c, None, math.nan, len(end.c) <= FACTORED
        if small:  # beyond `with`, for a matrix of this size is worth every core
            c, basis, decrement = _polished(problem, engine, columns, end.c, monitor)
        done = end.gradient <= self.gradient or decrement <= NEAR
        penalty = float(c @ columns.ridge @ c)
        return Maximum(
            theta=columns.raw(c),
            status=Status.CONVERGED if done else Status.UNFINISHED,
            evidence=f"largest entry of the mean gradient {end.gradient:.1g}",
            advice="" if done else "choose solver 'newton', or set l2 above zero",
            loss=end.value - penalty,
            null_loss=setup.null_loss,
            penalty=penalty,
            counts=setup.first.counts,
            decrement=decrement,
            passes=end.passes + 1 + small,
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


def watched(evaluate: Evaluate, monitor: SeparationMonitor) -> Evaluate:
    """Return `evaluate` that raises when the rows it reads turn out to be separated."""

    def look(c: Tensor) -> Derivatives:
        found = evaluate(c)
        monitor.margins(c, found)
        return found

    return look


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
        start: c (d,).
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
        found, pull = evaluate(c), ridge @ c
        v.grad = stretch * (found.score + 2 * pull) / weight
        return (found.value + float(c @ pull)) / weight

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
    """Return c after one Newton step, the curvature before it, and the length of that step in standard errors."""
    found = evaluate_rows(problem, engine, columns)(c)
    r, failed = torch.linalg.cholesky_ex(found.hessian + 2 * columns.ridge, upper=True)
    if int(failed):
        raise FitError("the curvature at the optimum is singular; drop a column that repeats others, or set l2.")
    score = found.score + 2 * columns.ridge @ c
    step = -torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
    monitor.last(step)
    decrement = math.sqrt(max(-float(score @ step), 0.0))
    return c + step, basis_of(problem, columns, r, found.hessian), decrement
