"""Logistic regression with Firth's penalty: a finite answer where the classes are separated.

The log likelihood is raised by ½ log det I(beta), Jeffreys' prior, which takes out the first-order bias of the
estimates. Firth (1993), Bias reduction of maximum likelihood estimates; Heinze and Schemper (2002), A solution to
the problem of separation in logistic regression.

1. Read the information I = Σ w p (1 - p) r r' at beta, and its factor.
2. Read h = w p (1 - p) r' I⁻¹ r of each row, and the modified score Σ (w (y - p) + h (½ - p)) r.
3. Step by I⁻¹ times the modified score, halved while the penalised likelihood falls.
4. Stop when the step is within the tolerance, in standard errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.losses.loss import Loss
from slopewise.problem import Problem
from slopewise.solution import Maximum, Status
from slopewise.training.likelihood.checks import check_columns, refuse_l1
from slopewise.training.likelihood.first_pass import FirstPass
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.setup import LikelihoodSetup, likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.solver import Climber
from slopewise.types import Batch

TOLERANCE = 1e-9
MOST_STEPS = 200

LONGEST = 5.0
"""Largest change of a parameter in one step, in columns of standard deviation 1, as in Heinze's logistf."""


class FirthOperands(NamedTuple):
    """beta (p, 1): parameters in the columns r = [1, x - mean]; mean (q,); inverse T (p, p) with T T' = I⁻¹ in them."""

    beta: Tensor
    mean: Tensor
    inverse: Tensor


@dataclass(frozen=True, slots=True)
class Firth(Climber):
    """Penalised likelihood by Newton steps with the information for Hessian; two passes a step.

    levels: names of the classes, for messages. first: what the first read told, or None to read it.
    """

    levels: tuple[str, ...] = ()
    first: FirstPass | None = None
    name = "firth"
    needs = ("a linear model", "logistic loss", "no other penalty")

    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum. loss is -log likelihood, penalty is -½ log det I in raw units.

        Raises:
            FitError: not two classes; another penalty; dependent columns; no convergence.
        """
        if problem.loss.classes != 2 or problem.penalty.strength:
            raise FitError(
                f"firth is for two classes and no other penalty, and was given {problem.loss.classes} classes and l2 "
                f"{problem.penalty.strength:g}; choose l2 alone, or firth alone."
            )
        refuse_l1(problem, self.name)
        with likelihood_setup(problem, engine, first=self.first, levels=self.levels) as setup:
            check_columns(setup.problem, setup.first.moments)
            return self._iterate(setup, engine)

    def _iterate(self, setup: LikelihoodSetup, engine: Engine) -> Maximum:
        problem, columns = setup.problem, setup.columns
        evaluate = evaluate_rows(problem, engine, columns)
        c, found, passes = setup.null, evaluate(setup.null), 2
        for _ in range(MOST_STEPS):
            r = _factor(found)
            score = _modified_score(problem, engine, columns, c, r)
            step = torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
            decrement = math.sqrt(max(float(score @ step), 0.0))
            passes += 1
            if decrement <= TOLERANCE:
                return _maximum(setup, found, c, r, decrement, passes)
            share = min(1.0, LONGEST / float(step.abs().max()))
            while True:
                there = evaluate(c + share * step)
                passes += 1
                if _penalised(there) <= _penalised(found) + 1e-12 * abs(found.value) + 1e-12:
                    break
                share /= 2
                if share < 1e-10:
                    raise FitError("no step raises the penalised likelihood; rescale columns of very unequal size.")
            c, found = c + share * step, there
        raise FitError(
            f"firth did not settle in {MOST_STEPS} steps, the last being {decrement:.1g} standard errors long; "
            "set l2 above zero instead."
        )


def _factor(found: Derivatives) -> Tensor:
    r: Tensor
    r, failed = torch.linalg.cholesky_ex(found.hessian, upper=True)
    if int(failed):
        raise FitError("the information has become singular; drop a column that repeats others, or set l2 above zero.")
    return r


def _penalised(found: Derivatives) -> float:
    r, failed = torch.linalg.cholesky_ex(found.hessian, upper=True)
    return math.inf if int(failed) else found.value - float(r.diagonal().log().sum())


def _modified_score(problem: Problem, engine: Engine, columns: StandardizedColumns, c: Tensor, r: Tensor) -> Tensor:
    inverse = torch.linalg.inv(r) / columns.scale[:, None]
    operands = FirthOperands(columns.beta(c), columns.units.mean, inverse)
    sums = engine.reduce(partial(firth_sums, loss=problem.loss), problem.source, operands)
    assert sums is not None  # the first read has seen these rows
    return sums[0] / columns.scale


def firth_sums(batch: Batch, operands: FirthOperands, *, loss: Loss) -> tuple[Tensor]:
    """Return Σ (h (½ - p) - w gradient) r (p,) of one batch with x (n, q), y (n,), w (n,) or None."""
    assert batch.y is not None
    beta, mean, inverse = operands
    ones = batch.y.new_ones(len(batch), len(beta) - len(mean))
    r = torch.cat([ones, batch.x - mean], dim=1)
    eta = (r @ beta)[:, 0]
    w = batch.y.new_ones(len(batch)) if batch.w is None else batch.w
    basis = w * loss.hessian(eta, batch.y)
    h = basis * (r @ inverse).square().sum(1)
    return (r.T @ (h * (0.5 - torch.sigmoid(eta)) - w * loss.gradient(eta, batch.y)),)


def _maximum(
    setup: LikelihoodSetup, found: Derivatives, c: Tensor, r: Tensor, decrement: float, passes: int
) -> Maximum:
    return Maximum(
        theta=setup.columns.raw(c),
        status=Status.CONVERGED,
        evidence=f"the next step would be {decrement:.1g} standard errors long",
        advice="",
        loss=found.value,
        null_loss=setup.null_loss,
        penalty=_penalised(found) - found.value - float(setup.columns.scale.log().sum()),
        counts=setup.first.counts,
        decrement=decrement,
        passes=passes,
        moments=setup.first.moments,
        basis=basis_of(setup.problem, setup.columns, r, found.hessian),
    )
