"""Maximum likelihood by L-BFGS: gradients only, for more columns than a Hessian is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Curvature, Maximum, Status
from slopewise.training.climb import Evaluate
from slopewise.training.columns import refuse_corners
from slopewise.training.foot import at_foot
from slopewise.training.frame import Frame
from slopewise.training.newton import curvature_of, evaluate_rows
from slopewise.training.sample import FirstRead
from slopewise.training.score import Derivatives
from slopewise.training.separation import Watch
from slopewise.training.solver import Climber

GRADIENT = 1e-9
"""Largest entry of the mean gradient at the end, in columns of standard deviation 1."""

MOST_PASSES = 2000
MEMORY = 20

CURVATURE = 0.25
"""Largest curvature of the logistic loss, and the right size for the others."""

NEAR = 1e-3
"""Newton step at the end, in standard errors, that a line search stopped by rounding may leave."""

FACTORED = 2048
"""Parameters up to which the curvature at the end is read and factored for standard errors: 32 MB."""


@dataclass(frozen=True, slots=True)
class Lowest:
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
    first: FirstRead | None = None
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
        refuse_corners(problem, self.name)
        with at_foot(problem, engine, first=self.first, levels=self.levels) as here:
            problem, frame = here.problem, here.frame
            start = here.null if self.start is None else frame.scaled(self.start)
            watch = Watch(problem, engine, frame, self.levels)
            evaluate = watched(evaluate_rows(problem, engine, frame, curved=False), watch)
            end = minimise(evaluate, start, frame.ridge, weight=here.first.moments.weight, gradient=self.gradient)
        c, curvature, decrement, small = end.c, None, math.nan, len(end.c) <= FACTORED
        if small:  # beyond `with`, for a matrix of this size is worth every core
            c, curvature, decrement = _polished(problem, engine, frame, end.c, watch)
        done = end.gradient <= self.gradient or decrement <= NEAR
        penalty = float(c @ frame.ridge @ c)
        return Maximum(
            theta=frame.raw(c),
            status=Status.CONVERGED if done else Status.UNFINISHED,
            evidence=f"largest entry of the mean gradient {end.gradient:.1g}",
            advice="" if done else "choose solver 'newton', or set l2 above zero",
            loss=end.value - penalty,
            null_loss=here.null_loss,
            penalty=penalty,
            counts=here.first.counts,
            decrement=decrement,
            passes=end.passes + 1 + small,
            moments=here.first.moments,
            curvature=curvature,
        )


def watched(evaluate: Evaluate, watch: Watch) -> Evaluate:
    """Return `evaluate` that raises when the rows it reads turn out to be separated."""

    def look(c: Tensor) -> Derivatives:
        found = evaluate(c)
        watch.margins(c, found)
        return found

    return look


def minimise(evaluate: Evaluate, start: Tensor, ridge: Tensor, *, weight: float, gradient: float) -> Lowest:
    """Return the minimum of the summed loss + c' ridge c. Nocedal and Wright (2006), algorithm 7.5.

    Args:
        evaluate: value and score at c (d,).
        start: c (d,).
        ridge: (d, d).
        weight: total weight of the rows, by which everything is divided.
        gradient: largest entry of the gradient of the mean at which to stop.
    """
    # A penalty on columns of small scale bends far more than the loss does; unit curvature suits the first step.
    stretch = 1 / (CURVATURE + 2 * ridge.diagonal() / weight).sqrt()
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
    return Lowest(v * stretch, value, float(v.grad.abs().max()), passes)


def _polished(
    problem: Problem, engine: Engine, frame: Frame, c: Tensor, watch: Watch
) -> tuple[Tensor, Curvature, float]:
    """Return c after one Newton step, the curvature before it, and the length of that step in standard errors."""
    found = evaluate_rows(problem, engine, frame)(c)
    r, failed = torch.linalg.cholesky_ex(found.hessian + 2 * frame.ridge, upper=True)
    if int(failed):
        raise FitError("the curvature at the optimum is singular; drop a column that repeats others, or set l2.")
    score = found.score + 2 * frame.ridge @ c
    step = -torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
    watch.last(step)
    decrement = math.sqrt(max(-float(score @ step), 0.0))
    return c + step, curvature_of(problem, frame, r, found.hessian), decrement
