"""Logistic regression with Firth's penalty: finite estimates where the classes are separated.

The log likelihood is increased by ½ log det I(beta), Jeffreys' prior, which takes out the first-order bias of the
estimates. Firth (1993), Bias reduction of maximum likelihood estimates; Heinze and Schemper (2002), A solution to
the problem of separation in logistic regression.

1. Compute the information I = Σ w p (1 - p) r r' at beta, and its factor.
2. Compute h = w p (1 - p) r' I⁻¹ r of each row, and the modified score Σ (w (y - p) + h (½ - p)) r.
3. Step by I⁻¹ times the modified score, halved while the penalised likelihood decreases.
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
from slopewise.solution import Moments, Solution, Status
from slopewise.training.likelihood.checks import check_columns, refuse_warm
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.score import Derivatives
from slopewise.training.likelihood.setup import LikelihoodSetup, likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.requirements import linear_model, no_l1, no_penalty, two_classes
from slopewise.training.solver import Solver
from slopewise.types import Batch, Callback

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
class Firth(Solver):
    """Penalised likelihood by Newton steps with the information for Hessian; two passes per step.

    It starts from the intercept alone.
    """

    name = "firth"
    requires = (linear_model, two_classes, no_penalty, no_l1)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the optimum. loss is -log likelihood, penalty is -½ log det I in raw units.

        Raises:
            FitError: not two classes; another penalty; dependent columns; no convergence.
        """
        if problem.loss.n_classes != 2 or problem.penalty.strength:
            raise FitError(
                f"firth is for two classes and no other penalty, and was given {problem.loss.n_classes} classes and "
                f"l2={problem.penalty.strength:g}; choose l2 alone, or firth alone."
            )
        refuse_warm(warm, self.name)
        with likelihood_setup(problem, engine) as setup:
            check_columns(setup.problem, setup.first.moments)
            return self._iterate(setup, engine)

    def _iterate(self, setup: LikelihoodSetup, engine: Engine) -> Solution:
        problem, columns = setup.problem, setup.columns
        evaluate = evaluate_rows(problem, engine, columns)
        c, state, passes = setup.null, evaluate(setup.null), 2
        for _ in range(MOST_STEPS):
            r = _factor(state)
            score = _modified_score(problem, engine, columns, c, r)
            step = torch.cholesky_solve(score[:, None], r, upper=True)[:, 0]
            decrement = math.sqrt(max(float(score @ step), 0.0))
            passes += 1
            if decrement <= TOLERANCE:
                return _maximum(setup, state, c, r, decrement, passes)
            share = min(1.0, LONGEST / float(step.abs().max()))
            while True:
                trial = evaluate(c + share * step)
                passes += 1
                if _penalised(trial) <= _penalised(state) + 1e-12 * abs(state.value) + 1e-12:
                    break
                share /= 2
                if share < 1e-10:
                    raise FitError("no step increases the penalised likelihood; rescale columns of very unequal size.")
            c, state = c + share * step, trial
        raise FitError(
            f"firth did not converge in {MOST_STEPS} steps, the last of {decrement:.1g} standard errors; "
            "set l2 above zero instead."
        )


def _factor(state: Derivatives) -> Tensor:
    r: Tensor
    r, failed = torch.linalg.cholesky_ex(state.hessian, upper=True)
    if int(failed):
        raise FitError("the information matrix is singular; drop a column that repeats others, or set l2 above zero.")
    return r


def _penalised(state: Derivatives) -> float:
    r, failed = torch.linalg.cholesky_ex(state.hessian, upper=True)
    return math.inf if int(failed) else state.value - float(r.diagonal().log().sum())


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
    setup: LikelihoodSetup, state: Derivatives, c: Tensor, r: Tensor, decrement: float, passes: int
) -> Solution:
    return Solution(
        theta=setup.columns.raw(c),
        status=Status.CONVERGED,
        evidence=f"the next step would be {decrement:.1g} standard errors long",
        advice="",
        loss=state.value,
        null_loss=setup.null_loss,
        penalty=_penalised(state) - state.value - float(setup.columns.scale.log().sum()),
        counts=setup.first.counts,
        decrement=decrement,
        passes=passes,
        moments=setup.first.moments,
        basis=basis_of(setup.problem, setup.columns, r, state.hessian),
    )
