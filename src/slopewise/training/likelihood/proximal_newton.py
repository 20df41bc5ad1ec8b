"""L1 and elastic net by proximal Newton: quadratic models with an L1 penalty, minimised by coordinate descent.

1. Approximate the summed loss near beta by a quadratic from its score and Hessian (for squared loss it is exact, from
one pass over the rows).
2. Minimise quadratic + Σ l1_j |c_j|: cyclic coordinate descent finds which coefficients are zero and the signs of the
others; with those known it is a linear system, solved at once.
3. Move there, halving the step while loss plus penalty does not decrease.
4. Repeat until the predicted decrease is within the tolerance.

Friedman, Hastie and Tibshirani (2010), Regularization paths for generalized linear models via coordinate descent;
Lee, Sun and Saunders (2014), Proximal Newton-type methods. With three or more classes all k have coefficients
of their own here, so that the penalty treats them alike; the first class's are subtracted at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Moments, Solution, Status
from slopewise.training.likelihood.checks import refuse_warm
from slopewise.training.likelihood.coordinate_descent import lowest
from slopewise.training.likelihood.first_pass import FirstPass
from slopewise.training.likelihood.newton import evaluate_rows
from slopewise.training.likelihood.newton_iteration import Evaluate
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.setup import likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.moments.quadratic import quadratic_of
from slopewise.training.requirements import linear_model, smooth_loss
from slopewise.training.solver import Solver
from slopewise.types import Callback

TOLERANCE = 1e-9
"""Square root of the predicted decrease: the distance to the optimum in standard errors, like Newton's decrement."""

MOST_PASSES = 100


@dataclass(frozen=True, slots=True)
class CoordinateDescent(Solver):
    """Σ w loss + strength Σ W² + l1 Σ |W| by proximal Newton steps with coordinate descent inside.

    It starts from the intercept alone.
    """

    name = "coordinate_descent"
    requires = (linear_model, smooth_loss)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the optimum; its basis is None, since an L1 penalty (not differentiable at 0) has no covariance.

        Raises:
            FitError: a class without rows, or no convergence.
        """
        refuse_warm(warm, self.name)
        squared = problem.loss.name == "squared"
        with likelihood_setup(problem, engine, again=not squared, moments=moments if squared else None) as setup:
            first, columns = setup.first, setup.columns
            evaluate = squared_loss(first, columns) if squared else evaluate_rows(setup.problem, engine, columns)
            coding = coding_of(problem, columns)
            c, value, passes = descend(
                coded(evaluate, coding), setup.null @ torch.linalg.pinv(coding.matrix).T, coding, setup.unit
            )
        return Solution(
            theta=columns.raw(coding.matrix @ c),
            status=Status.CONVERGED,
            evidence=f"{int((c[coding.l1 > 0] == 0).sum())} of {int((coding.l1 > 0).sum())} coefficients are zero",
            advice="",
            loss=value,
            null_loss=setup.null_loss,
            penalty=coding.penalty(c),
            counts=first.counts,
            decrement=TOLERANCE,
            passes=1 if squared else passes + 1,
            moments=first.moments,
            basis=None,
        )


@dataclass(frozen=True, slots=True)
class Coding:
    """Parameters c (e,) with one coefficient per class: matrix (d, e) maps them to those of the standardised columns.

    ridge (e,) and l1 (e,): the penalty on c.
    """

    matrix: Tensor
    ridge: Tensor
    l1: Tensor

    def penalty(self, c: Tensor) -> float:
        """Return Σ ridge c² + l1 |c|."""
        return float(self.ridge @ c**2 + self.l1 @ c.abs())


def coding_of(problem: Problem, columns: StandardizedColumns) -> Coding:
    """Return the coding: a coefficient per column, or with k > 2 classes per column and class; k - 1 intercepts."""
    q, k, constant = len(columns.units.scale), problem.loss.n_classes, int(problem.intercept)
    p = q + constant
    identity = torch.eye(columns.outputs, dtype=torch.float64)
    across = torch.cat([-torch.ones(len(identity), 1, dtype=torch.float64), identity], 1) if k > 2 else identity
    outputs = across.shape[1]
    matrix = torch.kron(across, torch.eye(p, dtype=torch.float64))
    zero = torch.zeros(constant, dtype=torch.float64)
    ridge = torch.cat([zero, problem.penalty.strength / columns.units.scale**2]).repeat(outputs)
    l1 = torch.cat([zero, problem.penalty.l1 / columns.units.scale]).repeat(outputs)
    first = constant if k > 2 else 0  # the first class's intercept stays 0
    return Coding(matrix[:, first:], ridge[first:], l1[first:])


def squared_loss(first: FirstPass, columns: StandardizedColumns) -> Evaluate:
    """Return a function that computes the derivatives of squared loss from the moments, without a pass."""
    quadratic, weight = quadratic_of(first.moments, columns.units), first.moments.weight

    def evaluate(c: Tensor) -> Derivatives:
        product = quadratic.hessian @ c
        value = float(quadratic.constant - quadratic.linear @ c + c @ product / 2)
        return Derivatives(weight * value, weight * (product - quadratic.linear), weight * quadratic.hessian, 0)

    return evaluate


def coded(evaluate: Evaluate, coding: Coding) -> Evaluate:
    """Return `evaluate` as a function of the parameters of a coding."""
    a = coding.matrix

    def evaluate_coded(c: Tensor) -> Derivatives:
        state = evaluate(a @ c)
        return Derivatives(state.value, a.T @ state.score, a.T @ state.hessian @ a, state.wrong)

    return evaluate_coded


def descend(evaluate: Evaluate, start: Tensor, coding: Coding, unit: float = 1.0) -> tuple[Tensor, float, int]:
    """Return c (e,) at the optimum, the loss there, and the evaluations it took. Steps 1 to 4 of the file.

    Args:
        evaluate: value, score and Hessian of the loss at c.
        start: (e,).
        coding: the parameters, and the penalty on them.
        unit: by which the tolerance is multiplied.

    Raises:
        FitError: no convergence.
    """
    c = start.clone()
    c[coding.l1 > 0] = 0
    state, passes = evaluate(c), 1
    while True:
        hessian = state.hessian + 2 * torch.diag(coding.ridge)
        score = state.score + 2 * coding.ridge * c
        target = lowest(hessian, hessian @ c - score, coding.l1, c)
        step = target - c
        predicted = -float(score @ step) - float(coding.l1 @ (target.abs() - c.abs()))
        if math.sqrt(max(predicted, 0.0)) <= TOLERANCE * unit or predicted <= 1e-15 * abs(state.value):
            return target, state.value, passes
        now, share = state.value + coding.penalty(c), 1.0
        while True:
            after = evaluate(c + share * step)
            passes += 1
            if after.value + coding.penalty(c + share * step) <= now - 1e-4 * share * predicted + 1e-13 * abs(now):
                break
            share /= 2
            if passes >= MOST_PASSES:
                raise FitError(
                    f"no optimum after {passes} passes: the next step would lower the objective by {predicted:.1g}; "
                    "raise l1 or l2."
                )
        c, state = c + share * step, after
