"""L1 and elastic net: quadratic models with corners, solved by coordinate descent.

1. Near beta the summed loss is a quadratic, exact for squared loss, from one read of the rows (elsewhere: its
score and Hessian there).
2. Minimise quadratic + Σ l1_j |c_j|: cyclic coordinate descent finds which coefficients are zero and the signs of the
others; with those known it is a linear system, solved at once.
3. Move there, halving the step while loss and penalty have not fallen.
4. Repeat until no coefficient can move downhill.

Friedman, Hastie and Tibshirani (2010), Regularization paths for generalized linear models via coordinate descent;
Lee, Sun and Saunders (2014), Proximal Newton-type methods. With three or more classes all k have coefficients
of their own here, so that the penalty treats them alike; the first class's are subtracted in the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Maximum, Status
from slopewise.training.likelihood.coordinate_descent import lowest
from slopewise.training.likelihood.first_pass import FirstPass
from slopewise.training.likelihood.newton import evaluate_rows
from slopewise.training.likelihood.newton_iteration import Evaluate
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.setup import likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.moments.quadratic import quadratic_of
from slopewise.training.solver import Climber

TOLERANCE = 1e-9
"""Root of the fall that is still promised: the distance still to go in standard errors, as Newton's decrement."""

MOST_PASSES = 100


@dataclass(frozen=True, slots=True)
class Coordinate(Climber):
    """Σ w loss + strength Σ W² + l1 Σ |W| by proximal Newton steps with coordinate descent inside.

    levels: names of the classes, for messages. first: what the first read told, or None to read it.
    """

    levels: tuple[str, ...] = ()
    first: FirstPass | None = None
    name = "coordinate_descent"
    needs = ("a linear model", "a loss with curvature", "rows that can be read again")

    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum; there is no curvature in it, because corners leave no covariance.

        Raises:
            FitError: a class without rows, or no convergence.
        """
        squared = problem.loss.name == "squared"
        with likelihood_setup(problem, engine, first=self.first, levels=self.levels, again=not squared) as setup:
            first, columns = setup.first, setup.columns
            rows = squared_loss(first, columns) if squared else evaluate_rows(setup.problem, engine, columns)
            coding = coding_of(problem, columns)
            c, value, passes = descend(coded(rows, coding), setup.null @ torch.linalg.pinv(coding.matrix).T, coding)
        return Maximum(
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
    """matrix (d, e): from the parameters here to those of the frame. ridge (e,) and l1 (e,): the penalty on them."""

    matrix: Tensor
    ridge: Tensor
    l1: Tensor

    def penalty(self, c: Tensor) -> float:
        """Return Σ ridge c² + l1 |c|."""
        return float(self.ridge @ c**2 + self.l1 @ c.abs())


def coding_of(problem: Problem, columns: StandardizedColumns) -> Coding:
    """Return one coefficient per column, or with k > 2 classes one per column and class; k - 1 intercepts."""
    q, k, constant = len(columns.units.scale), problem.loss.classes, int(problem.intercept)
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
    """Return the function that gives the derivatives of squared loss from the moments, reading nothing."""
    quadratic, weight = quadratic_of(first.moments, columns.units), first.moments.weight

    def evaluate(c: Tensor) -> Derivatives:
        bent = quadratic.hessian @ c
        value = float(quadratic.constant - quadratic.linear @ c + c @ bent / 2)
        return Derivatives(weight * value, weight * (bent - quadratic.linear), weight * quadratic.hessian, 0)

    return evaluate


def coded(evaluate: Evaluate, coding: Coding) -> Evaluate:
    """Return `evaluate` in the parameters of a coding."""
    a = coding.matrix

    def look(c: Tensor) -> Derivatives:
        found = evaluate(a @ c)
        return Derivatives(found.value, a.T @ found.score, a.T @ found.hessian @ a, found.wrong)

    return look


def descend(evaluate: Evaluate, start: Tensor, coding: Coding) -> tuple[Tensor, float, int]:
    """Return c (e,) at the optimum, the loss there, and the evaluations it took. Steps 1 to 4 of the file.

    Raises:
        FitError: no convergence.
    """
    c = start.clone()
    c[coding.l1 > 0] = 0
    found, passes = evaluate(c), 1
    while True:
        hessian = found.hessian + 2 * torch.diag(coding.ridge)
        score = found.score + 2 * coding.ridge * c
        there = lowest(hessian, hessian @ c - score, coding.l1, c)
        step = there - c
        promised = -float(score @ step) - float(coding.l1 @ (there.abs() - c.abs()))
        if math.sqrt(max(promised, 0.0)) <= TOLERANCE or promised <= 1e-15 * abs(found.value):
            return there, found.value, passes
        now, share = found.value + coding.penalty(c), 1.0
        while True:
            after = evaluate(c + share * step)
            passes += 1
            if after.value + coding.penalty(c + share * step) <= now - 1e-4 * share * promised + 1e-13 * abs(now):
                break
            share /= 2
            if passes >= MOST_PASSES:
                raise FitError(
                    f"no optimum after {passes} passes, a fall of {promised:.1g} being still promised; raise l1 or l2."
                )
        c, found = c + share * step, after
