"""Maximum likelihood by Newton's method in blocked passes over the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.buffered import BufferedRows, every_nth
from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Basis, Moments, Solution, Status
from slopewise.training.likelihood.checks import check_columns
from slopewise.training.likelihood.first_pass import KEPT, SAMPLE_ROWS, FirstPass
from slopewise.training.likelihood.newton_iteration import TOLERANCE, Evaluate, NewtonState, newton_iteration
from slopewise.training.likelihood.quasi_newton import QuasiNewtonResult, quasi_newton
from slopewise.training.likelihood.score import Derivatives, HessianOf, ScoreOperands, derivatives, score_sums
from slopewise.training.likelihood.separation import SeparationMonitor
from slopewise.training.likelihood.setup import LikelihoodSetup, likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.likelihood.working_response import working_start
from slopewise.training.requirements import linear_model, no_l1, smooth_loss
from slopewise.training.solver import Solver
from slopewise.types import Callback

SAMPLE_TOLERANCE = 1.0
"""Decrement on the sample after which one more step leaves an error far below the sampling error."""

SAMPLE_PASSES = 15

STALE = 1e-6
"""Relative error of the standard errors that is accepted on a sampled table, to save one pass."""


@dataclass(frozen=True, slots=True)
class Newton(Solver):
    """Σ w loss + penalty by Newton's method, in centred columns of standard deviation 1.

    warm is in raw units.
    """

    name = "newton"
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

        1. First pass: moments, class counts and a systematic sample of the rows; a file's rows are buffered, if they
        fit. 2. Refuse dependent columns. 3. Start from `warm`, else from working responses where the link is log, else
        from the intercept alone. 4. Where the table is large, iterate on the sample first, and from there take
        quasi-Newton steps where the rows are in memory. 5. Newton iterations on all rows, monitored for separation.

        Raises:
            FitError: dependent columns, separated classes, or no convergence.
        """
        sample = min(SAMPLE_ROWS, int(KEPT / (8 * (len(problem.source.x_names) + 2))))
        with likelihood_setup(problem, engine, sample=sample) as setup:
            check_columns(setup.problem, setup.first.moments)
            return _iterate(setup, engine, warm)


def _iterate(setup: LikelihoodSetup, engine: Engine, warm: Tensor | None) -> Solution:
    problem, first, columns = setup.problem, setup.first, setup.columns
    near = QuasiNewtonResult(setup.null if warm is None else columns.scaled(warm), 0, math.inf)
    if warm is None and first.sample is not None:
        near = from_sample(problem, engine, columns, first, setup.null)
    elif warm is None:
        start = working_start(problem, engine, columns, ridge=columns.ridge, y_mean=float(first.moments.y_mean))
        near = near if start is None else QuasiNewtonResult(start, 1, math.inf)
    monitor = SeparationMonitor(problem, engine, columns)
    rows = evaluate_rows(problem, engine, columns)
    stale = STALE if first.sample is not None else 0.0
    state = newton_iteration(
        rows,
        near.c,
        columns.ridge,
        tolerance=TOLERANCE * setup.unit,
        stale=stale,
        quadratic_rate=near.quadratic_rate,
        monitor=monitor.step,
        check=monitor.margins,
    )
    return maximum(setup, state, near.passes)


def evaluate_rows(
    problem: Problem,
    engine: Engine,
    columns: StandardizedColumns,
    *,
    curved: bool = True,
    hessian_of: HessianOf | None = None,
) -> Evaluate:
    """Return the function that reads all rows and returns the derivatives at c (d,).

    Args:
        problem: loss and rows.
        engine: sums over the rows.
        columns: in which c is given.
        curved: whether the Hessian is needed; it is zero otherwise.
        hessian_of: what to sum in place of the loss's own hessian (eta, y), or None.
    """
    kernel = partial(score_sums, loss=problem.loss, curved=curved, hessian_of=hessian_of)

    def evaluate(c: Tensor) -> Derivatives:
        sums = engine.reduce(kernel, problem.source, ScoreOperands(columns.beta(c), columns.units.mean))
        assert sums is not None  # the first read has seen these rows
        return derivatives(sums, columns.outputs, columns.scale)

    return evaluate


def from_sample(
    problem: Problem, engine: Engine, columns: StandardizedColumns, first: FirstPass, start: Tensor
) -> QuasiNewtonResult:
    """Return an iterate near the optimum, computed on the sample; `start` where the sample has no optimum.

    The sample itself is started on every 16th of its rows.

    Args:
        problem: what is asked, of all rows.
        engine: sums over the rows.
        columns: in which the solver works.
        first: the first pass, with a sample.
        start: (d,), of the sample where working responses give none.
    """
    sample, state, share = first.sample, None, 1.0
    assert sample is not None
    ridge = columns.ridge * (len(sample) if sample.w is None else float(sample.w.sum())) / first.moments.weight
    rows_of_sample = replace(problem, source=BufferedRows((sample,)))
    working = working_start(rows_of_sample, engine, columns, ridge=ridge, y_mean=float(first.moments.y_mean))
    start = start if working is None else working
    for stride in (16, 1):
        (rows,) = every_nth((sample,), stride)
        evaluate = evaluate_rows(replace(problem, source=BufferedRows((rows,))), engine, columns)
        share = (len(rows) if rows.w is None else float(rows.w.sum())) / first.moments.weight
        try:
            state = newton_iteration(
                evaluate, start, columns.ridge * share, tolerance=SAMPLE_TOLERANCE, most=SAMPLE_PASSES
            )
        except FitError:
            state = None
            continue
        if problem.loss.n_classes and not state.found.wrong:
            state = None
            continue
        start = state.c + state.step
    if state is None or not problem.source.in_memory:
        return QuasiNewtonResult(start, 0, math.inf)
    gradients = evaluate_rows(problem, engine, columns, curved=False)
    return quasi_newton(
        gradients, start, share * torch.cholesky_inverse(state.r, upper=True), columns.ridge, stale=STALE
    )


def maximum(setup: LikelihoodSetup, state: NewtonState, before: int) -> Solution:
    """Return the optimum, one step beyond the last iterate, with the Hessian of that iterate.

    Args:
        setup: what the iterations began with.
        state: the last iterate.
        before: passes made before this iteration.
    """
    columns, c = setup.columns, state.c + state.step
    penalty = float(c @ columns.ridge @ c)
    return Solution(
        theta=columns.raw(c),
        status=Status.CONVERGED,
        evidence=f"the next step would be {state.next_decrement:.1g} standard errors long",
        advice="",
        loss=state.value - state.decrement**2 / 2 - penalty,
        null_loss=setup.null_loss,
        penalty=penalty,
        counts=setup.first.counts,
        decrement=state.next_decrement,
        passes=1 + before + state.passes,
        moments=setup.first.moments,
        basis=basis_of(setup.problem, columns, state.r, state.found.hessian),
    )


def basis_of(problem: Problem, columns: StandardizedColumns, r: Tensor, hessian: Tensor) -> Basis:
    """Return the basis of standard errors.

    Args:
        problem: for its penalty and intercept.
        columns: in which r and the Hessian are given.
        r: upper triangular (d, d), r'r = Hessian + penalty.
        hessian: (d, d), of the summed loss, without the penalty.
    """
    identity = torch.eye(len(r), dtype=torch.float64)
    r_inverse = torch.linalg.solve_triangular(
        r, identity, upper=True
    ).contiguous()  # contiguous as after loading, so that results are bitwise equal
    inner = r_inverse.T @ hessian @ r_inverse if problem.penalty.strength else identity
    return Basis(columns.units.mean, columns.units.scale, r_inverse, inner, problem.intercept, columns.outputs)
