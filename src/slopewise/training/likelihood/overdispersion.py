"""Counts with the overdispersion alpha estimated: maximum likelihood over the coefficients and log alpha together.

1. Start from working responses, with alpha 1.
2. In turn, find the coefficients for this alpha, and take a Newton step of log alpha for these coefficients. Both are
orthogonal in expectation, so few rounds are enough.
3. When log alpha hardly moves, go on with Newton's method on both together, to the last digits.

The covariance is that of the joint Hessian at the optimum, as statsmodels' NegativeBinomial has it. Lawless (1987),
Negative binomial and mixed Poisson regression.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError, OptionError
from slopewise.losses.log_link import Overdispersed
from slopewise.problem import Problem
from slopewise.solution import Moments, Nuisance, Solution, Status
from slopewise.training.likelihood.checks import check_columns
from slopewise.training.likelihood.information import linear_predictor
from slopewise.training.likelihood.newton import basis_of, evaluate_rows
from slopewise.training.likelihood.newton_iteration import TOLERANCE, Evaluate, NewtonState, newton_iteration
from slopewise.training.likelihood.null_model import null_model
from slopewise.training.likelihood.score import Derivatives, ScoreOperands
from slopewise.training.likelihood.setup import LikelihoodSetup, likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.likelihood.working_response import working_start
from slopewise.training.requirements import linear_model, no_l1
from slopewise.training.solver import Solver
from slopewise.types import Batch, Callback

LOOSE = 1e-2
"""Decrement to which the coefficients are found for one alpha."""

SETTLED = 0.1
"""Step of log alpha below which both go on together."""

LONGEST = 2.0
"""Longest step of log alpha."""

MOST_ROUNDS = 60

NO_EXCESS = 1e-6
"""alpha · mean count below which the counts vary no more than a Poisson's."""


class AlphaSums(NamedTuple):
    """Sums over rows: -log likelihood (), its derivatives in log alpha (), and those in log alpha and theta (p,)."""

    value: Tensor
    first: Tensor
    second: Tensor
    cross: Tensor


@dataclass(frozen=True, slots=True)
class OverdispersedNewton(Solver):
    """Σ w loss + penalty with alpha estimated; warm is in raw units."""

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
        """Return the optimum.

        Raises:
            OptionError: there is a penalty.
            FitError: dependent columns; counts that vary no more than a Poisson's; no convergence.
        """
        if problem.penalty.strength:
            raise OptionError(
                f"alpha is not estimated under a penalty, and l2 is {problem.penalty.strength:g}; give overdispersion."
            )
        with likelihood_setup(problem, engine) as setup:
            check_columns(setup.problem, setup.first.moments)
            start = setup.null if warm is None else setup.columns.scaled(warm)
            if warm is None:
                working = working_start(
                    setup.problem,
                    engine,
                    setup.columns,
                    ridge=setup.columns.ridge,
                    y_mean=float(setup.first.moments.y_mean),
                )
                start = start if working is None else working
            c, log_alpha, passes = in_turn(setup, engine, start)
            top = newton_iteration(
                joint(setup, engine),
                torch.cat([c, c.new_tensor([log_alpha])]),
                c.new_zeros(len(c) + 1, len(c) + 1),
                tolerance=TOLERANCE * setup.unit,
            )
            return _solution(setup, engine, top, passes + top.passes)


def in_turn(setup: LikelihoodSetup, engine: Engine, start: Tensor) -> tuple[Tensor, float, int]:
    """Return c (p,) and log alpha near the optimum, and the passes made. Step 2 of the file.

    Args:
        setup: what the iterations begin with.
        engine: sums over the rows.
        start: (p,), standardised columns.

    Raises:
        FitError: counts that vary no more than a Poisson's; alpha does not settle.
    """
    c, log_alpha, passes = start, 0.0, 2
    for _ in range(MOST_ROUNDS):
        problem = _with_alpha(setup.problem, log_alpha)
        evaluate = evaluate_rows(problem, engine, setup.columns)
        top = newton_iteration(evaluate, c, setup.columns.ridge, tolerance=LOOSE * setup.unit)
        c = top.c + top.step
        sums = alpha_derivatives(problem, engine, setup.columns, c)
        passes += top.passes + 1
        # Where -log likelihood is concave in log alpha, the way downhill is all that is known.
        first, second = float(sums.first), float(sums.second)
        step = -first / second if second > 0 else -math.copysign(LONGEST, first)
        step = max(-LONGEST, min(LONGEST, step))
        log_alpha += step
        if math.exp(log_alpha) * float(setup.first.moments.y_mean) < NO_EXCESS:
            raise FitError(
                "the counts vary no more than a Poisson's about their means, so alpha goes to 0; choose loss 'poisson'."
            )
        if second > 0 and abs(step) <= SETTLED:
            return c, log_alpha, passes
    raise FitError(
        f"alpha did not settle in {MOST_ROUNDS} rounds, being {math.exp(log_alpha):.3g}; give overdispersion."
    )


def _with_alpha(problem: Problem, log_alpha: float) -> Problem:
    loss = problem.loss
    assert isinstance(loss, Overdispersed)
    return replace(problem, loss=loss.with_alpha(math.exp(log_alpha)))


def alpha_derivatives(problem: Problem, engine: Engine, columns: StandardizedColumns, c: Tensor) -> AlphaSums:
    """Return the sums over all rows, `cross` in standardised columns. One pass.

    Args:
        problem: its loss has the alpha at which the sums are taken.
        engine: sums over the rows.
        columns: in which c is given.
        c: (p,).
    """
    assert isinstance(problem.loss, Overdispersed)
    kernel = partial(alpha_sums, loss=problem.loss, intercept=problem.intercept)
    sums = engine.reduce(kernel, problem.source, ScoreOperands(columns.beta(c), columns.units.mean))
    assert sums is not None  # the first pass has seen these rows
    return sums._replace(cross=sums.cross / columns.scale)


def alpha_sums(batch: Batch, operands: ScoreOperands, *, loss: Overdispersed, intercept: bool) -> AlphaSums:
    """Return the sums of one batch for parameters beta (p, 1) of the columns [1, x - mean]."""
    assert batch.y is not None
    centred = replace(batch, x=batch.x - operands.mean)
    found = loss.alpha_derivatives(linear_predictor(centred, operands.beta[:, 0], intercept), batch.y)
    w = torch.ones_like(batch.y) if batch.w is None else batch.w
    cross = centred.x.T @ (w * found.cross)
    if intercept:
        cross = torch.cat([(w @ found.cross)[None], cross])
    return AlphaSums(w @ found.value, w @ found.first, w @ found.second, cross)


def joint(setup: LikelihoodSetup, engine: Engine) -> Evaluate:
    """Return the function of c and log alpha (p + 1,) that gives the derivatives of -log likelihood. Two passes."""

    def evaluate(both: Tensor) -> Derivatives:
        problem = _with_alpha(setup.problem, float(both[-1]))
        of_c = evaluate_rows(problem, engine, setup.columns)(both[:-1])
        of_alpha = alpha_derivatives(problem, engine, setup.columns, both[:-1])
        score = torch.cat([of_c.score, of_alpha.first[None]])
        corner = torch.cat([of_alpha.cross, of_alpha.second[None]])
        hessian = torch.cat([torch.cat([of_c.hessian, of_alpha.cross[:, None]], 1), corner[None]])
        return Derivatives(float(of_alpha.value), score, hessian, 0)

    return evaluate


def _solution(setup: LikelihoodSetup, engine: Engine, top: NewtonState, passes: int) -> Solution:
    both, columns = top.c + top.step, setup.columns
    c, alpha = both[:-1], math.exp(float(both[-1]))
    problem = _with_alpha(setup.problem, float(both[-1]))
    hessian, cross, second = top.found.hessian[:-1, :-1], top.found.hessian[:-1, -1], top.found.hessian[-1, -1]
    # What is left of the information on the coefficients when alpha is not known.
    left = hessian - torch.outer(cross, cross) / second
    r = torch.linalg.cholesky(left, upper=True)
    of_alpha = 1 / (second - cross @ torch.linalg.solve(hessian, cross)).sqrt()
    basis = basis_of(problem, columns, r, left)
    value = evaluate_rows(problem, engine, columns, curved=False)(c).value
    return Solution(
        theta=columns.raw(c),
        status=Status.CONVERGED,
        evidence=f"the next step would be {top.next_decrement:.1g} standard errors long",
        advice="",
        loss=value,
        null_loss=null_model(problem, setup.first, engine)[1],
        penalty=0.0,
        counts=(),
        decrement=top.next_decrement,
        passes=2 * passes + 1,
        moments=setup.first.moments,
        basis=basis,
        fitted_loss=problem.loss,
        nuisance=(Nuisance("alpha", alpha, alpha * float(of_alpha), basis.r_inverse.T @ cross / second),),
    )
