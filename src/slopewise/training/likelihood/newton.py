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
from slopewise.solution import Basis, Maximum, Status
from slopewise.training.likelihood.checks import check_columns, refuse_l1
from slopewise.training.likelihood.first_pass import KEPT, SAMPLE_ROWS, FirstPass
from slopewise.training.likelihood.newton_iteration import Evaluate, NewtonState, newton_iteration
from slopewise.training.likelihood.quasi_newton import QuasiNewtonResult, quasi_newton
from slopewise.training.likelihood.score import Derivatives, HessianOf, derivatives, score_sums
from slopewise.training.likelihood.separation import SeparationMonitor
from slopewise.training.likelihood.setup import LikelihoodSetup, likelihood_setup
from slopewise.training.likelihood.standardized_columns import StandardizedColumns
from slopewise.training.likelihood.working_response import working_start
from slopewise.training.solver import Climber

SAMPLE_TOLERANCE = 1.0
"""Decrement on the sample after which one more step brings its own optimum far nearer than the table's is."""

SAMPLE_PASSES = 15

STALE = 1e-6
"""Relative error that the standard errors of a table large enough to be sampled may have, for one pass less."""


@dataclass(frozen=True, slots=True)
class Newton(Climber):
    """Σ w loss + penalty by Newton's method, in centred columns of standard deviation 1.

    start: a theta to start from, raw units, or None. levels: names of the classes, for messages. first: what the
    first read told, or None to read it.
    """

    start: Tensor | None = None
    levels: tuple[str, ...] = ()
    first: FirstPass | None = None
    name = "newton"
    needs = ("a linear model", "a loss with curvature", "rows that can be read again")

    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum.

        1. Read moments, class counts and a thin sample of the rows once; from here on a file's rows are in memory, if
        they fit. 2. Refuse columns that cannot be told apart. 3. Start from `start`, else from working responses where
        the link is log, else from the intercept alone. 4. Where the table is large, iterate on the sample first, and
        from there by gradients alone where reading costs nothing. 5. Iterate on all rows, watching for separation.

        Raises:
            FitError: dependent columns, separated classes, or no convergence.
        """
        refuse_l1(problem, self.name)
        sample = min(SAMPLE_ROWS, int(KEPT / (8 * (len(problem.source.x_names) + 2))))
        with likelihood_setup(problem, engine, first=self.first, levels=self.levels, sample=sample) as setup:
            check_columns(setup.problem, setup.first.moments)
            return self._iterate(setup, engine)

    def _iterate(self, setup: LikelihoodSetup, engine: Engine) -> Maximum:
        problem, first, columns = setup.problem, setup.first, setup.columns
        near = QuasiNewtonResult(setup.null if self.start is None else columns.scaled(self.start), 0, math.inf)
        if self.start is None and first.sample is not None:
            near = from_sample(problem, engine, columns, first, setup.null)
        elif self.start is None:
            start = working_start(problem, engine, columns, ridge=columns.ridge, y_mean=float(first.moments.y_mean))
            near = near if start is None else QuasiNewtonResult(start, 1, math.inf)
        monitor = SeparationMonitor(problem, engine, columns, self.levels)
        rows = evaluate_rows(problem, engine, columns)
        stale = STALE if first.sample is not None else 0.0
        top = newton_iteration(
            rows,
            near.c,
            columns.ridge,
            stale=stale,
            quadratic_rate=near.quadratic_rate,
            monitor=monitor.step,
            check=monitor.margins,
        )
        return maximum(setup, top, near.passes)


def evaluate_rows(
    problem: Problem,
    engine: Engine,
    columns: StandardizedColumns,
    *,
    curved: bool = True,
    hessian_of: HessianOf | None = None,
) -> Evaluate:
    """Return the function that reads all rows and returns the derivatives at c, with another Hessian if asked for."""
    kernel = partial(score_sums, problem=problem, mean=columns.units.mean, curved=curved, hessian_of=hessian_of)

    def evaluate(c: Tensor) -> Derivatives:
        look = partial(kernel, beta=columns.beta(c))
        sums = engine.sum(look, problem.source)
        assert sums is not None  # the first read has seen these rows
        return derivatives(sums, columns.outputs, columns.scale)

    return evaluate


def from_sample(
    problem: Problem, engine: Engine, columns: StandardizedColumns, first: FirstPass, start: Tensor
) -> QuasiNewtonResult:
    """Return a place near the optimum that the sample of the rows leads to, `start` (d,) where the sample has none.

    On the sample itself, every 16th of its own rows comes first.
    """
    sample, top, share = first.sample, None, 1.0
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
            top = newton_iteration(
                evaluate, start, columns.ridge * share, tolerance=SAMPLE_TOLERANCE, most=SAMPLE_PASSES
            )
        except FitError:
            top = None
            continue
        if problem.loss.classes and not top.found.wrong:
            top = None
            continue
        start = top.c + top.step
    if top is None or not problem.source.in_memory:
        return QuasiNewtonResult(start, 0, math.inf)
    gradients = evaluate_rows(problem, engine, columns, curved=False)
    return quasi_newton(gradients, start, share * torch.cholesky_inverse(top.r, upper=True), columns.ridge, stale=STALE)


def maximum(setup: LikelihoodSetup, top: NewtonState, before: int) -> Maximum:
    """Return the optimum one step beyond the last place evaluated, with the curvature found there.

    before: passes that led to where it began.
    """
    columns, c = setup.columns, top.c + top.step
    penalty = float(c @ columns.ridge @ c)
    return Maximum(
        theta=columns.raw(c),
        status=Status.CONVERGED,
        evidence=f"the next step would be {top.next_decrement:.1g} standard errors long",
        advice="",
        loss=top.value - top.decrement**2 / 2 - penalty,
        null_loss=setup.null_loss,
        penalty=penalty,
        counts=setup.first.counts,
        decrement=top.next_decrement,
        passes=1 + before + top.passes,
        moments=setup.first.moments,
        basis=basis_of(setup.problem, columns, top.r, top.found.hessian),
    )


def basis_of(problem: Problem, columns: StandardizedColumns, r: Tensor, hessian: Tensor) -> Basis:
    """Return the curvature for upper triangular r (d, d) with r'r = hessian + penalty."""
    identity = torch.eye(len(r), dtype=torch.float64)
    r_inverse = torch.linalg.solve_triangular(r, identity, upper=True).contiguous()  # as it will be loaded: bit by bit
    inner = r_inverse.T @ hessian @ r_inverse if problem.penalty.strength else identity
    return Basis(columns.units.mean, columns.units.scale, r_inverse, inner, problem.intercept, columns.outputs)
