"""Maximum likelihood by Newton's method in blocked passes over the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Curvature, Maximum, Status
from slopewise.training.approach import Approached, approach
from slopewise.training.climb import Evaluate, Step, climb
from slopewise.training.columns import check_columns, refuse_corners
from slopewise.training.foot import Foot, at_foot
from slopewise.training.frame import Frame
from slopewise.training.held import Held, picked
from slopewise.training.sample import KEPT, SAMPLE_ROWS, FirstRead
from slopewise.training.score import Derivatives, derivatives, score_sums
from slopewise.training.separation import Watch
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
    first: FirstRead | None = None
    name = "newton"
    needs = ("a linear model", "a loss with curvature", "rows that can be read again")

    def solve(self, problem: Problem, engine: Engine) -> Maximum:
        """Return the optimum.

        1. Read moments, class counts and a thin sample of the rows once; from here on a file's rows are in memory, if
        they fit. 2. Refuse columns that cannot be told apart. 3. Start from `start`, or from the intercept alone. 4.
        Where the table is large, climb on the sample first, and from there approach by gradients alone where reading
        costs nothing. 5. Climb on all rows, watching for classes that are separated.

        Raises:
            FitError: dependent columns, separated classes, or no convergence.
        """
        refuse_corners(problem, self.name)
        sample = min(SAMPLE_ROWS, int(KEPT / (8 * (len(problem.source.x_names) + 2))))
        with at_foot(problem, engine, first=self.first, levels=self.levels, sample=sample) as here:
            check_columns(here.problem, here.first.moments)
            return self._climb(here, engine)

    def _climb(self, here: Foot, engine: Engine) -> Maximum:
        problem, first, frame = here.problem, here.first, here.frame
        near = Approached(here.null if self.start is None else frame.scaled(self.start), 0, math.inf)
        if self.start is None and first.sample is not None:
            near = from_sample(problem, engine, frame, first, here.null)
        watch = Watch(problem, engine, frame, self.levels)
        rows = evaluate_rows(problem, engine, frame)
        stale = STALE if first.sample is not None else 0.0
        top = climb(rows, near.c, frame.ridge, stale=stale, bend=near.bend, watch=watch.step, check=watch.margins)
        return maximum(here, top, near.passes)


def evaluate_rows(problem: Problem, engine: Engine, frame: Frame, *, curved: bool = True) -> Evaluate:
    """Return the function that reads all rows and returns the derivatives at c."""

    def evaluate(c: Tensor) -> Derivatives:
        look = partial(score_sums, problem=problem, beta=frame.beta(c), mean=frame.units.mean, curved=curved)
        sums = engine.sum(look, problem.source)
        assert sums is not None  # the first read has seen these rows
        return derivatives(sums, frame.outputs, frame.scale)

    return evaluate


def from_sample(problem: Problem, engine: Engine, frame: Frame, first: FirstRead, start: Tensor) -> Approached:
    """Return a place near the optimum that the sample of the rows leads to, `start` (d,) where the sample has none.

    The sample is climbed by the same thought, on every 16th of its own rows first.
    """
    sample, top, share = first.sample, None, 1.0
    assert sample is not None
    for stride in (16, 1):
        (rows,) = picked((sample,), stride)
        evaluate = evaluate_rows(replace(problem, source=Held((rows,))), engine, frame)
        share = (len(rows) if rows.w is None else float(rows.w.sum())) / first.moments.weight
        try:
            top = climb(evaluate, start, frame.ridge * share, tolerance=SAMPLE_TOLERANCE, most=SAMPLE_PASSES)
        except FitError:
            top = None
            continue
        if problem.loss.classes and not top.found.wrong:
            top = None
            continue
        start = top.c + top.step
    if top is None or not problem.source.in_memory:
        return Approached(start, 0, math.inf)
    gradients = evaluate_rows(problem, engine, frame, curved=False)
    return approach(gradients, start, share * torch.cholesky_inverse(top.r, upper=True), frame.ridge, stale=STALE)


def maximum(here: Foot, top: Step, before: int) -> Maximum:
    """Return the optimum one step beyond the last place evaluated, with the curvature found there.

    before: passes that led to where it began.
    """
    frame, c = here.frame, top.c + top.step
    penalty = float(c @ frame.ridge @ c)
    return Maximum(
        theta=frame.raw(c),
        status=Status.CONVERGED,
        evidence=f"the next step would be {top.next_decrement:.1g} standard errors long",
        advice="",
        loss=top.value - top.decrement**2 / 2 - penalty,
        null_loss=here.null_loss,
        penalty=penalty,
        counts=here.first.counts,
        decrement=top.next_decrement,
        passes=1 + before + top.passes,
        moments=here.first.moments,
        curvature=curvature_of(here.problem, frame, top.r, top.found.hessian),
    )


def curvature_of(problem: Problem, frame: Frame, r: Tensor, hessian: Tensor) -> Curvature:
    """Return the curvature for upper triangular r (d, d) with r'r = hessian + penalty."""
    identity = torch.eye(len(r), dtype=torch.float64)
    r_inverse = torch.linalg.solve_triangular(r, identity, upper=True).contiguous()  # as it will be loaded: bit by bit
    inner = r_inverse.T @ hessian @ r_inverse if problem.penalty.strength else identity
    return Curvature(frame.units.mean, frame.units.scale, r_inverse, inner, problem.intercept, frame.outputs)
